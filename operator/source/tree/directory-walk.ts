import { createHash } from 'node:crypto';
import { TowpathError } from '../../api/errors.ts';
import { BoundedMap } from '../bounded-map.ts';
import { type ReadLimits, size } from '../limits.ts';
import type { ObjectStore, TreeEntry } from '../pack/object-store.ts';
import { printable } from '../text.ts';
import type { FileFilter } from '../work.ts';
import {
  escapes,
  type Found,
  findPath,
  followLink,
  invalidLink,
  isUnsafeName,
  join,
  quote,
  submodule,
} from './tree-path.ts';

export interface WalkedFile {
  /** Relative to the directory that was walked, by the way it was reached. */
  path: string;
  mode: number;
  oid: string;
}

const maxCachedSpecials = 20_000;
const maxDepth = 128;
/** Directories that one request may enter: symlinks can make a small repository endlessly wide. */
const maxDirectories = 20_000;

/** One pass over a directory. */
interface Pass {
  root: string;
  /** The path as it was asked for. */
  shown: string;
  directories: number;
  /** Real path → digest: however often symlinks lead to a directory, it is looked at once. */
  digests: Map<string, string>;
}

/** A pass that collects files. */
interface Collection extends Pass {
  files: WalkedFile[];
  limits: ReadLimits;
  suffixes: readonly string[] | undefined;
}

/** Everything below directories of one repository's trees. */
export class DirectoryWalk {
  readonly #store: ObjectStore;
  /** Tree id → whether something below it is neither file nor directory. */
  readonly #plain = new BoundedMap<string, boolean>(maxCachedSpecials);

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /**
   * A digest of everything that `files` below a path returns: the tree's id, or, with symlinks below it, a
   * hash that also covers what they lead to. Whether files have names that can be read, `files` finds out.
   */
  async digest(root: string, path: string): Promise<string> {
    const found = await this.require(root, path);
    if (found.type === 'file') return found.oid;
    return this.#digestOf(newPass(root, path), found, []);
  }

