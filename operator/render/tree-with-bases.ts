import type { RenderEntry, RenderTree } from './tree.ts';

/** What Git takes no file by the name of: no commit has anything there. */
const RESERVED = '.git/';

/** A commit's tree in which those of other repositories stand in folders that no commit has. */
export class TreeWithBases implements RenderTree {
  readonly #tree: RenderTree;
  readonly #bases: ReadonlyMap<string, RenderTree>;

  /** @param bases by folder, as MissingBases names it */
  constructor(tree: RenderTree, bases: ReadonlyMap<string, RenderTree>) {
    this.#tree = tree;
    this.#bases = bases;
  }

  get revision(): string {
    return this.#tree.revision;
  }

  stat(path: string, signal?: AbortSignal): ReturnType<RenderTree['stat']> {
    const { tree, below } = this.#at(path);
    return tree.stat(below, signal);
  }

  list(path: string, signal?: AbortSignal): Promise<RenderEntry[]> {
    const { tree, below } = this.#at(path);
    return tree.list(below, signal);
  }

  read(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    const { tree, below } = this.#at(path);
    return tree.read(below, signal);
  }

  readAll(
    path: string,
    options: { suffixes?: readonly string[]; signal?: AbortSignal } = {},
  ): ReturnType<RenderTree['readAll']> {
    const { tree, below } = this.#at(path);
    return tree.readAll(below, options);
  }

  digest(path: string, signal?: AbortSignal): Promise<string> {
    const { tree, below } = this.#at(path);
    return tree.digest(below, signal);
  }

  /** The engine asks for paths without `..` in them. */
  #at(path: string): { tree: RenderTree; below: string } {
    if (path.startsWith(RESERVED))
      for (const [folder, tree] of this.#bases) {
        if (path === folder) return { tree, below: '' };
        if (path.startsWith(`${folder}/`)) return { tree, below: path.slice(folder.length + 1) };
      }
    return { tree: this.#tree, below: path };
  }
}
