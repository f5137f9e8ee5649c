import { TowpathError } from '../../api/errors.ts';
import { type PackLimits, size } from '../limits.ts';
import { deltaSizes, type Entry, inflate, MalformedPack, objectTypes, readEntry } from './pack-entry.ts';
import { type PackedObject, PackIndex } from './pack-index.ts';
import { WorkBudget } from './work-budget.ts';

/** Objects that others build on may be built several times: at most so many times the content of a pack. */
export const maxRebuilt = 4;

/** An object that a thin pack builds on; undefined when we do not have it. */
export type BaseOf = (oid: string) => Promise<PackedObject | undefined>;

export interface CheckedPack {
  objects: number;
  /** As `git index-pack` would write it. */
  index: Buffer;
}

/** What is known of an object after one look: how deep its delta chain is, and its size with deltas applied. */
interface Measure {
  depth: number;
  bytes: number;
}

/**
 * Walks a pack (gitformat-pack) once, indexing it, and refuses it when it is not what it says or goes beyond a
 * limit, before anything is built from it. Each entry is inflated to at most its own stated size, so memory is bounded by
 * one object.
 *
 * @throws TowpathError TooLarge, PackInvalid.
 */
export async function checkPack(pack: Buffer, limits: PackLimits, baseOf: BaseOf): Promise<CheckedPack> {
  try {
    return await walk(pack, limits, baseOf);
  } catch (error) {
    throw error instanceof MalformedPack ? invalid(error.message, error) : error;
  }
}

async function walk(pack: Buffer, limits: PackLimits, baseOf: BaseOf): Promise<CheckedPack> {
  if (pack.length < 32 || pack.toString('latin1', 0, 4) !== 'PACK') throw invalid('it is no pack');
  const version = pack.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw invalid(`it has version ${version}`);
  const count = pack.readUInt32BE(8);
  if (count > limits.objects) throw tooLarge(`more than ${limits.objects} objects`);
  const end = pack.length - 20;
  const seen = new Map<number, Measure>();
  const inflateAt = (offset: number) => {
    const entry = readEntry(pack, offset, end);
    return inflate(pack.subarray(entry.dataAt, end), entry.size).buffer;
  };
  const packIndex = new PackIndex(pack, inflateAt, baseOf, new WorkBudget(maxRebuilt * limits.inflatedBytes));
  let total = 0;
  let at = 12;
  for (let index = 0; index < count; index++) {
    const entry = readEntry(pack, at, end);
    if (entry.size > limits.objectBytes) throw tooLarge(`an object of more than ${size(limits.objectBytes)}`);
    const inflated = inflate(pack.subarray(entry.dataAt, end), entry.size);
    // A server without ofs-delta names bases in the same pack by their ids.
    const inPack = entry.baseOid === undefined ? undefined : packIndex.offsetOf(entry.baseOid);
    if (inPack !== undefined) entry.baseOffset = at - inPack;
    const measure = await measured(entry, inflated.buffer, at, seen, baseOf);
    if (measure.depth > limits.deltaDepth) throw tooLarge(`a chain of more than ${limits.deltaDepth} deltas`);
    if (measure.bytes > limits.objectBytes)
      throw tooLarge(`an object of more than ${size(limits.objectBytes)}`);
    total += measure.bytes + (measure.depth > 0 ? entry.size : 0);
    if (total > limits.inflatedBytes) throw tooLarge(`more than ${size(limits.inflatedBytes)} of content`);
    seen.set(at, measure);
    const next = entry.dataAt + inflated.engine.bytesWritten;
    await addTo(packIndex, entry, at, next, inflated.buffer);
    at = next;
  }
  if (at !== end) throw invalid('there is something after its last object');
  return { objects: count, index: packIndex.toBuffer() };
}

async function addTo(
  packIndex: PackIndex,
  entry: Entry,
  at: number,
  end: number,
  data: Buffer,
): Promise<void> {
  const type = objectTypes.get(entry.type);
  const baseAt = entry.baseOffset === undefined ? undefined : at - entry.baseOffset;
  try {
    await packIndex.add({ at, end, type, baseAt, baseOid: entry.baseOid }, data);
  } catch (error) {
    throw error instanceof TowpathError ? error : invalid('a delta cannot be applied', error);
  }
}

async function measured(
  entry: Entry,
  data: Buffer,
  at: number,
  seen: ReadonlyMap<number, Measure>,
  baseOf: BaseOf,
): Promise<Measure> {
  if (objectTypes.has(entry.type)) return { depth: 0, bytes: entry.size };
  const [baseBytes, targetBytes] = deltaSizes(data);
  if (entry.baseOffset !== undefined) {
    const base = seen.get(at - entry.baseOffset);
    if (!base) throw invalid('a delta refers to something that is no object');
    if (base.bytes !== baseBytes) throw invalid('a delta does not fit the object it builds on');
    return { depth: base.depth + 1, bytes: targetBytes };
  }
  const lengthOfBase = (await baseOf(entry.baseOid ?? ''))?.content.length;
  if (lengthOfBase === undefined) throw invalid('a delta builds on an object that is not there');
  if (lengthOfBase !== baseBytes) throw invalid('a delta does not fit the object it builds on');
  return { depth: 1, bytes: targetBytes };
}

function invalid(what: string, cause?: unknown): TowpathError {
  return new TowpathError(
    'Person',
    'PackInvalid',
    `The Git server sent a pack that cannot be used: ${what}. Check the repository with "git fsck" on the server.`,
    { cause },
  );
}

function tooLarge(what: string): TowpathError {
  return new TowpathError(
    'Person',
    'TooLarge',
    `The repository has ${what} in one commit. Move what is large out of it, or ask who runs Towpath to raise the limit.`,
  );
}
