import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { BoundedMap } from '../bounded-map.ts';
import type { WorkBudget } from './work-budget.ts';

/** An object's type and content, deltas applied. */
export interface PackedObject {
  type: string;
  content: Buffer;
}

/** One entry of a pack that has been checked. */
export interface PackEntry {
  /** Where it begins in the pack, and where the next one does. */
  at: number;
  end: number;
  /** The type, for what is no delta. */
  type: string | undefined;
  /** Where the delta's base is in the pack, or its id where it is elsewhere. */
  baseAt: number | undefined;
  baseOid: string | undefined;
}

const maxCachedBytes = 64 << 20;

/**
 * Makes the index of a pack (gitformat-pack, version 2): the same bytes as `git index-pack`.
 */
export class PackIndex {
  readonly #pack: Buffer;
  /** Inflates what an entry holds: an object, or a delta. */
  readonly #inflate: (at: number) => Buffer;
  readonly #external: (oid: string) => Promise<PackedObject | undefined>;
  readonly #budget: WorkBudget;
  readonly #entries = new Map<number, PackEntry>();
  readonly #resolved = new BoundedMap<number, PackedObject>(
    maxCachedBytes,
    ({ content }) => content.length + 200,
  );
  readonly #offsets = new Map<string, number>();
  readonly #objects: { oid: Buffer; at: number; crc: number }[] = [];

  constructor(
    pack: Buffer,
    inflate: (at: number) => Buffer,
    external: (oid: string) => Promise<PackedObject | undefined>,
    budget: WorkBudget,
  ) {
    this.#pack = pack;
    this.#budget = budget;
    this.#inflate = inflate;
    this.#external = external;
  }

  /** Adds the next entry; `data` is what it inflates to. */
  async add(entry: PackEntry, data: Buffer): Promise<void> {
    this.#entries.set(entry.at, entry);
    const object = await this.#resolve(entry, data);
    this.#resolved.set(entry.at, object);
    const oid = createHash('sha1')
      .update(`${object.type} ${object.content.length}\0`)
      .update(object.content)
      .digest();
    this.#offsets.set(oid.toString('hex'), entry.at);
    this.#objects.push({ oid, at: entry.at, crc: crc32(this.#pack.subarray(entry.at, entry.end)) });
  }

  /** Where an object of the pack begins, as far as it was added. */
  offsetOf(oid: string): number | undefined {
    return this.#offsets.get(oid);
  }

  toBuffer(): Buffer {
    const objects = this.#objects.sort((a, b) => Buffer.compare(a.oid, b.oid));
    const head = Buffer.alloc(8 + 256 * 4);
    head.writeUInt32BE(0xff744f63, 0);
    head.writeUInt32BE(2, 4);
    let count = 0;
    for (let first = 0; first < 256; first++) {
      while (objects[count]?.oid[0] === first) count++;
      head.writeUInt32BE(count, 8 + first * 4);
    }
    const numbers = (read: (object: { at: number; crc: number }) => number) => {
      const bytes = Buffer.alloc(objects.length * 4);
      for (const [index, object] of objects.entries()) bytes.writeUInt32BE(read(object), index * 4);
      return bytes;
    };
    const body = Buffer.concat([
      head,
      ...objects.map(({ oid }) => oid),
      numbers(({ crc }) => crc),
      numbers(({ at }) => at),
      this.#pack.subarray(-20),
    ]);
    return Buffer.concat([body, createHash('sha1').update(body).digest()]);
  }

  /** Follows a chain of deltas down to an object that is known, then applies them on the way back. */
  async #resolve(entry: PackEntry, data: Buffer): Promise<PackedObject> {
    const inflated = (each: PackEntry) => (each === entry ? data : this.#inflate(each.at));
    // Only where they are: the deltas of a whole chain may be more than memory holds.
    const chain: PackEntry[] = [];
    let current = entry;
    let object: PackedObject | undefined;
    while (object === undefined) {
      if (current.type !== undefined) {
        object = { type: current.type, content: inflated(current) };
        this.#budget.spend(object.content.length);
        break;
      }
      chain.push(current);
      if (current.baseAt === undefined) {
        object = await this.#external(current.baseOid ?? '');
        if (!object) throw new Error('a delta has no base');
      } else {
        object = this.#resolved.get(current.baseAt);
        const base = this.#entries.get(current.baseAt);
        if (!base) throw new Error('a delta has no base');
        current = base;
      }
    }
    const { type } = object;
    let { content } = object;
    for (const each of chain.reverse()) {
      const delta = inflated(each);
      content = applyDelta(content, delta);
      this.#budget.spend(delta.length + content.length);
    }
    return { type, content };
  }
}

/** Builds an object from its base (gitformat-pack, "Deltified representation"). */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const byte = () => {
    const value = delta[at++];
    if (value === undefined) throw new Error('a delta ends early');
    return value;
  };
  const size = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const next = byte();
      value += (next & 0x7f) * factor;
      if (!(next & 0x80)) return value;
    }
  };
  if (size() !== base.length) throw new Error('a delta does not fit its base');
  const target = Buffer.alloc(size());
  let written = 0;
  while (at < delta.length) {
    const instruction = byte();
    if (instruction === 0) throw new Error('a delta has an unknown instruction');
    let piece: Buffer;
    if (instruction & 0x80) {
      const number = (first: number, count: number) => {
        let value = 0;
        for (let index = 0; index < count; index++) {
          if (instruction & (first << index)) value += byte() * 256 ** index;
        }
        return value;
      };
      const offset = number(0x01, 4);
      const length = number(0x10, 3) || 0x10000;
      if (offset + length > base.length) throw new Error('a delta copies from beyond its base');
      piece = base.subarray(offset, offset + length);
    } else {
      piece = delta.subarray(at, at + instruction);
      if (piece.length < instruction) throw new Error('a delta ends early');
      at += instruction;
    }
    if (written + piece.length > target.length) throw new Error('a delta makes more than it states');
    written += piece.copy(target, written);
  }
  if (written !== target.length) throw new Error('a delta makes less than it states');
  return target;
}
