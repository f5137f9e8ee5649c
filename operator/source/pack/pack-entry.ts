import { inflateSync } from 'node:zlib';

/** Entries of a pack (gitformat-pack): what stands before the deflated bytes, and those bytes inflated. */

export const objectTypes = new Map([
  [1, 'commit'],
  [2, 'tree'],
  [3, 'blob'],
  [4, 'tag'],
]);
const ofsDelta = 6;
const refDelta = 7;

/** What is wrong with a pack, as the end of a sentence. */
export class MalformedPack extends Error {}

export interface Entry {
  type: number;
  /** Of what is deflated: an object, or a delta. */
  size: number;
  dataAt: number;
  /** How far before this entry a delta's base begins, or the base's id. */
  baseOffset?: number;
  baseOid?: string;
}

export interface Inflated {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/** @throws MalformedPack */
export function readEntry(pack: Buffer, at: number, end: number): Entry {
  let byte = byteAt(pack, at++, end);
  const type = (byte >> 4) & 7;
  let bytes = byte & 15;
  // Multiplied, not shifted: sizes may have more than 31 bits.
  for (let factor = 16; byte & 0x80; factor *= 128) {
    byte = byteAt(pack, at++, end);
    bytes += (byte & 0x7f) * factor;
    if (bytes > Number.MAX_SAFE_INTEGER) throw new MalformedPack('an object states an impossible size');
  }
  if (type === ofsDelta) {
    byte = byteAt(pack, at++, end);
    let back = byte & 0x7f;
    while (byte & 0x80) {
      byte = byteAt(pack, at++, end);
      back = (back + 1) * 128 + (byte & 0x7f);
      if (back > pack.length) throw new MalformedPack('a delta refers to before its beginning');
    }
    return { type, size: bytes, dataAt: at, baseOffset: back };
  }
  if (type === refDelta) {
    if (at + 20 > end) throw new MalformedPack('it ends within an object');
    return { type, size: bytes, dataAt: at + 20, baseOid: pack.toString('hex', at, at + 20) };
  }
  if (type < 1 || type > 4) throw new MalformedPack(`an object has the unknown type ${type}`);
  return { type, size: bytes, dataAt: at };
}

/** A delta begins with the sizes of what it builds on and of what it makes. @throws MalformedPack */
export function deltaSizes(delta: Buffer): [number, number] {
  let at = 0;
  const next = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = byteAt(delta, at++, delta.length);
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw new MalformedPack('a delta states an impossible size');
      if (!(byte & 0x80)) return value;
    }
  };
  return [next(), next()];
}

/** @throws MalformedPack unless it inflates to exactly so many bytes. */
export function inflate(deflated: Buffer, bytes: number): Inflated {
  let inflated: Inflated;
  try {
    inflated = inflateSync(deflated, {
      info: true,
      // One more than stated would be a lie; zlib wants at least one byte.
      maxOutputLength: Math.max(1, bytes),
      chunkSize: Math.max(64, Math.min(bytes + 1, 1 << 20)),
    }) as unknown as Inflated;
  } catch (error) {
    throw new MalformedPack('an object cannot be inflated to its stated size', { cause: error });
  }
  if (inflated.buffer.length !== bytes) throw new MalformedPack('an object is smaller than it states');
  return inflated;
}

function byteAt(bytes: Buffer, at: number, end: number): number {
  const byte = at < end ? bytes[at] : undefined;
  if (byte === undefined) throw new MalformedPack('it ends within an object');
  return byte;
}
