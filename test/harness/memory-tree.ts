import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { RenderEntry, RenderTree } from '../../operator/render/tree.ts';

/** Files by path as the tree of a commit. */
export class MemoryTree implements RenderTree {
  readonly revision: string;
  readonly #files: Map<string, Uint8Array>;
  readonly #digests = new Map<string, string>();
  /** Paths given to `read` and `readAll`, in order. */
  readonly reads: string[] = [];

  constructor(files: Readonly<Record<string, string | Uint8Array>>) {
    this.#files = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
    this.revision = this.#digest('');
  }

  /** A tree with some files replaced, added, or, where undefined, removed. */
  with(changes: Readonly<Record<string, string | Uint8Array | undefined>>): MemoryTree {
    const files: Record<string, string | Uint8Array> = Object.fromEntries(this.#files);
    for (const [path, text] of Object.entries(changes)) {
      if (text === undefined) delete files[path];
      else files[path] = text;
    }
    return new MemoryTree(files);
  }

  async stat(path: string): Promise<{ type: 'file' | 'directory'; oid: string } | undefined> {
    const data = this.#files.get(path);
    if (data !== undefined) return { type: 'file', oid: hash(data) };
    if (path === '' || this.#below(path).length > 0) return { type: 'directory', oid: this.#digest(path) };
    return undefined;
  }

  async list(path: string): Promise<RenderEntry[]> {
    const entries = new Map<string, RenderEntry>();
    for (const [below] of this.#below(path)) {
      const [name = '', ...rest] = below.split('/');
      const found = await this.stat(posix.join(path, name));
      entries.set(name, { name, type: rest.length > 0 ? 'directory' : 'file', oid: found?.oid ?? '' });
    }
    return [...entries.values()];
  }

  async read(path: string): Promise<Uint8Array> {
    this.reads.push(path);
    const data = this.#files.get(path);
    if (data === undefined) throw new Error(`no file ${path}`);
    return data;
  }

  async readAll(
    path: string,
    { suffixes }: { suffixes?: readonly string[] } = {},
  ): ReturnType<RenderTree['readAll']> {
    this.reads.push(path);
    const files = this.#below(path)
      .filter(([below]) => isWanted(below, suffixes))
      .map(([below, data]) => ({ path: below, oid: hash(data), data }));
    return { digest: this.#digest(path), files };
  }

  async digest(path: string): Promise<string> {
    return this.#digest(path);
  }

  #below(path: string): [string, Uint8Array][] {
    const prefix = path === '' ? '' : `${path}/`;
    return [...this.#files]
      .filter(([file]) => file.startsWith(prefix))
      .map(([file, data]): [string, Uint8Array] => [file.slice(prefix.length), data])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #digest(path: string): string {
    const known = this.#digests.get(path);
    if (known !== undefined) return known;
    const digest = hash(
      Buffer.from(
        this.#below(path)
          .map(([below, data]) => `${hash(data)} ${below}`)
          .join('\n'),
      ),
    );
    this.#digests.set(path, digest);
    return digest;
  }
}

/** Whether the filter of `readAll` lets a path pass. */
export function isWanted(path: string, suffixes: readonly string[] | undefined): boolean {
  if (suffixes === undefined) return true;
  return suffixes.some((suffix) => path.endsWith(suffix)) && !/(^|\/)\./.test(path);
}

function hash(data: Uint8Array): string {
  return createHash('sha1').update(data).digest('hex');
}
