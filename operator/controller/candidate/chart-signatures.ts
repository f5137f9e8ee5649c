import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { ChartArchive, Renderer, Signer } from '../../render/renderer.ts';
import { BoundedMap } from '../../source/bounded-map.ts';
import type { Credential } from '../../source/credential.ts';
import { printable } from '../../source/text.ts';
import type { CredentialFor } from './chart-credentials.ts';
import { type Patience, patiently } from './patience.ts';
import { Quarantine } from './quarantine.ts';
import type { ReferencedContent } from './references.ts';

/** Brings what publishers signed of their charts. */
export interface ProvenanceFetcher {
  /**
   * What the publisher of an archive signed of it; undefined where nothing is.
   *
   * @param credentialFor of a registry to which the repository's index leads.
   * @throws TowpathError, or the signal's reason.
   */
  provenance(
    chart: { name: string; version: string; repository: string; digest: string },
    signal: AbortSignal,
    credential: Credential | undefined,
    credentialFor: CredentialFor,
    tenant: string,
  ): Promise<{ text: Uint8Array; files: readonly string[] } | undefined>;
}

export interface ChartSignaturesOptions {
  charts: ProvenanceFetcher;
  renderer: Pick<Renderer, 'verify'>;
}

/** An archive that is taken only where somebody signed it. */
export interface ArchiveToVerify {
  repository: string;
  archive: ChartArchive;
  /** Of those who may sign. */
  keyring: Uint8Array;
  credentialFor: CredentialFor;
  /** The namespace that it is for. */
  tenant: string;
  /** What it is rendered for, as the status has it. */
  revision: string;
  /** `Limited`: something runs, and is not left alone for as long as a repository hangs (A4). */
  patience: Patience;
}

/** Archives whose signers are remembered: each environment asks for the same ones. */
const MOST_VERIFIED = 1_000;
/** Of the Secret that spec.helm.chart.verify names. */
const KEYRING = 'keyring';

/** Who signed the charts that Applications name. */
export class ChartSignatures {
  readonly #options: ChartSignaturesOptions;
  readonly #verified = new BoundedMap<string, Signer>(MOST_VERIFIED);

  constructor(options: ChartSignaturesOptions) {
    this.#options = options;
  }

  /**
   * Finds out whether a key of the keyring signed an archive. Who that was is remembered for the archive and the keyring.
   *
   * @throws Quarantine ChartUnsigned, ChartSignatureInvalid, ChartKeyringInvalid for what nobody signed who may;
   * TowpathError for what does not come; or the signal's reason.
   */
  async verify(asked: ArchiveToVerify, signal: AbortSignal): Promise<Signer> {
    const { repository, archive, keyring, revision } = asked;
    const { name, version, digest, data } = archive;
    const keys = Buffer.from(keyring).toString('base64');
    const key = sha256(JSON.stringify([name, version, repository, digest, keys]));
    const known = this.#verified.get(key);
    if (known !== undefined) return known;
    const signed = await this.#fetch(asked, signal);
    if (signed === undefined) throw new Quarantine({ revision }, unsigned(asked));
    const { text: provenance, files } = signed;
    const chart = { name, version, repository, files, archive: data, provenance, keyring };
    try {
      const signer = await this.#options.renderer.verify(chart, signal);
      this.#verified.set(key, signer);
      return signer;
    } catch (error) {
      const isRefused = error instanceof TowpathError && error.remedy === 'Person';
      throw isRefused ? new Quarantine({ revision }, error) : error;
    }
  }

  #fetch({ repository, archive, credentialFor, tenant, patience }: ArchiveToVerify, signal: AbortSignal) {
    const { name, version, digest } = archive;
    const chart = { name, version, repository, digest };
    return patiently(
      patience,
      signal,
      (limited) => {
        const credential = credentialFor(repository);
        return this.#options.charts.provenance(chart, limited, credential, credentialFor, tenant);
      },
      (seconds) =>
        `The chart repository ${printable(repository, 200)} has not told for ${seconds} s who signed chart ${name} ${version}`,
    );
  }
}

function unsigned({ repository, archive: { name, version } }: ArchiveToVerify): TowpathError {
  return new TowpathError(
    'Person',
    'ChartUnsigned',
    `Chart ${name} ${version} of ${printable(repository, 200)} is not signed: it has no provenance file, and spec.helm.chart.verify takes signed charts only. Have who publishes it sign it (helm package --sign) and ask for a sync, use a version that is signed, or remove spec.helm.chart.verify.`,
  );
}

/** By which a record knows the keyring that let something in. */
export function keyringDigest(keyring: Uint8Array): string {
  return sha256(Buffer.from(keyring).toString('base64'));
}

/**
 * The public keys of those who may sign the chart of spec.helm.chart; undefined where it need not be signed.
 *
 * @throws TowpathError SecretMissing.
 */
export function keyringOf(
  { metadata, spec }: Application,
  contents: ReadonlyMap<string, ReferencedContent>,
): Uint8Array | undefined {
  const { secretRef } = spec.helm?.chart?.verify ?? {};
  if (secretRef === undefined) return undefined;
  const content = contents.get(`Secret/${secretRef.name}`);
  const keyring = content?.data.get(KEYRING);
  if (keyring !== undefined) return keyring;
  const [lacks, next] =
    content === undefined
      ? ['does not exist', 'create it']
      : [`has no key ${KEYRING}`, `put the public keys of those who may sign the chart there`];
  throw new TowpathError(
    'Resource',
    'SecretMissing',
    `Secret ${metadata.namespace}/${secretRef.name}, which spec.helm.chart.verify names, ${lacks}: ${next}; it is noticed at once.`,
  );
}
