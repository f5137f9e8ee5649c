import type { GitRef, Repository } from '../../source/sources.ts';

/** What of a repository's state is about a ref. */
export interface RefState {
  /** The commit and its name, or why there is none. */
  readonly says: string;
  /** Undefined where it takes more than the advertisement to tell which it is. */
  readonly commit?: string;
}

export function stateOf(repository: Repository, ref: GitRef): RefState {
  const error = repository.error?.message ?? '';
  const found = repository.find(ref);
  if (found === undefined) return { says: error };
  // Not the names that are near the one that is missing: those are looked for when it is told.
  if ('missing' in found) return { says: `${found.missing} ${error}` };
  const { commit, ref: name, equals = [] } = found;
  const others = equals.map((each) => `${each.commit} ${each.ref}`).join(' ');
  const says = `${commit} ${name} ${others} ${error}`;
  return equals.length > 0 || error !== '' ? { says } : { says, commit };
}

/** The commit that a ref names, where the advertisement tells it. */
export function commitOf(repository: Repository, ref: GitRef): string | undefined {
  return ref.commit ?? stateOf(repository, ref).commit;
}

/** From which commit to which one all those refs moved that changed; undefined where there is more to tell. */
export function moveBetween(
  before: readonly RefState[] | undefined,
  now: readonly RefState[],
): { from: string; to: string } | undefined {
  if (before?.length !== now.length) return undefined;
  const moves = new Map<string, { from: string; to: string }>();
  for (const [index, { says, commit: to }] of now.entries()) {
    const from = before[index]?.commit;
    if (before[index]?.says === says) continue;
    if (from === undefined || to === undefined) return undefined;
    moves.set(`${from} ${to}`, { from, to });
  }
  const [move, ...others] = moves.values();
  return others.length === 0 ? move : undefined;
}
