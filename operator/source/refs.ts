import { TowpathError } from '../api/errors.ts';
import type { Advertisement } from './advertisement.ts';
import { compareVersions, parseRange, parseVersion, type Version } from './semver.ts';

/** What a user asks for: at most one; none is the remote's HEAD. */
export interface GitRef {
  branch?: string;
  tag?: string;
  /** A range; the highest version among the tags wins. */
  semver?: string;
  commit?: string;
}

export interface Resolved {
  /** 40 hex digits. */
  commit: string;
  /** `refs/heads/main`, `refs/tags/v1.2.3`, or '' for a commit. */
  ref: string;
  /**
   * Present where several tags have the version that was found (1.2.3+9 and 1.2.3+10, 1.0.0 and v1.0.0) and lead to
   * different commits: all of them, this one first. The newest commit is meant, which no advertisement tells.
   */
  equals?: readonly Pick<Resolved, 'commit' | 'ref'>[];
}

/** Of more tags of one version only the last by their build metadata are compared. */
const maxEquals = 32;

const heads = 'refs/heads/';
const tags = 'refs/tags/';

/**
 * Finds what a user asked for among a remote's refs.
 *
 * @throws TowpathError RepositoryEmpty, RefNotFound (with names that are near), RefInvalid.
 */
export function resolveRef(advertisement: Advertisement, wanted: GitRef, where: string): Resolved {
  if (wanted.commit !== undefined) return commitOf(wanted.commit);
  if (advertisement.refs.size === 0) {
    throw new TowpathError(
      'Person',
      'RepositoryEmpty',
      `The repository ${where} is empty. Push a commit to it.`,
    );
  }
  if (wanted.branch !== undefined) return named(advertisement, heads, 'branch', wanted.branch, where);
  if (wanted.tag !== undefined) return named(advertisement, tags, 'tag', wanted.tag, where);
  if (wanted.semver !== undefined) return highest(advertisement, wanted.semver, where);
  return remoteHead(advertisement, where);
}

function commitOf(text: string): Resolved {
  const commit = text.toLowerCase();
  if (/^[0-9a-f]{40}$/.test(commit)) return { commit, ref: '' };
  throw new TowpathError(
    'Person',
    'RefInvalid',
    `"${text.slice(0, 80)}" is no commit's full id. Write all 40 hexadecimal digits in spec.source.ref.commit.`,
  );
}

function named(
  { refs }: Advertisement,
  prefix: string,
  kind: 'branch' | 'tag',
  name: string,
  where: string,
): Resolved {
  const ref = prefix + name;
  const commit = refs.get(ref);
  if (commit !== undefined) return { commit, ref };
  const other = prefix === heads ? tags : heads;
  const crossed = refs.has(other + name)
    ? ` There is a ${kind === 'branch' ? 'tag' : 'branch'} of that name.`
    : '';
  throw new TowpathError(
    'Person',
    'RefNotFound',
    `The repository ${where} has no ${kind} "${name.slice(0, 120)}".${crossed}${suggestion(name, namesBelow(refs, prefix), kind)}`,
  );
}

function highest({ refs }: Advertisement, text: string, where: string): Resolved {
  const range = parseRange(text);
  if (!range) {
    throw new TowpathError(
      'Person',
      'RefInvalid',
      `"${text.slice(0, 80)}" is no range of versions. Write spec.source.ref.semver like ">=1.2.0 <2.0.0", "^1.2" or "1.x".`,
    );
  }
  const versions: { name: string; version: Version }[] = [];
  for (const name of namesBelow(refs, tags)) {
    const version = parseVersion(name);
    if (version) versions.push({ name, version });
  }
  versions.sort((a, b) => compareVersions(b.version, a.version) || compareNames(b.name, a.name));
  const first = versions.findIndex(({ version }) => range(version));
  const best = versions[first];
  if (best) return amongEquals(refs, equalTo(best, versions, first));
  const newest = versions.slice(0, 3).map(({ name }) => name);
  const known =
    newest.length > 0 ? ` The highest versions are ${newest.join(', ')}.` : ' No tag is a version.';
  throw new TowpathError(
    'Person',
    'RefNotFound',
    `The repository ${where} has no tag whose version is in "${text.slice(0, 80)}".${known} Push one, or change spec.source.ref.semver.`,
  );
}

type Named = { name: string; version: Version };

/** The versions from the first on that are the same as it. */
function equalTo(best: Named, versions: readonly Named[], first: number): readonly Named[] {
  let end = first + 1;
  while (end < versions.length && compareVersions(best.version, versions[end]?.version ?? best.version) === 0)
    end += 1;
  return versions.slice(first, Math.min(end, first + maxEquals));
}

function amongEquals(refs: ReadonlyMap<string, string>, versions: readonly Named[]): Resolved {
  const equals = versions.map(({ name }) => ({ commit: refs.get(tags + name) ?? '', ref: tags + name }));
  const [best = { commit: '', ref: '' }] = equals;
  return equals.every(({ commit }) => commit === best.commit) ? best : { ...best, equals };
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

function remoteHead({ refs, head, headCommit }: Advertisement, where: string): Resolved {
  const named = head === undefined ? undefined : refs.get(head);
  if (head !== undefined && named !== undefined) return { commit: named, ref: head };
  if (headCommit !== undefined) {
    // A server that does not tell what HEAD names: the likely one of the branches at that commit.
    const same = namesBelow(refs, heads).filter((name) => refs.get(heads + name) === headCommit);
    const name =
      same.find((each) => each === 'main' || each === 'master') ?? (same.length === 1 ? same[0] : undefined);
    return { commit: headCommit, ref: name === undefined ? '' : heads + name };
  }
  const missing = head === undefined ? '' : ` (it names ${head})`;
  throw new TowpathError(
    'Person',
    'RefNotFound',
    `HEAD of the repository ${where} names no branch that exists${missing}. Name a branch in spec.source.ref, or set the default branch on the server.${suggestion('main', namesBelow(refs, heads), 'branch')}`,
  );
}

function namesBelow(refs: ReadonlyMap<string, string>, prefix: string): string[] {
  const names: string[] = [];
  for (const ref of refs.keys()) if (ref.startsWith(prefix)) names.push(ref.slice(prefix.length));
  return names;
}

/** The names that are most like the wanted one. */
function suggestion(wanted: string, names: readonly string[], kind: 'branch' | 'tag'): string {
  if (names.length === 0) return ` It has no ${kind} at all.`;
  const lower = wanted.toLowerCase();
  const near = names
    .slice(0, 5_000)
    .map((name) => ({ name, distance: distance(lower, name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(2, wanted.length / 3) || contains(name, lower))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  const shown = (near.length > 0 ? near.map(({ name }) => name) : names)
    .slice(0, 5)
    .map((name) => name.slice(0, 80));
  if (near.length > 0) return ` Did you mean ${shown.join(', ')}?`;
  const plural = kind === 'branch' ? 'branches' : 'tags';
  const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
  return ` Its ${plural} are ${shown.join(', ')}${more}.`;
}

function contains(name: string, wanted: string): boolean {
  return wanted.length >= 3 && name.toLowerCase().includes(wanted);
}

/** Levenshtein's, on at most 64 characters. */
function distance(left: string, right: string): number {
  const a = left.slice(0, 64);
  const b = right.slice(0, 64);
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
