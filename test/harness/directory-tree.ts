import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, posix, relative, sep } from 'node:path';
import type { RenderEntry, RenderTree } from '../../operator/render/tree.ts';
import { isWanted } from './memory-tree.ts';

/** A directory of the machine as the tree of a commit; symlinks that leave it are refused. */
export class DirectoryTree implements RenderTree {
  readonly revision: string;
  readonly #root: string;

  /** Without a revision the tree has one of its own. */
  constructor(root: string, revision = createHash('sha1').update(`${root} ${Math.random()}`).digest('hex')) {
    this.#root = root;
    this.revision = revision;
  }

  async stat(path: string): Promise<{ type: 'file' | 'directory'; oid: string } | undefined> {
    const found = await stat(await this.#locate(path)).catch(() => undefined);
    if (found === undefined) return undefined;
    return found.isDirectory()
      ? { type: 'directory', oid: await this.digest(path) }
      : { type: 'file', oid: hash(await this.read(path)) };
  }

  async list(path: string): Promise<RenderEntry[]> {
    const entries: RenderEntry[] = [];
    for (const name of (await readdir(await this.#locate(path))).sort()) {
      const found = await lstat(join(this.#root, path, name));
      const type = found.isSymbolicLink() ? 'symlink' : found.isDirectory() ? 'directory' : 'file';
      const oid = type === 'file' ? hash(await this.read(posix.join(path, name))) : '';
      entries.push({ name, type, oid });
    }
    return entries;
  }

  async read(path: string): Promise<Uint8Array> {
    return readFile(await this.#locate(path));
  }

  async readAll(
    path: string,
    { suffixes }: { suffixes?: readonly string[] } = {},
  ): ReturnType<RenderTree['readAll']> {
    const files: { path: string; oid: string; data: Uint8Array }[] = [];
    const visit = async (directory: string): Promise<void> => {
      for (const entry of await this.list(posix.join(path, directory))) {
        const below = posix.join(directory, entry.name);
        const full = posix.join(path, below);
        if ((await this.stat(full))?.type === 'directory') await visit(below);
        else {
          const data = await this.read(full);
          files.push({ path: below, oid: hash(data), data });
        }
      }
    };
    await visit('');
    return { digest: digestOf(files), files: files.filter((file) => isWanted(file.path, suffixes)) };
  }

  async digest(path: string): Promise<string> {
    const files: { path: string; oid: string }[] = [];
    const directory = await this.#locate(path);
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (entry.isDirectory()) continue;
      const full = join(entry.parentPath, entry.name);
      const below = relative(directory, full).split(sep).join('/');
      const data = await readFile(full).catch(() => Buffer.from('not a file'));
      files.push({ path: below, oid: hash(data) });
    }
    return digestOf(files);
  }

  /** The path on this machine; what leaves the directory, by `..` or by a symlink, is refused. */
  async #locate(path: string): Promise<string> {
    const root = await realpath(this.#root);
    const full = join(root, path);
    const real = await realpath(full).catch(() => full);
    for (const each of [full, real]) {
      if (each !== root && !each.startsWith(root + sep)) throw new Error(`${path} leaves the tree`);
    }
    return full;
  }
}

function hash(data: Uint8Array): string {
  return createHash('sha1').update(data).digest('hex');
}

function digestOf(files: { path: string; oid: string }[]): string {
  const lines = files.map((file) => `${file.oid} ${file.path}`).sort();
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
