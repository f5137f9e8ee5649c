import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import type { BoundedMap } from '../bounded-map.ts';
import { type Entry, inflate, objectTypes, readEntry } from './pack-entry.ts';
import { applyDelta, type PackedObject } from './pack-index.ts';
import type { WorkBudget } from './work-budget.ts';

/** Objects by pack and place: what deltas build on is wanted again and again. */
export type BaseCache = BoundedMap<string, PackedObject>;

/** An entry of a pack. */
interface Place {
  /** Which of the packs, the newest first. */
  pack: number;
  at: number;
}

/**
 * Reads objects from the packs of a directory that `checkPack` let pass. Bases of deltas are kept within a bound,
 * each chain is built once, and all work counts against the budget of the request (S9).
 */
export class PackReader {
  readonly #directory: string;
  readonly #bases: BaseCache;
  readonly #packs = new Map<string, IndexedPack>();
  /** The newest first: most of what is read is new. */
  #found: Promise<IndexedPack[]> | undefined;

  constructor(directory: string, bases: BaseCache) {
    this.#directory = join(directory, 'objects/pack');
    this.#bases = bases;
  }

  /** Bytes of packs and indexes in memory. */
  get bytesInMemory(): number {
    let bytes = 0;
    for (const pack of this.#packs.values()) bytes += pack.bytesInMemory;
    return bytes;
  }

  /** Packs may have been added since the last look. */
  look(): void {
    this.#found = undefined;
  }

  /** @returns undefined when no pack has it. */
  async read(oid: string, budget: WorkBudget): Promise<PackedObject | undefined> {
    this.#found ??= this.#list();
    const packs = await this.#found;
    const place = locate(packs, 0, oid);
    return place && this.#build(packs, place, budget);
  }

  /** Follows the chain of deltas down by its heads alone, then applies them on the way back. */
  async #build(packs: readonly IndexedPack[], wanted: Place, budget: WorkBudget): Promise<PackedObject> {
    const chain: { place: Place; entry: Entry }[] = [];
    let object: PackedObject | undefined;
    for (let place: Place | undefined = wanted; object === undefined; ) {
      object = this.#bases.get(placeKey(packs, place));
      if (object !== undefined) break;
      const pack: Buffer = await packAt(packs, place).load();
      const entry: Entry = readEntry(pack, place.at, pack.length - 20);
      const type = objectTypes.get(entry.type);
      if (type === undefined) {
        chain.push({ place, entry });
        place = baseOf(packs, place, entry);
        if (place === undefined) throw new Error('a delta has no base');
        continue;
      }
      object = { type, content: contentOf(pack, entry) };
      budget.spend(entry.size);
      this.#bases.set(placeKey(packs, place), object);
    }
    if (chain.length === 0) budget.spend(object.content.length);
    for (const { place, entry } of chain.reverse()) {
      const delta = contentOf(await packAt(packs, place).load(), entry);
      object = { type: object.type, content: applyDelta(object.content, delta) };
      budget.spend(delta.length + object.content.length);
      this.#bases.set(placeKey(packs, place), object);
    }
    return object;
  }

  async #list(): Promise<IndexedPack[]> {
    const names = (await fs.readdir(this.#directory)).filter((name) => name.endsWith('.idx'));
    const packs: IndexedPack[] = [];
    for (const name of names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))) {
      let pack = this.#packs.get(name);
      if (!pack) {
        pack = await IndexedPack.open(join(this.#directory, name));
        this.#packs.set(name, pack);
      }
      packs.push(pack);
    }
    return packs;
  }
}

/**
 * Where a delta's base is: before it in its own pack, or in an older one, which is where `checkPack` found it.
 * Without that rule packs can be made whose objects build on each other in a circle.
 */
function baseOf(packs: readonly IndexedPack[], { pack, at }: Place, entry: Entry): Place | undefined {
  if (entry.baseOffset !== undefined) return { pack, at: at - entry.baseOffset };
  const oid = entry.baseOid ?? '';
  const own = packs[pack]?.offsetOf(oid);
  return own !== undefined && own < at ? { pack, at: own } : locate(packs, pack + 1, oid);
}

function locate(packs: readonly IndexedPack[], from: number, oid: string): Place | undefined {
  for (let pack = from; pack < packs.length; pack++) {
    const at = packs[pack]?.offsetOf(oid);
    if (at !== undefined) return { pack, at };
  }
  return undefined;
}

function packAt(packs: readonly IndexedPack[], { pack }: Place): IndexedPack {
  const found = packs[pack];
  if (!found) throw new Error('there is no such pack');
  return found;
}

function placeKey(packs: readonly IndexedPack[], place: Place): string {
  return `${packAt(packs, place).path}:${place.at}`;
}

function contentOf(pack: Buffer, { dataAt, size }: Entry): Buffer {
  return inflate(pack.subarray(dataAt, pack.length - 20), size).buffer;
}

/** A pack and its index (gitformat-pack, version 2). */
class IndexedPack {
  readonly path: string;
  readonly #index: Buffer;
  readonly #count: number;
  #pack: Buffer | undefined;

  private constructor(path: string, index: Buffer) {
    this.path = path;
    this.#index = index;
    this.#count = index.length < oidsAt ? 0 : index.readUInt32BE(oidsAt - 4);
    if (index.readUInt32BE(0) !== 0xff744f63 || index.length < oidsAt + this.#count * 28 + 40) {
      throw new Error('the index of a pack is damaged');
    }
  }

  static async open(indexPath: string): Promise<IndexedPack> {
    return new IndexedPack(indexPath.replace(/\.idx$/, '.pack'), await fs.readFile(indexPath));
  }

  get bytesInMemory(): number {
    return this.#index.length + (this.#pack?.length ?? 0);
  }

  async load(): Promise<Buffer> {
    this.#pack ??= await fs.readFile(this.path);
    return this.#pack;
  }

  /** Where an object begins. */
  offsetOf(oid: string): number | undefined {
    const wanted = Buffer.from(oid, 'hex');
    const first = wanted[0] ?? 0;
    let low = first === 0 ? 0 : this.#index.readUInt32BE(fanAt + (first - 1) * 4);
    let high = this.#index.readUInt32BE(fanAt + first * 4);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = oidsAt + middle * 20;
      const order = wanted.compare(this.#index, at, at + 20);
      // After the ids come as many checksums of four bytes, then the offsets.
      if (order === 0) return this.#index.readUInt32BE(oidsAt + this.#count * 24 + middle * 4);
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    return undefined;
  }
}

/** Magic number and version, then for each first byte of an id how many ids are up to it, then the ids. */
const fanAt = 8;
const oidsAt = fanAt + 256 * 4;
