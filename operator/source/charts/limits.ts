const mebibyte = 1 << 20;

/** What a chart repository may cost (S9), whatever it says of sizes. Bytes. */
export interface ChartLimits {
  indexBytes: number;
  /** What an index has of one chart. */
  entryBytes: number;
  /** An archive as it is sent; what it unpacks to, the engine bounds. */
  archiveBytes: number;
  /** What the publisher of a chart signed of it, with the signature. */
  provenanceBytes: number;
  /** Indexes and archives on disk; those not used for longest go first. */
  cacheBytes: number;
}

export const defaultChartLimits: ChartLimits = {
  indexBytes: 64 * mebibyte,
  entryBytes: 8 * mebibyte,
  archiveBytes: 16 * mebibyte,
  provenanceBytes: mebibyte,
  cacheBytes: 512 * mebibyte,
};

/** In milliseconds. */
export interface ChartTimeouts {
  /** Until a connection stands, with TLS. */
  connectMs: number;
  /** Without a byte from the server. */
  idleMs: number;
  /** For an index or an archive, from beginning to end. */
  totalMs: number;
  /** A server that answers with a fault of its own is not asked for the same again for so long. */
  busyMs: number;
}

export const defaultChartTimeouts: ChartTimeouts = {
  connectMs: 10_000,
  idleMs: 30_000,
  totalMs: 120_000,
  busyMs: 2_000,
};
