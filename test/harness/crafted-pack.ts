import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';

/** Packs that no git would write (gitformat-pack). */

/** An entry's type and size (gitformat-pack). */
export function entryHead(type: number, size: number): Buffer {
  const bytes = [];
  let byte = (type << 4) | (size % 16);
  for (let rest = Math.floor(size / 16); ; rest = Math.floor(rest / 128)) {
    if (rest === 0) break;
    bytes.push(byte | 0x80);
    byte = rest % 128;
  }
  return Buffer.from([...bytes, byte]);
}

function sizeOf(size: number): number[] {
  const bytes = [];
  let rest = size;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

function backBy(offset: number): Buffer {
  const bytes = [offset % 128];
  for (let rest = Math.floor(offset / 128); rest > 0; rest = Math.floor(rest / 128)) {
    rest -= 1;
    bytes.unshift((rest % 128) | 0x80);
  }
  return Buffer.from(bytes);
}

const typeNumbers = { commit: 1, tree: 2, blob: 3 } as const;

/** An object in full. */
export function whole(type: keyof typeof typeNumbers, content: Buffer): Buffer {
  return Buffer.concat([entryHead(typeNumbers[type], content.length), deflateSync(content)]);
}

/** A blob that may state another size than it has. */
export function blob(content: Buffer, stated = content.length): Buffer {
  return Buffer.concat([entryHead(3, stated), deflateSync(content)]);
}

/** A delta on what begins so many bytes before it; its instructions by default copy the base's first byte. */
export function delta(
  distance: number,
  baseSize: number,
  targetSize: number,
  instructions: Buffer = Buffer.from([0x90, 1]),
): Buffer {
  const bytes = Buffer.concat([Buffer.from([...sizeOf(baseSize), ...sizeOf(targetSize)]), instructions]);
  return Buffer.concat([entryHead(6, bytes.length), backBy(distance), deflateSync(bytes)]);
}

/** A delta on the object of an id, wherever that is, which makes a content out of nothing of it. */
export function refDelta(base: string, baseSize: number, content: Buffer): Buffer {
  const insert = Buffer.concat([Buffer.from([content.length]), content]);
  const bytes = Buffer.concat([Buffer.from([...sizeOf(baseSize), ...sizeOf(content.length)]), insert]);
  return Buffer.concat([entryHead(7, bytes.length), Buffer.from(base, 'hex'), deflateSync(bytes)]);
}

export function packOf(
  entries: readonly Buffer[],
  options: { count?: number; trailing?: Buffer; version?: number } = {},
): Buffer {
  const head = Buffer.alloc(12);
  head.write('PACK');
  head.writeUInt32BE(options.version ?? 2, 4);
  head.writeUInt32BE(options.count ?? entries.length, 8);
  const body = Buffer.concat([head, ...entries, options.trailing ?? Buffer.alloc(0)]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

export function objectOid(type: keyof typeof typeNumbers, content: Buffer): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}

export function blobOid(content: Buffer): string {
  return objectOid('blob', content);
}

/** A packet of band 1: a part of the pack. */
export function sideBand(bytes: Buffer): Buffer {
  const length = (bytes.length + 5).toString(16).padStart(4, '0');
  return Buffer.concat([Buffer.from(length), Buffer.from([1]), bytes]);
}
