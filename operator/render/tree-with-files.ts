import type { ChartReference } from './missing-charts.ts';
import type { RenderEntry, RenderTree } from './tree.ts';
import { type ChartArchive, TreeWithCharts } from './tree-with-charts.ts';

/** A commit's tree with files at paths that no commit has; no directory lists them. */
export class TreeWithFiles implements RenderTree {
  readonly #tree: RenderTree;
  readonly #files: ReadonlyMap<string, { digest: string; data: Uint8Array }>;

  constructor(tree: RenderTree, files: ReadonlyMap<string, { digest: string; data: Uint8Array }>) {
    this.#tree = tree;
    this.#files = files;
  }

  get revision(): string {
    return this.#tree.revision;
  }

  async stat(path: string, signal?: AbortSignal): ReturnType<RenderTree['stat']> {
    const file = this.#files.get(path);
    return file === undefined ? this.#tree.stat(path, signal) : { type: 'file', oid: file.digest };
  }

  list(path: string, signal?: AbortSignal): Promise<RenderEntry[]> {
    return this.#tree.list(path, signal);
  }

  async read(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#files.get(path)?.data ?? this.#tree.read(path, signal);
  }

  readAll(
    path: string,
    options: { suffixes?: readonly string[]; signal?: AbortSignal } = {},
  ): ReturnType<RenderTree['readAll']> {
    return this.#tree.readAll(path, options);
  }

  digest(path: string, signal?: AbortSignal): Promise<string> {
    return this.#tree.digest(path, signal);
  }
}

/**
 * The archives of charts that a render lacks stand where they are looked for: as if committed in the folder charts of the
 * chart at the path, or where a kustomization wants them.
 */
export function treeWithArchives(
  tree: RenderTree,
  path: string,
  charts: readonly ChartReference[],
  archives: readonly ChartArchive[],
): RenderTree {
  const files = charts.flatMap(({ file }, at) => {
    const archive = archives[at];
    return file === undefined || archive === undefined ? [] : [[file, archive] as const];
  });
  return files.length > 0
    ? new TreeWithFiles(tree, new Map(files))
    : new TreeWithCharts(tree, path, archives);
}
