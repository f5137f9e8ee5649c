/** An entry of a directory of the repository. */
export interface RenderEntry {
  name: string;
  type: 'file' | 'directory' | 'symlink' | 'submodule';
  oid: string;
}

/**
 * What rendering needs of one commit's files. Paths are relative to the repository's root with `/` between
 * names; '' or '.' is the root. Implementations follow symlinks inside the repository and refuse those that
 * leave it (S6). A signal that is aborted ends the wait.
 */
export interface RenderTree {
  /** The commit. */
  readonly revision: string;
  /** What is at the path, symlinks followed; undefined where nothing is. `oid` identifies the content. */
  stat(
    path: string,
    signal?: AbortSignal,
  ): Promise<{ type: 'file' | 'directory'; oid: string; followed?: true } | undefined>;
  list(path: string, signal?: AbortSignal): Promise<RenderEntry[]>;
  read(path: string, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * All files below a directory, paths relative to it. With `suffixes`, such as `.yaml`, only files whose name
   * ends so, and nothing that begins with a dot or is in a directory that does; the digest is of all files.
   */
  readAll(
    path: string,
    options?: { suffixes?: readonly string[]; signal?: AbortSignal },
  ): Promise<{ digest: string; files: { path: string; oid: string; data: Uint8Array }[] }>;
  /**
   * The digest that `readAll` returns, without reading the files. It covers what symlinks lead to: equal
   * digests mean equal files.
   */
  digest(path: string, signal?: AbortSignal): Promise<string>;
}
