import { posix } from 'node:path';
import { sha256 } from '../manifest/digest.ts';
import type { RenderEntry, RenderTree } from './tree.ts';

/** A packed chart that stands beside a chart as if it were committed in its folder charts. */
export interface ChartArchive {
  name: string;
  version: string;
  /** SHA-256 of the data, in hexadecimal. */
  digest: string;
  data: Uint8Array;
}

/** A commit's tree in which the chart at a path has the archives of more charts in its folder charts. */
export class TreeWithCharts implements RenderTree {
  readonly #tree: RenderTree;
  /** The folder charts, relative to the repository's root. */
  readonly #folder: string;
  /** By their names in it. */
  readonly #archives: ReadonlyMap<string, ChartArchive>;
  readonly #digest: string;

  /** @param path of the chart, '' for the root. */
  constructor(tree: RenderTree, path: string, archives: readonly ChartArchive[]) {
    this.#tree = tree;
    this.#folder = posix.join('/', path, 'charts').slice(1);
    const named = archives.map((each): [string, ChartArchive] => [`${each.name}-${each.version}.tgz`, each]);
    this.#archives = new Map(named.sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#digest = [...this.#archives].map(([name, { digest }]) => `${name} ${digest}`).join('\n');
  }

  get revision(): string {
    return this.#tree.revision;
  }

  async stat(path: string, signal?: AbortSignal): ReturnType<RenderTree['stat']> {
    const archive = this.#archiveAt(path);
    if (archive !== undefined) return { type: 'file', oid: archive.digest };
    const found = await this.#tree.stat(path, signal);
    if (this.#below(path) === undefined) return found;
    if (found === undefined) return { type: 'directory', oid: this.#with('') };
    return found.type === 'directory' ? { ...found, oid: this.#with(found.oid) } : found;
  }

  async list(path: string, signal?: AbortSignal): Promise<RenderEntry[]> {
    const below = this.#below(path);
    if (below === undefined) return this.#tree.list(path, signal);
    const there =
      (await this.#tree.stat(path, signal)) === undefined ? [] : await this.#tree.list(path, signal);
    if (below !== '') {
      const [first = ''] = below.split('/');
      if (there.some(({ name }) => name === first)) return there;
      return [...there, { name: first, type: 'directory', oid: this.#with('') }];
    }
    const added = [...this.#archives].map(
      ([name, { digest }]): RenderEntry => ({ name, type: 'file', oid: digest }),
    );
    return [...there.filter(({ name }) => !this.#archives.has(name)), ...added];
  }

  async read(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#archiveAt(path)?.data ?? this.#tree.read(path, signal);
  }

  async readAll(
    path: string,
    options: { suffixes?: readonly string[]; signal?: AbortSignal } = {},
  ): ReturnType<RenderTree['readAll']> {
    const all = await this.#tree.readAll(path, options);
    const below = this.#below(path);
    // With suffixes, manifests are looked for.
    if (below === undefined || options.suffixes !== undefined) return all;
    const added = [...this.#archives].map(([name, { digest, data }]) => ({
      path: posix.join(below, name),
      oid: digest,
      data,
    }));
    const names = new Set(added.map((each) => each.path));
    const files = [...all.files.filter((file) => !names.has(file.path)), ...added];
    return { digest: this.#with(all.digest), files };
  }

  async digest(path: string, signal?: AbortSignal): Promise<string> {
    const digest = await this.#tree.digest(path, signal);
    return this.#below(path) === undefined ? digest : this.#with(digest);
  }

  #with(digest: string): string {
    return sha256(`${digest}\n${this.#digest}`);
  }

  #archiveAt(path: string): ChartArchive | undefined {
    const at = posix.normalize(path);
    return posix.dirname(at) === this.#folder ? this.#archives.get(posix.basename(at)) : undefined;
  }

  /** The folder charts relative to a directory: '' for itself; undefined where it is not below. */
  #below(path: string): string | undefined {
    const at = posix.normalize(path === '' ? '.' : path);
    if (at === '.') return this.#folder;
    if (at === this.#folder) return '';
    return this.#folder.startsWith(`${at}/`) ? this.#folder.slice(at.length + 1) : undefined;
  }
}
