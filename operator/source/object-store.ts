import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import git, { type PromiseFsClient } from 'isomorphic-git';
import { TowpathError } from '../api/errors.ts';
import { BoundedMap } from './bounded-map.ts';
import type { Limits } from './limits.ts';
import { checkPack } from './pack-check.ts';

export interface CommitInfo {
  /** First line, at most 256 characters. */
  message: string;
  /** `name <email>`, as the commit has it. */
  author: string;
  /** RFC 3339, UTC. */
  committedAt: string;
}

export type EntryType = 'file' | 'directory' | 'symlink' | 'submodule';

export interface TreeEntry {
  name: string;
  /** As Git has it: 0o100644, 0o100755, 0o120000, 0o040000, 0o160000. */
  mode: number;
  type: EntryType;
  oid: string;
}

/** Entries in all trees that are kept parsed; some 200 bytes each. */
const maxCachedEntries = 100_000;
const maxCachedCommits = 64;
const maxCachedLinks = 1_000;
const maxCachedLinkBytes = 4_096;

/** The objects of one repository, in packs of one directory. Lives in a worker. */
export class ObjectStore {
  readonly #directory: string;
  readonly #packs: PackDirectory;
  readonly #trees = new BoundedMap<string, TreeEntry[]>(maxCachedEntries, (entries) => entries.length + 1);
  readonly #commits = new BoundedMap<string, { tree: string; commit: CommitInfo }>(maxCachedCommits);
  readonly #linkTargets = new BoundedMap<string, Buffer>(maxCachedLinks);
  /** isomorphic-git's own: indexes and packs that were read. */
  readonly #cache = {};

  constructor(directory: string) {
    this.#directory = directory;
    this.#packs = new PackDirectory(directory);
  }

  /** Bytes of packs and indexes in memory. */
  get bytesInMemory(): number {
    return this.#packs.bytesRead;
  }

  /**
   * Checks and indexes a pack that lies in the directory, so that its objects can be read.
   *
   * @throws TowpathError TooLarge, PackInvalid.
   */
  async addPack(name: string, limits: Limits): Promise<void> {
    const path = join(this.#directory, 'objects/pack', name);
    const { objects, index } = await checkPack(await fs.readFile(path), limits, async (oid) => {
      const base = await this.#find(oid);
      return base && { type: base.type, content: base.object };
    });
    if (objects === 0) return;
    await fs.writeFile(path.replace(/\.pack$/, '.idx'), index, { mode: 0o600 });
    this.#packs.look();
  }

  /** The tree and the description of a commit; an annotated tag is followed. */
  async commit(oid: string): Promise<{ tree: string; commit: CommitInfo }> {
    const known = this.#commits.get(oid);
    if (known) return known;
    const { type, object } = await this.#read(oid);
    if (type !== 'commit') {
      throw new TowpathError(
        'Person',
        'RefNotFound',
        `${oid} is a ${type}, not a commit. Name a commit in spec.source.ref.`,
      );
    }
    const parsed = parseCommit(object);
    this.#commits.set(oid, parsed);
    return parsed;
  }

  async tree(oid: string): Promise<TreeEntry[]> {
    const known = this.#trees.get(oid);
    if (known) return known;
    const { type, object } = await this.#read(oid);
    if (type !== 'tree') throw damaged(`${oid} is a ${type}, where a tree is expected`);
    const entries = parseTree(object);
    this.#trees.set(oid, entries);
    return entries;
  }

  /** What a symlink says. */
  async linkTarget(oid: string): Promise<Buffer> {
    const known = this.#linkTargets.get(oid);
    if (known) return known;
    const target = await this.blob(oid);
    if (target.length <= maxCachedLinkBytes) this.#linkTargets.set(oid, target);
    return target;
  }

  async blob(oid: string): Promise<Buffer> {
    const { type, object } = await this.#read(oid);
    if (type !== 'blob') throw damaged(`${oid} is a ${type}, where a blob is expected`);
    return object;
  }

  async #read(oid: string): Promise<{ type: string; object: Buffer }> {
    const found = await this.#find(oid);
    if (!found) throw damaged(`the object ${oid} was not sent`);
    return found;
  }

