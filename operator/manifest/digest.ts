import { createHash } from 'node:crypto';

/** SHA-256 of the text's UTF-8, in lower-case hexadecimal. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The same as statuses, annotations and records have it: `sha256:` and 64 hexadecimal digits. */
export function digestOf(text: string): string {
  return `sha256:${sha256(text)}`;
}

/**
 * The first 20 digits of a SHA-256: where something is looked for, never whose it is. What is found there is compared
 * by its whole name (S18).
 */
export function addressOf(text: string): string {
  return sha256(text).slice(0, 20);
}

/**
 * SHA-256 in 52 characters, all 256 bits of it (base 32, 0-9 and a-v): fits a label's value, a field manager and an
 * object's name, for which 64 digits would be too long.
 */
export function sha256Name(text: string): string {
  return BigInt(`0x${sha256(text)}`)
    .toString(32)
    .padStart(52, '0');
}

/** Of a digest what people read where there is no room for all of it: `sha256:` and 12 digits. Nothing is compared with it. */
export function shownDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}
