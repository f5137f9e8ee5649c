import { TowpathError } from '../../api/errors.ts';
import type { ObjectStore, TreeEntry } from '../pack/object-store.ts';
import { hasControlCharacter } from '../text.ts';

/** Something found in a tree, after following symlinks. */
export interface Found {
  type: 'file' | 'directory';
  mode: number;
  oid: string;
  /** Where it really is, without symlinks; '' for the root. */
  path: string;
}

const maxHops = 40;
const maxTargetBytes = 4_096;
const maxComponents = 256;

interface Place {
  name: string;
  oid: string;
}

/**
 * What is at a path, following symlinks inside the repository as a checkout would, but never out of it (S6).
 *
 * @param root id of the tree that counts as the repository's root.
 * @param path relative, `/` between its parts; '' or '.' for the root.
 * @returns undefined when nothing is there.
 * @throws TowpathError PathEscapes, SymlinkInvalid, SubmoduleNotSupported.
 */
export async function findPath(store: ObjectStore, root: string, path: string): Promise<Found | undefined> {
  return follow(store, [{ name: '', oid: root }], requirePlainPath(path), path);
}

/** What a symlink in a directory (its real path) leads to. */
export async function followLink(
  store: ObjectStore,
  root: string,
  directory: string,
  link: TreeEntry,
): Promise<Found | undefined> {
  const shown = join(directory, link.name);
  return follow(store, [{ name: '', oid: root }], [...parts(directory), link.name], shown);
}

/**
 * The parts of a path that a user wrote.
 *
 * @throws TowpathError PathEscapes for `..`, absolute paths and NUL.
 */
function requirePlainPath(path: string): string[] {
  if (path.startsWith('/'))
    throw escapes(`The path ${quote(path)} is absolute. Write it relative to the repository's root.`);
  if (hasControlCharacter(path))
    throw escapes(`The path ${quote(path)} has a control character in it. Remove it.`);
  const found = parts(path);
  if (found.includes('..')) {
    throw escapes(
      `The path ${quote(path)} has ".." in it. Write it relative to the repository's root, without "..".`,
    );
  }
  if (found.length > maxComponents)
    throw escapes(`The path ${quote(path)} has more than ${maxComponents} parts.`);
  return found;
}

export function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

export function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Whether a checkout could put an entry of that name elsewhere than into its directory. */
export function isUnsafeName(name: string): boolean {
  return (
    name === '' || name === '.' || name === '..' || /[/\0\ufffd]/.test(name) || name.toLowerCase() === '.git'
  );
}

async function follow(
  store: ObjectStore,
  places: Place[],
  ahead: string[],
  shown: string,
): Promise<Found | undefined> {
  let hops = 0;
  const queue = ahead.toReversed();
  for (;;) {
    const name = queue.pop();
    const here = places.at(-1);
    if (here === undefined)
      throw escapes(
        `The path ${quote(shown)} leaves the repository through a symlink. Only files of the repository are read: commit them instead of the link.`,
      );
    if (name === undefined)
      return { type: 'directory', mode: 0o040000, oid: here.oid, path: realPath(places) };
    if (name === '..') {
      places.pop();
      continue;
    }
    const entry = await store.entry(here.oid, name);
    if (!entry || isUnsafeName(entry.name)) return undefined;
    if (entry.type === 'submodule') throw submodule(join(realPath(places), name));
    if (entry.type === 'directory') places.push({ name, oid: entry.oid });
    else if (entry.type === 'symlink') {
      if (++hops > maxHops)
        throw invalidLink(
          `The path ${quote(shown)} has a loop of symlinks, or more than ${maxHops} of them.`,
        );
      const target = await linkTarget(store, entry, join(realPath(places), name));
      queue.push(...target.toReversed());
    } else {
      // A file with something behind it is no directory; `file/..` and `file/.` are no paths either.
      if (queue.length > 0) return undefined;
      return { type: 'file', mode: entry.mode, oid: entry.oid, path: join(realPath(places), name) };
    }
  }
}

async function linkTarget(store: ObjectStore, link: TreeEntry, path: string): Promise<string[]> {
  const bytes = await store.linkTarget(link.oid);
  if (bytes.length > maxTargetBytes)
    throw invalidLink(`The symlink ${quote(path)} has a target of more than ${maxTargetBytes} bytes.`);
  const target = bytes.toString('utf8');
  if (target.startsWith('/'))
    throw escapes(`The symlink ${quote(path)} leads to an absolute path, which is outside the repository.`);
  if (target === '' || target.includes('\0'))
    throw invalidLink(`The symlink ${quote(path)} has no valid target.`);
  return parts(target);
}

function realPath(places: readonly Place[]): string {
  return places
    .slice(1)
    .map((place) => place.name)
    .join('/');
}

export function quote(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}

export function submodule(path: string): TowpathError {
  return new TowpathError(
    'Person',
    'SubmoduleNotSupported',
    `${quote(path)} is a submodule, and submodules are not followed. Put its files into this repository, or point spec.source at the submodule's own repository.`,
  );
}

export function escapes(message: string): TowpathError {
  return new TowpathError('Person', 'PathEscapes', message);
}

export function invalidLink(message: string): TowpathError {
  return new TowpathError('Person', 'SymlinkInvalid', `${message} Correct the symlink in the repository.`);
}
