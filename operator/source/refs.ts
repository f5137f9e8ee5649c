import { TowpathError } from '../api/errors.ts';
import type { Slices } from '../observe/event-loop-slices.ts';
import { nearNames } from './near-names.ts';
import { compareVersions, parseRange } from './semver.ts';
import { type TaggedVersion, TaggedVersions } from './tagged-versions.ts';
import { type Advertisement, REFS_A_PIECE } from './wire/advertisement.ts';

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
export const maxEquals = 512;

const heads = 'refs/heads/';
const tags = 'refs/tags/';

/** What is derived from one advertisement is derived once, however many ask (A15). */
export class AdvertisedRefs {
  readonly advertisement: Advertisement;
  readonly versions: TaggedVersions;
  readonly #where: string;
  readonly #found = new Map<string, Resolved | Missing>();
  readonly #missingErrors = new Map<string, TowpathError>();

  /** `where` names the repository in messages. */
  constructor(advertisement: Advertisement, versions: TaggedVersions, where: string) {
    this.advertisement = advertisement;
    this.versions = versions;
    this.#where = where;
  }

  /** Takes over what the refs before had, too. */
  static async read(
    advertisement: Advertisement,
    former: AdvertisedRefs | undefined,
    where: string,
    slices: Slices,
  ): Promise<AdvertisedRefs> {
    const versions = await TaggedVersions.read(await tagsOf(advertisement, slices), former?.versions, slices);
    return new AdvertisedRefs(advertisement, versions, where);
  }

  /** What a user asked for, or why there is none. */
  find(wanted: GitRef): Resolved | Missing {
    const key = refKey(wanted);
    const cached = this.#found.get(key);
    if (cached !== undefined) return cached;
    const found = find(this, wanted);
    this.#found.set(key, found);
    return found;
  }

  /**
   * The same, where one has to have it.
   *
   * @throws TowpathError RepositoryEmpty, RefNotFound (with names that are near), RefInvalid.
   */
  resolve(wanted: GitRef): Resolved {
    const found = this.find(wanted);
    if (!('missing' in found)) return found;
    const key = refKey(wanted);
    const error = this.#missingErrors.get(key) ?? missingError(this, wanted, found.missing, this.#where);
    this.#missingErrors.set(key, error);
    throw error;
  }
}

/** Why a ref names no commit. */
export interface Missing {
  missing: 'RepositoryEmpty' | 'RefNotFound' | 'RefInvalid';
}

function refKey({ commit, branch, tag, semver }: GitRef): string {
  return JSON.stringify([commit, branch, tag, semver]);
}

function find({ advertisement, versions }: AdvertisedRefs, wanted: GitRef): Resolved | Missing {
  if (wanted.commit !== undefined) return commitOf(wanted.commit);
  if (advertisement.refs.size === 0) return { missing: 'RepositoryEmpty' };
  if (wanted.branch !== undefined) return named(advertisement, heads + wanted.branch);
  if (wanted.tag !== undefined) return named(advertisement, tags + wanted.tag);
  if (wanted.semver !== undefined) return highest(advertisement, versions, wanted.semver);
  return remoteHead(advertisement);
}

function commitOf(text: string): Resolved | Missing {
  const commit = text.toLowerCase();
  return /^[0-9a-f]{40}$/.test(commit) ? { commit, ref: '' } : { missing: 'RefInvalid' };
}

function named({ refs }: Advertisement, ref: string): Resolved | Missing {
  const commit = refs.get(ref);
  return commit === undefined ? { missing: 'RefNotFound' } : { commit, ref };
}

function highest(advertisement: Advertisement, versions: TaggedVersions, text: string): Resolved | Missing {
  const range = parseRange(text);
  if (range === undefined) return { missing: 'RefInvalid' };
  const { descending } = versions;
  const first = descending.findIndex(({ version }) => range(version));
  const best = descending[first];
  if (best === undefined) return { missing: 'RefNotFound' };
  return amongEquals(advertisement.refs, equalTo(best, descending, first));
}

/** The versions from the first on that are the same as it. */
function equalTo(
  best: TaggedVersion,
  versions: readonly TaggedVersion[],
  first: number,
): readonly TaggedVersion[] {
  let end = first + 1;
  while (end < versions.length && compareVersions(best.version, versions[end]?.version ?? best.version) === 0)
    end += 1;
  return versions.slice(first, Math.min(end, first + maxEquals));
}

