/** A chart's archive with what its publisher says of it. */
export interface SignedChart {
  name: string;
  version: string;
  /** URL of the repository. */
  repository: string;
  /** What the archive may be called in what was signed. */
  files: readonly string[];
  archive: Uint8Array;
  /** The provenance file, as `helm package --sign` makes one. */
  provenance: Uint8Array;
  /** Public PGP keys of those who may sign, in armor or in binary form. */
  keyring: Uint8Array;
}

/** Who signed a chart. */
export interface Signer {
  /** Of the key, in hexadecimal. */
  fingerprint: string;
  /** As the key has it; '' where it has none. */
  identity: string;
}
