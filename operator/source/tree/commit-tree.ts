import { TowpathError } from '../../api/errors.ts';
import type { Limits } from '../limits.ts';
import type { CommitInfo } from '../pack/object-store.ts';
import type { FileFilter, ListedEntry, PathInput, PathStat, ReadResult, RunWork } from '../work.ts';

/**
 * One commit's files, read from the pack. Paths are relative to the repository's root, `/` between their
 * parts; '' or '.' is the root. All methods throw TowpathErrors: PathEscapes, SymlinkInvalid,
 * SubmoduleNotSupported, TooLarge, and where something must be there PathNotFound, which says what is there
 * instead. A signal that is aborted ends the wait, and takes back what was not begun.
 */
export class CommitTree {
  /** The commit's id. */
  readonly revision: string;
  readonly commit: CommitInfo;
  readonly #root: string;
  readonly #directory: string;
  readonly #limits: Limits;
  readonly #run: RunWork;

  constructor(
    revision: string,
    { tree, commit }: { tree: string; commit: CommitInfo },
    packs: { directory: string; limits: Limits; run: RunWork },
  ) {
    this.revision = revision;
    this.commit = commit;
    this.#root = tree;
    this.#directory = packs.directory;
    this.#limits = packs.limits;
    this.#run = packs.run;
  }

  /**
   * What is at a path after following symlinks inside the repository; undefined when nothing is there. The id
   * is the blob's or the tree's.
   */
  stat(path: string, signal?: AbortSignal): Promise<PathStat | undefined> {
    return this.#run('stat', this.#at(path), signal);
  }

  /** A directory's own entries; symlinks and submodules as such. */
  list(path: string, signal?: AbortSignal): Promise<ListedEntry[]> {
    return this.#run('list', this.#at(path), signal);
  }

  /** A file's bytes. */
  read(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#run('read', this.#at(path), signal);
  }

  /**
   * Every file below a directory, with symlinks followed inside the repository: files come under the path by
   * which they were reached, relative to the directory. Those that the filter leaves out are not read, and do
   * not count as many or large; the digest is of all.
   */
  readAll(
    path: string,
    { signal, ...filter }: FileFilter & { signal?: AbortSignal } = {},
  ): Promise<ReadResult> {
    return this.#run('readAll', { ...this.#at(path), ...filter }, signal);
  }

  /** Changes exactly when what `readAll` without a filter returns does; reads no blob except symlinks. */
  digest(path: string, signal?: AbortSignal): Promise<string> {
    return this.#run('digest', this.#at(path), signal);
  }

  #at(path: string): PathInput {
    return { directory: this.#directory, limits: this.#limits, root: this.#root, path };
  }
}

/** Whether an error says that the packs on disk cannot be relied on. */
export function isDamage(error: unknown): boolean {
  return error instanceof TowpathError && error.reason === 'RepositoryDamaged';
}