  /** Every file below a directory that the filter lets pass. */
  async files(
    root: string,
    path: string,
    limits: ReadLimits,
    { suffixes }: FileFilter = {},
  ): Promise<{ digest: string; files: WalkedFile[] }> {
    const found = await this.requireDirectory(root, path);
    const files: WalkedFile[] = [];
    await this.#collect({ ...newPass(root, path), files, limits, suffixes }, found, '', []);
    return { digest: await this.#digestOf(newPass(root, path), found, []), files };
  }

  async require(root: string, path: string): Promise<Found> {
    const found = await findPath(this.#store, root, path);
    if (!found) throw await this.#notFound(root, path);
    return found;
  }

  async requireDirectory(root: string, path: string): Promise<Found> {
    const found = await this.require(root, path);
    if (found.type === 'directory') return found;
    throw new TowpathError(
      'Person',
      'PathNotFound',
      `${quote(path)} is a file, not a directory. Name the directory that it is in.`,
    );
  }

  async #collect(
    pass: Collection,
    directory: Found,
    prefix: string,
    above: readonly string[],
  ): Promise<void> {
    const chain = enter(pass, directory, above);
    for (const entry of await this.#store.tree(directory.oid)) {
      if (pass.suffixes !== undefined && entry.name.startsWith('.')) continue;
      // A file that nobody asks for may have any name. A link may lead to a directory of those that are.
      if (entry.type === 'file' && !hasSuffix(entry.name, pass.suffixes)) continue;
      requireSafe(directory, entry);
      const path = join(prefix, entry.name);
      const real =
        entry.type === 'symlink'
          ? await this.#followed(pass.root, directory, entry)
          : childOf(directory, entry);
      if (real.type === 'directory') await this.#collect(pass, real, path, chain);
      else if (hasSuffix(entry.name, pass.suffixes)) {
        pass.files.push({ path, mode: real.mode, oid: real.oid });
        if (pass.files.length > pass.limits.files) throw tooMany(pass.shown, pass.limits);
      }
    }
  }

  async #digestOf(pass: Pass, directory: Found, above: readonly string[]): Promise<string> {
    if (await this.#isPlain(directory.oid)) return directory.oid;
    const cached = pass.digests.get(directory.path);
    if (cached !== undefined) return cached;
    const chain = enter(pass, directory, above);
    const hash = createHash('sha1');
    for (const entry of await this.#store.tree(directory.oid)) {
      if (entry.type !== 'file') requireSafe(directory, entry);
      const real =
        entry.type === 'symlink'
          ? await this.#followed(pass.root, directory, entry)
          : childOf(directory, entry);
      const digest = real.type === 'directory' ? await this.#digestOf(pass, real, chain) : real.oid;
      hash.update(`${real.mode.toString(8)} ${entry.name}\0${digest}\n`);
    }
    const digest = hash.digest('hex');
    pass.digests.set(directory.path, digest);
    return digest;
  }

  /** Whether a tree has only files and directories below it, so that its id says all. */
  async #isPlain(oid: string, depth = 0): Promise<boolean> {
    const cached = this.#plain.get(oid);
    if (cached !== undefined) return cached;
    if (depth > maxDepth) throw tooDeep();
    let plain = true;
    for (const entry of await this.#store.tree(oid)) {
      plain =
        entry.type === 'file' || (entry.type === 'directory' && (await this.#isPlain(entry.oid, depth + 1)));
      if (!plain || isUnsafeName(entry.name)) {
        plain = false;
        break;
      }
    }
    this.#plain.set(oid, plain);
    return plain;
  }

  async #followed(root: string, directory: Found, link: TreeEntry): Promise<Found> {
    const found = await followLink(this.#store, root, directory.path, link);
    if (found) return found;
    throw invalidLink(
      `The symlink ${quote(join(directory.path, link.name))} leads to something that is not there.`,
    );
  }

  /** Names what is there, in the last directory of the path that exists. */
  async #notFound(root: string, path: string): Promise<TowpathError> {
    let existing = '';
    let directory: Found | undefined;
    for (const part of ['', ...path.split('/')]) {
      const next = join(existing, part);
      const found = await findPath(this.#store, root, part === '' ? existing : next).catch(() => undefined);
      if (found?.type !== 'directory') break;
      directory = found;
      if (part !== '') existing = next;
    }
    const names = directory ? (await this.#store.tree(directory.oid)).map(shownName) : [];
    const list = names.slice(0, 10).join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '');
    const where = existing === '' ? "The repository's root" : quote(existing);
    return new TowpathError(
      'Person',
      'PathNotFound',
      `There is nothing at the path ${quote(path)} in the repository. ${where} has: ${list === '' ? 'nothing' : list}.`,
    );
  }
}

function requireSafe(directory: Found, entry: TreeEntry): void {
  if (isUnsafeName(entry.name)) {
    const why = entry.name.includes('\ufffd') ? 'whose name is not UTF-8' : 'which no checkout could hold';
    throw escapes(
      `The directory ${quote(directory.path)} has an entry named ${quote(entry.name)}, ${why}. Rename it, or remove it from the repository.`,
    );
  }
  if (entry.type === 'submodule') throw submodule(join(directory.path, entry.name));
}

function hasSuffix(name: string, suffixes: readonly string[] | undefined): boolean {
  return suffixes === undefined || suffixes.some((suffix) => name.endsWith(suffix));
}

function newPass(root: string, shown: string): Pass {
  return { root, shown, directories: 0, digests: new Map() };
}

function shownName(entry: TreeEntry): string {
  const name = printable(entry.name, 60);
  return entry.type === 'directory' ? `${name}/` : name;
}

function childOf(directory: Found, entry: TreeEntry): Found {
  const type = entry.type === 'directory' ? 'directory' : 'file';
  return { type, mode: entry.mode, oid: entry.oid, path: join(directory.path, entry.name) };
}

/** The chain of directories that one is in, its own real path last; a symlink back into the chain is a cycle. */
function enter(pass: Pass, directory: Found, above: readonly string[]): string[] {
  if (++pass.directories > maxDirectories) {
    throw new TowpathError(
      'Person',
      'TooLarge',
      `The directory ${quote(pass.shown)} has more than ${maxDirectories} directories below it. Point spec.source.path at a smaller one.`,
    );
  }
  if (above.includes(directory.path)) {
    throw invalidLink(`A symlink leads back to the directory ${quote(directory.path)}, which it is in.`);
  }
  if (above.length > maxDepth) throw tooDeep();
  return [...above, directory.path];
}

function tooDeep(): TowpathError {
  return new TowpathError(
    'Person',
    'TooLarge',
    `The repository has directories more than ${maxDepth} deep. Make it flatter.`,
  );
}

function tooMany(path: string, limits: ReadLimits): TowpathError {
  return new TowpathError(
    'Person',
    'TooLarge',
    `The directory ${quote(path)} has more than ${limits.files} files. Point spec.source.path at a smaller one.`,
  );
}

export function tooManyBytes(path: string, limits: ReadLimits): TowpathError {
  return new TowpathError(
    'Person',
    'TooLarge',
    `The directory ${quote(path)} has more than ${size(limits.bytes)} in its files. Point spec.source.path at a smaller one.`,
  );
}
