import type { Slices } from '../observe/slices.ts';
import { compareVersions, parseVersion, type Version } from './semver.ts';

export interface TaggedVersion {
  /** The tag's, below `refs/tags/`. */
  name: string;
  version: Version;
}

/** So many are sorted, or put in their place, before others may have a turn. */
const PIECE = 500;

/** Which of a remote's tags are versions, the highest first. */
export class TaggedVersions {
  readonly descending: readonly TaggedVersion[];
  readonly #tags: ReadonlySet<string>;

  private constructor(tags: ReadonlySet<string>, descending: readonly TaggedVersion[]) {
    this.#tags = tags;
    this.descending = descending;
  }

  /** `former`: the same again where the tags have the same names; which commits they name is another matter. */
  static async read(
    names: readonly string[],
    former: TaggedVersions | undefined,
    slices: Slices,
  ): Promise<TaggedVersions> {
    if (former !== undefined && (await former.isOf(names, slices))) return former;
    const tags = new Set<string>();
    const pieces: TaggedVersion[][] = [];
    for (let from = 0; from < names.length; from += PIECE) {
      await slices.pause();
      const versions = names.slice(from, from + PIECE).flatMap((name) => {
        tags.add(name);
        const version = parseVersion(name);
        return version === undefined ? [] : [{ name, version }];
      });
      pieces.push(versions.sort(byPrecedence));
    }
    return new TaggedVersions(tags, await merged(pieces, slices));
  }

  /** Whether these are the tags, each of them once. */
  async isOf(names: readonly string[], slices: Slices): Promise<boolean> {
    if (names.length !== this.#tags.size) return false;
    for (const [index, name] of names.entries()) {
      if (!this.#tags.has(name)) return false;
      if (index % PIECE === 0) await slices.pause();
    }
    return true;
  }
}

function byPrecedence(a: TaggedVersion, b: TaggedVersion): number {
  return compareVersions(b.version, a.version) || compareNames(b.name, a.name);
}

/** By text, but numbers in it by their value: 1.0.0+9 comes before 1.0.0+10. */
function compareNames(left: string, right: string): number {
  const [a, b] = [left, right].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (const [index, part] of (a ?? []).entries()) {
    const other = b?.[index] ?? '';
    const order = /^\d/.test(part) && /^\d/.test(other) ? Number(part) - Number(other) : 0;
    if (order !== 0) return order;
    if (part !== other) return part < other ? -1 : 1;
  }
  return left.length - right.length;
}

/** One sorted list of sorted ones. */
async function merged(lists: TaggedVersion[][], slices: Slices): Promise<TaggedVersion[]> {
  let rest = lists;
  while (rest.length > 1) {
    const next: TaggedVersion[][] = [];
    for (let index = 0; index < rest.length; index += 2)
      next.push(await mergedPair(rest[index] ?? [], rest[index + 1] ?? [], slices));
    rest = next;
  }
  return rest[0] ?? [];
}

async function mergedPair(
  left: readonly TaggedVersion[],
  right: readonly TaggedVersion[],
  slices: Slices,
): Promise<TaggedVersion[]> {
  const result: TaggedVersion[] = [];
  for (let [i, j] = [0, 0]; i < left.length || j < right.length; ) {
    if (result.length % PIECE === 0) await slices.pause();
    const [a, b] = [left[i], right[j]];
    const isLeft = a !== undefined && (b === undefined || byPrecedence(a, b) <= 0);
    const taken = isLeft ? a : b;
    if (isLeft) i += 1;
    else j += 1;
    if (taken !== undefined) result.push(taken);
  }
  return result;
}
