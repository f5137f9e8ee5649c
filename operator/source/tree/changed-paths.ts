import type { ObjectStore, TreeEntry } from '../pack/object-store.ts';
import { isUnsafeName, join } from './tree-path.ts';

/** Of a commit that changes more, nobody is told what: it may be about everybody. */
const MOST_PATHS = 2_000;
const maxDepth = 128;

/**
 * The paths at which two trees differ, symlinks as such. A directory that is in one of them only is one path; of one in
 * both are told the paths below it. Undefined where they are too many, or none that a checkout could have.
 */
export async function changedPaths(
  store: ObjectStore,
  from: string,
  to: string,
): Promise<string[] | undefined> {
  const changed: string[] = [];
  return (await compare(store, from, to, '', changed, 0)) === 'Told' ? changed : undefined;
}

async function compare(
  store: ObjectStore,
  from: string,
  to: string,
  path: string,
  changed: string[],
  depth: number,
): Promise<'Told' | 'TooMuch'> {
  if (from === to) return 'Told';
  if (depth > maxDepth) return 'TooMuch';
  const before = new Map((await store.tree(from)).map((entry) => [entry.name, entry]));
  const others = await store.tree(to);
  const pairs = others.map((entry): [TreeEntry | undefined, TreeEntry] => [before.get(entry.name), entry]);
  for (const { name } of others) before.delete(name);
  for (const [former, entry] of [
    ...pairs,
    ...[...before.values()].map((gone) => [undefined, gone] as const),
  ]) {
    if (former !== undefined && former.oid === entry.oid && former.mode === entry.mode) continue;
    if (isUnsafeName(entry.name)) return 'TooMuch';
    const at = join(path, entry.name);
    if (former?.type === 'directory' && entry.type === 'directory') {
      if ((await compare(store, former.oid, entry.oid, at, changed, depth + 1)) === 'TooMuch')
        return 'TooMuch';
    } else changed.push(at);
    if (changed.length > MOST_PATHS) return 'TooMuch';
  }
  return 'Told';
}