  async #find(oid: string): Promise<{ type: string; object: Buffer } | undefined> {
    const found = await this.#findKnown(oid);
    if (found) return found;
    // Another worker may have added a pack.
    this.#packs.look();
    return this.#findKnown(oid);
  }

  async #findKnown(oid: string): Promise<{ type: string; object: Buffer } | undefined> {
    try {
      const { type, object } = await git.readObject({
        fs: this.#packs.fs,
        gitdir: this.#directory,
        oid,
        format: 'content',
        cache: this.#cache,
      });
      return { type: String(type), object: Buffer.from(object as Uint8Array) };
    } catch (error) {
      if (error instanceof git.Errors.NotFoundError) return undefined;
      throw error;
    }
  }
}

/**
 * The file system as isomorphic-git sees it: a directory with packs and nothing else, so that it need not ask
 * the disk several times at every read.
 */
class PackDirectory {
  readonly #directory: string;
  readonly fs: PromiseFsClient;
  bytesRead = 0;
  #names: Promise<string[]> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    const refuse = () => Promise.reject(new Error('nothing is checked out'));
    const stat = async () => ({ isDirectory: () => true, isFile: () => false, isSymbolicLink: () => false });
    this.fs = {
      promises: {
        readFile: (path: string, options: undefined) => this.#readFile(path, options),
        readdir: () => this.#list(),
        writeFile: refuse,
        stat,
        lstat: stat,
        mkdir: refuse,
        rmdir: refuse,
        unlink: refuse,
        readlink: refuse,
        symlink: refuse,
      },
    };
  }

  /** Packs may have been added since the last look. */
  look(): void {
    this.#names = undefined;
  }

  #list(): Promise<string[]> {
    // The newest first: most of what is read is new.
    this.#names ??= fs
      .readdir(join(this.#directory, 'objects/pack'))
      .then((names) => names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true })));
    return this.#names;
  }

  async #readFile(path: string, options: undefined): Promise<Buffer> {
    if (!path.startsWith(`${this.#directory}/objects/pack/`)) {
      throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    }
    const bytes = await fs.readFile(path, options);
    this.bytesRead += bytes.length;
    return bytes;
  }
}

/** gitformat: header lines, an empty line, the message. */
export function parseCommit(object: Buffer): { tree: string; commit: CommitInfo } {
  const text = object.toString('utf8');
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const line = (name: string) => new RegExp(`^${name} (.*)$`, 'm').exec(head)?.[1] ?? '';
  const tree = line('tree');
  if (!/^[0-9a-f]{40}$/.test(tree)) throw damaged('a commit names no tree');
  const seconds = Number(/ (\d+) [+-]\d{4}$/.exec(line('committer'))?.[1] ?? 0);
  const message =
    end < 0
      ? ''
      : (text
          .slice(end + 2)
          .trimStart()
          .split('\n', 1)[0] ?? '');
  return {
    tree,
    commit: {
      message: message.trim().slice(0, 256),
      author: line('author')
        .replace(/ \d+ [+-]\d{4}$/, '')
        .slice(0, 256),
      committedAt: timestamp(seconds),
    },
  };
}

function timestamp(seconds: number): string {
  const date = new Date(Math.min(seconds, 253_402_300_799) * 1000);
  return date.toISOString().replace('.000Z', 'Z');
}

const types = new Map<number, EntryType>([
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
  [0o160000, 'submodule'],
]);

/** A tree object: `<octal mode> <name>\0<20 bytes of id>`, again and again. */
export function parseTree(object: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < object.length; ) {
    const space = object.indexOf(0x20, at);
    const end = object.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > object.length) throw damaged('a tree is cut short');
    const mode = Number.parseInt(object.toString('latin1', at, space), 8);
    entries.push({
      name: object.toString('utf8', space + 1, end),
      mode,
      type: types.get(mode & 0o170000) ?? 'file',
      oid: object.toString('hex', end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

function damaged(what: string): TowpathError {
  return new TowpathError(
    'Time',
    'RepositoryDamaged',
    `The repository's objects do not fit together: ${what}. They are fetched anew; if this stays, check the repository with "git fsck" on the server.`,
  );
}
