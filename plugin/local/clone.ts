import fs from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as git from 'isomorphic-git';
import { CommandError } from '../exit-codes.ts';
import { unreadableIn } from './git-index.ts';

export interface Change {
  /** Relative to the clone's root. */
  path: string;
  change: 'added' | 'modified' | 'deleted';
}

/** A user's clone as it is now. */
export interface Clone {
  /** Its root, without symlinks. */
  root: string;
  /** That HEAD names. */
  commit: string;
  /** Undefined where HEAD names none. */
  branch: string | undefined;
  /** What of the files that Git knows is otherwise than in the commit. */
  changes: readonly Change[];
  /** Files that Git neither knows nor ignores. */
  untracked: readonly string[];
  /** All files that Git knows, and that the next commit has, by path. */
  tracked: readonly string[];
  remotes: readonly string[];
  /** Whence the commit was fetched, where it is no clone of the user's. */
  fetchedFrom?: string;
}

/** Reads which commit a clone is at, and what was changed there since. @throws CommandError where it is none. */
export async function readClone(directory: string): Promise<Clone> {
  const place = await realpath(resolve(directory)).catch(() => {
    throw new CommandError(`There is no directory ${directory}: name one of a Git clone with --local.`);
  });
  const dir = await git.findRoot({ fs, filepath: place }).catch(() => {
    throw new CommandError(`${directory} is in no Git clone: name a directory of one with --local.`);
  });
  try {
    return await read(dir);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new CommandError(`The Git clone ${dir} cannot be read: ${said}`);
  }
}

async function read(dir: string): Promise<Clone> {
  const repository = { ...(await repositoryOf(dir)), dir, cache: {} };
  await refuseUnreadable(repository);
  const commit = await git.resolveRef({ ...repository, ref: 'HEAD' }).catch(() => {
    throw new CommandError(`The Git clone ${dir} has no commit yet: make one first.`);
  });
  const branch = (await git.currentBranch(repository)) ?? undefined;
  const remotes = (await git.listRemotes(repository)).map(({ url }) => url);
  const changes: Change[] = [];
  const untracked: string[] = [];
  const tracked: string[] = [];
  for (const [path, head, workdir, stage] of await git.statusMatrix(repository)) {
    const isKnown = stage !== 0;
    if (isKnown && workdir !== 0) tracked.push(path);
    if (!isKnown && head === 0) untracked.push(path);
    else if (!isKnown || workdir === 0) changes.push({ path, change: 'deleted' });
    else if (head === 0) changes.push({ path, change: 'added' });
    else if (workdir !== 1) changes.push({ path, change: 'modified' });
  }
  return { root: dir, commit, branch, changes, untracked, tracked, remotes };
}

/** Settings of a clone that isomorphic-git takes for others, and what helps: what it would tell were wrong. */
const UNREADABLE = [
  ['extensions.objectFormat', 'sha256', 'Towpath reads repositories with SHA-1 ids only.'],
  ['extensions.refStorage', 'reftable', 'make another clone with git clone --ref-format=files.'],
] as const;

async function refuseUnreadable(repository: Repository & { dir: string }): Promise<void> {
  const refuse = (what: string, help: string) => {
    throw new CommandError(`The Git clone ${repository.dir} has ${what}, which cannot be read here: ${help}`);
  };
  for (const [path, value, help] of UNREADABLE)
    if (String(await git.getConfig({ ...repository, path })).toLowerCase() === value)
      refuse(`${path} = ${value}`, help);
  const index = await readFile(join(repository.own, 'index')).catch(() => Buffer.alloc(0));
  const unreadable = unreadableIn(index);
  if (unreadable !== undefined) refuse(unreadable.what, unreadable.help);
}

interface Repository {
  fs: git.PromiseFsClient | typeof fs;
  gitdir: string;
  /** Where what is a worktree's own is. */
  own: string;
}

/** What of a linked worktree's own its directory of Git has; all else is the clone's that it was made of. */
const OF_WORKTREE = ['HEAD', 'index'];

/**
 * Where Git keeps what it knows: below the clone, or, of a worktree (git worktree) or a submodule, where a file there
 * says. isomorphic-git takes one directory for all: of a worktree, the files that are its own are read in their place.
 */
async function repositoryOf(dir: string): Promise<Repository> {
  const gitdir = join(dir, '.git');
  const pointer = await readFile(gitdir, 'utf8').catch(() => undefined);
  if (pointer === undefined) return { fs, gitdir, own: gitdir };
  const own = resolve(dir, pointer.replace(/^gitdir:/, '').trim());
  const common = await readFile(join(own, 'commondir'), 'utf8').catch(() => undefined);
  if (common === undefined) return { fs, gitdir: own, own };
  const shared = resolve(own, common.trim());
  const moved = new Map(OF_WORKTREE.map((name) => [join(shared, name), join(own, name)]));
  const { promises } = fs;
  const at = (path: string) => moved.get(path) ?? path;
  const inPlace = {
    ...promises,
    readFile: (path: string, options?: 'utf8') => promises.readFile(at(path), options),
    stat: (path: string) => promises.stat(at(path)),
    lstat: (path: string) => promises.lstat(at(path)),
  };
  return { fs: { promises: inPlace }, gitdir: shared, own };
}

/** Whether one of its remotes is that repository: host and path are the same, whatever the protocol. */
export function isOf({ remotes }: Clone, repoURL: string): boolean {
  return remotes.some((remote) => placeOf(remote) === placeOf(repoURL));
}

function placeOf(url: string): string {
  const scp = /^(?:[^@/]{1,100}@)?([^:/]{1,253}):(?!\/\/)(.{1,1024})$/.exec(url);
  if (scp !== null) return normal(`${scp[1]}/${scp[2]}`);
  try {
    const { hostname, pathname } = new URL(url);
    return normal(`${hostname}${pathname}`);
  } catch {
    return normal(url);
  }
}

function normal(place: string): string {
  let end = place.length;
  while (end > 0 && place[end - 1] === '/') end -= 1;
  const path = place.slice(0, end).replaceAll('//', '/').toLowerCase();
  return path.endsWith('.git') ? path.slice(0, -'.git'.length) : path;
}
