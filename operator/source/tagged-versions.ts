import type { Slices } from '../observe/event-loop-slices.ts';
import { compareVersions, parseVersion, type Version } from './semver.ts';

export interface TaggedVersion {
  /** The tag's, below `refs/tags/`. */
  name: string;
  version: Version;
  /** Orders tags of one version: the name, with a number in it after all smaller ones (1.0.0+9 before 1.0.0+10). */
  key: string;
}

/** So many are sorted, or put in their place, before others may have a turn: versions may be long to compare. */
const PIECE = 16;

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
        return version === undefined ? [] : [{ name, version, key: sortKey(name) }];
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
  const order = compareVersions(b.version, a.version);
  if (order !== 0) return order;
  return b.key < a.key ? -1 : Number(b.key > a.key);
}

/** Each number is preceded by its length, and all of them stand where digits do among the other characters. */
function sortKey(name: string): string {
  return name.replace(/\d+/g, (digits) => `0${String.fromCharCode(0x100 + digits.length)}${digits}`);
}

/** One sorted list of sorted ones. */
async function merged(lists: TaggedVersion[][], slices: Slices): Promise<TaggedVersion[]> {
  let unmerged = lists;
  while (unmerged.length > 1) {
    const next: TaggedVersion[][] = [];
    for (let index = 0; index < unmerged.length; index += 2)
      next.push(await mergedPair(unmerged[index] ?? [], unmerged[index + 1] ?? [], slices));
    unmerged = next;
  }
  return unmerged[0] ?? [];
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