function amongEquals(refs: ReadonlyMap<string, string>, versions: readonly TaggedVersion[]): Resolved {
  const equals = versions.map(({ name }) => ({ commit: refs.get(tags + name) ?? '', ref: tags + name }));
  const [best = { commit: '', ref: '' }] = equals;
  return equals.every(({ commit }) => commit === best.commit) ? best : { ...best, equals };
}

function remoteHead({ refs, head, headCommit }: Advertisement): Resolved | Missing {
  const named = head === undefined ? undefined : refs.get(head);
  if (head !== undefined && named !== undefined) return { commit: named, ref: head };
  if (headCommit === undefined) return { missing: 'RefNotFound' };
  // A server that does not tell what HEAD names: the likely one of the branches at that commit.
  const same = namesBelow(refs, heads).filter((name) => refs.get(heads + name) === headCommit);
  const name =
    same.find((each) => each === 'main' || each === 'master') ?? (same.length === 1 ? same[0] : undefined);
  return { commit: headCommit, ref: name === undefined ? '' : heads + name };
}

/** Says what there is instead. */
function missingError(
  refs: AdvertisedRefs,
  wanted: GitRef,
  reason: Missing['missing'],
  where: string,
): TowpathError {
  return new TowpathError('Person', reason, missingMessage(refs, wanted, reason, where));
}

function missingMessage(
  { advertisement, versions }: AdvertisedRefs,
  { commit, branch, tag, semver }: GitRef,
  reason: Missing['missing'],
  where: string,
): string {
  const { refs, head } = advertisement;
  if (commit !== undefined)
    return `"${commit.slice(0, 80)}" is no commit's full id. Write all 40 hexadecimal digits in spec.source.ref.commit.`;
  if (reason === 'RepositoryEmpty') return `The repository ${where} is empty. Push a commit to it.`;
  if (branch !== undefined) return unnamed(refs, 'branch', branch, where);
  if (tag !== undefined) return unnamed(refs, 'tag', tag, where);
  if (semver === undefined) {
    const missing = head === undefined ? '' : ` (it names ${head})`;
    return `HEAD of the repository ${where} names no branch that exists${missing}. Name a branch in spec.source.ref, or set the default branch on the server.${suggestion('main', namesBelow(refs, heads), 'branch')}`;
  }
  const range = semver.slice(0, 80);
  if (reason === 'RefInvalid')
    return `"${range}" is no range of versions. Write spec.source.ref.semver like ">=1.2.0 <2.0.0", "^1.2" or "1.x".`;
  const newest = versions.descending.slice(0, 3).map(({ name }) => name);
  const there =
    newest.length > 0 ? ` The highest versions are ${newest.join(', ')}.` : ' No tag is a version.';
  return `The repository ${where} has no tag whose version is in "${range}".${there} Push one, or change spec.source.ref.semver.`;
}

function unnamed(
  refs: ReadonlyMap<string, string>,
  kind: 'branch' | 'tag',
  name: string,
  where: string,
): string {
  const [prefix, other] = kind === 'branch' ? [heads, tags] : [tags, heads];
  const crossed = refs.has(other + name)
    ? ` There is a ${kind === 'branch' ? 'tag' : 'branch'} of that name.`
    : '';
  return `The repository ${where} has no ${kind} "${name.slice(0, 120)}".${crossed}${suggestion(name, namesBelow(refs, prefix), kind)}`;
}

async function tagsOf({ refs }: Advertisement, slices: Slices): Promise<string[]> {
  const names: string[] = [];
  let count = 0;
  for (const ref of refs.keys()) {
    if (ref.startsWith(tags)) names.push(ref.slice(tags.length));
    count += 1;
    if (count % REFS_A_PIECE === 0) await slices.pause();
  }
  return names;
}

function namesBelow(refs: ReadonlyMap<string, string>, prefix: string): string[] {
  const names: string[] = [];
  for (const ref of refs.keys()) if (ref.startsWith(prefix)) names.push(ref.slice(prefix.length));
  return names;
}

/** The names that are most like the wanted one. */
function suggestion(wanted: string, names: readonly string[], kind: 'branch' | 'tag'): string {
  if (names.length === 0) return ` It has no ${kind} at all.`;
  const near = nearNames(wanted, names);
  const shown = (near.length > 0 ? near : names).slice(0, 5).map((name) => name.slice(0, 80));
  if (near.length > 0) return ` Did you mean ${shown.join(', ')}?`;
  const plural = kind === 'branch' ? 'branches' : 'tags';
  const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : '';
  return ` Its ${plural} are ${shown.join(', ')}${more}.`;
}
