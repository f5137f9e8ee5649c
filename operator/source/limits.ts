import type { Timeouts } from './wire/transport.ts';

/** What one repository may cost. A pack that goes beyond is refused, whatever its header says (S9). */
export interface PackLimits {
  /** Bytes on the wire and on disk. */
  packBytes: number;
  objects: number;
  /** Sum over all objects, deltas applied. */
  inflatedBytes: number;
  deltaDepth: number;
  /** One object. */
  objectBytes: number;
}

/** What one read may return. */
export interface ReadLimits {
  files: number;
  bytes: number;
}

export interface Limits extends PackLimits {
  /** One `read`. */
  blobBytes: number;
  /** One `readAll`. */
  readFiles: number;
  readBytes: number;
  /** Past so many packs a repository starts over with a fresh shallow clone. */
  packs: number;
  /** CPU-bound work of one request to a worker, in milliseconds. */
  workMs: number;
  /** Packs and indexes of all repositories on disk, those that are coming with them; of one tenant half may be coming. */
  cacheBytes: number;
}

const mebibyte = 1 << 20;

export const defaultLimits: Limits = {
  packBytes: 256 * mebibyte,
  objects: 500_000,
  inflatedBytes: 1024 * mebibyte,
  // Git makes at most 50, or 250 when told to be aggressive.
  deltaDepth: 512,
  objectBytes: 64 * mebibyte,
  blobBytes: 16 * mebibyte,
  readFiles: 10_000,
  readBytes: 64 * mebibyte,
  packs: 50,
  workMs: 60_000,
  cacheBytes: 2048 * mebibyte,
};

export const defaultTimeouts: Timeouts = {
  connectMs: 10_000,
  idleMs: 30_000,
  advertiseMs: 60_000,
  fetchMs: 300_000,
};

export function size(bytes: number): string {
  if (bytes >= mebibyte) return `${Math.round(bytes / mebibyte)} MiB`;
  return bytes >= 1024 ? `${Math.round(bytes / 1024)} KiB` : `${bytes} bytes`;
}
