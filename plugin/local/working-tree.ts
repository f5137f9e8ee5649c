import { createHash } from 'node:crypto';
import { lstat, readFile, readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { TowpathError } from '../../operator/api/errors.ts';
import type { RenderEntry, RenderTree } from '../../operator/render/renderer.ts';

/** As the operator follows them. */
const MOST_LINKS = 40;

interface Found {
  type: 'file' | 'directory';
  /** Without symlinks. */
  path: string;
}

type EntryType = RenderEntry['type'];

/**
 * The files of a clone that Git knows, as they are on disk: what a commit of all changes would have. Symlinks are
 * followed inside the clone and never out of it, as the operator does it.
 */
export class WorkingTree implements RenderTree {
  readonly revision: string;
  readonly #root: string;
  readonly #tracked: ReadonlySet<string>;
  /** Names in each directory. */
  readonly #names = new Map<string, Set<string>>([['', new Set()]]);
  readonly #read = new Map<string, Promise<Buffer>>();

  /** @param root without symlinks. */
  constructor({ root, commit, tracked }: { root: string; commit: string; tracked: readonly string[] }) {
    this.#root = root;
    this.revision = commit;
    this.#tracked = new Set(tracked);
    for (const path of tracked) {
      let directory = '';
      for (const name of path.split('/')) {
        const names = this.#names.get(directory) ?? new Set();
        this.#names.set(directory, names.add(name));
        directory = below(directory, name);
      }
    }
  }

  async stat(path: string): Promise<{ type: Found['type']; oid: string } | undefined> {
    const found = await this.#find(path);
    if (found === undefined) return undefined;
    const oid =
      found.type === 'file' ? digestOf(await this.#bytes(found.path)) : await this.digest(found.path);
    return { type: found.type, oid };
  }

  async list(path: string): Promise<RenderEntry[]> {
    const found = await this.#directory(path);
    const entries: RenderEntry[] = [];
    for (const name of [...(this.#names.get(found.path) ?? [])].sort()) {
      const type = await this.#typeOf(below(found.path, name));
      if (type === undefined) continue;
      const oid = type === 'file' ? digestOf(await this.#bytes(below(found.path, name))) : '';
      entries.push({ name, type, oid });
    }
    return entries;
  }

  async read(path: string): Promise<Uint8Array> {
    const found = await this.#find(path);
    if (found?.type !== 'file') throw notFound(path);
    return this.#bytes(found.path);
  }

  async readAll(
    path: string,
    { suffixes }: { suffixes?: readonly string[] } = {},
  ): ReturnType<RenderTree['readAll']> {
    const all = await this.#filesBelow(path);
    const isWanted = (file: string) =>
      suffixes === undefined ||
      (suffixes.some((suffix) => file.endsWith(suffix)) &&
        !file.split('/').some((part) => part.startsWith('.')));
    return { digest: digestOfAll(all), files: all.filter((file) => isWanted(file.path)) };
  }

  async digest(path: string): Promise<string> {
    return digestOfAll(await this.#filesBelow(path));
  }

  async #filesBelow(path: string) {
    const files: { path: string; oid: string; data: Uint8Array }[] = [];
    const visit = async (directory: Found, prefix: string, above: readonly string[]): Promise<void> => {
      if (above.includes(directory.path)) throw endless(directory.path);
      for (const name of [...(this.#names.get(directory.path) ?? [])].sort()) {
        const found = await this.#find(below(directory.path, name));
        if (found?.type === 'directory') await visit(found, below(prefix, name), [...above, directory.path]);
        if (found?.type !== 'file') continue;
        const data = await this.#bytes(found.path);
        files.push({ path: below(prefix, name), oid: digestOf(data), data });
      }
    };
    await visit(await this.#directory(path), '', []);
    return files;
  }

  async #directory(path: string): Promise<Found> {
    const found = await this.#find(path);
    if (found?.type !== 'directory') throw notFound(path);
    return found;
  }

  /** What is at a path, symlinks followed. */
  async #find(path: string): Promise<Found | undefined> {
    const left = partsOf(path);
    // Symlinks may go up, and who asks writes paths from the root.
    if (left.includes('..')) throw escapes(path);
    let at: string[] = [];
    let links = 0;
    let type: Found['type'] = 'directory';
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      if (type === 'file') return undefined;
      if (part === '..') {
        if (at.length === 0) throw escapes(path);
        at = at.slice(0, -1);
        continue;
      }
      const next = [...at, part].join('/');
      const found = await this.#typeOf(next);
      if (found === undefined) return undefined;
      if (found === 'submodule') throw submodule(next);
      if (found === 'symlink') {
        links += 1;
        if (links > MOST_LINKS) throw endless(path);
        const target = await readlink(join(this.#root, next));
        if (target.startsWith('/')) throw escapes(next);
        left.unshift(...partsOf(target));
        continue;
      }
      type = found;
      at = next.split('/');
    }
    return { type, path: at.join('/') };
  }

  /** Of what Git knows at a path none of whose directories is a symlink; undefined where nothing is on disk. */
  async #typeOf(path: string): Promise<EntryType | undefined> {
    if (this.#names.has(path)) return 'directory';
    if (!this.#tracked.has(path)) return undefined;
    const found = await lstat(join(this.#root, path)).catch(() => undefined);
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) return 'symlink';
    // Git knows no directories but those of submodules.
    return found.isDirectory() ? 'submodule' : 'file';
  }

  #bytes(path: string): Promise<Buffer> {
    const known = this.#read.get(path) ?? this.#readFile(path);
    this.#read.set(path, known);
    return known;
  }

  async #readFile(path: string): Promise<Buffer> {
    const file = await realpath(join(this.#root, path));
    // A directory that Git knows may have become a symlink meanwhile.
    if (!file.startsWith(this.#root + sep)) throw escapes(path);
    return readFile(file);
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function below(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function digestOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function digestOfAll(files: readonly { path: string; oid: string }[]): string {
  return digestOf(Buffer.from(files.map(({ path, oid }) => `${oid} ${path}`).join('\n')));
}

function notFound(path: string): TowpathError {
  return new TowpathError('Person', 'PathNotFound', `There is no ${path} in the clone: git add it first.`);
}

function escapes(path: string): TowpathError {
  const message = `${path} leads out of the repository, which is not followed: put a file in its place.`;
  return new TowpathError('Person', 'PathEscapes', message);
}

function endless(path: string): TowpathError {
  const message = `The symlinks at ${path} lead round in a circle: put a file or directory in place of one.`;
  return new TowpathError('Person', 'SymlinkInvalid', message);
}

function submodule(path: string): TowpathError {
  const message = `${path} is a submodule, which is not followed: put its files into the repository.`;
  return new TowpathError('Person', 'SubmoduleNotSupported', message);
}
