import { TowpathError } from '../api/errors.ts';
import type { Limits } from './limits.ts';
import type { CommitInfo } from './object-store.ts';
import type { ListedEntry, Operation, PathStat, ReadResult, Work } from './work.ts';

/**
 * One commit's files, read from the pack. Paths are relative to the repository's root, `/` between their
 * parts; '' or '.' is the root. All methods throw TowpathErrors: PathEscapes, SymlinkInvalid,
 * SubmoduleNotSupported, and where something must be there PathNotFound, which says what is there instead.
 */
export interface Tree {
  /** The commit's id. */
  readonly revision: string;
  readonly commit: CommitInfo;
  /**
   * What is at a path after following symlinks inside the repository; undefined when nothing is there. The id
   * is the blob's or the tree's.
   */
  stat(path: string): Promise<PathStat | undefined>;
  /** A directory's own entries; symlinks and submodules as such. */
  list(path: string): Promise<ListedEntry[]>;
  /** A file's bytes. @throws TooLarge */
  read(path: string): Promise<Uint8Array>;
  /**
   * Every file below a directory, with symlinks followed inside the repository: files come under the path by
   * which they were reached, relative to the directory. @throws TooLarge
   */
  readAll(path: string): Promise<ReadResult>;
  /** Changes exactly when what `readAll` returns does; reads no blob except symlinks. */
  digest(path: string): Promise<string>;
}

/** Runs one operation on the packs that a tree lies in. */
export type RunWork = <O extends Operation>(
  operation: O,
  input: Work[O]['input'],
) => Promise<Work[O]['output']>;

export class PackedTree implements Tree {
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

  stat(path: string): Promise<PathStat | undefined> {
    return this.#run('stat', this.#at(path));
  }

  list(path: string): Promise<ListedEntry[]> {
    return this.#run('list', this.#at(path));
  }

  read(path: string): Promise<Uint8Array> {
    return this.#run('read', { ...this.#at(path), limits: this.#limits });
  }

  readAll(path: string): Promise<ReadResult> {
    return this.#run('readAll', { ...this.#at(path), limits: this.#limits });
  }

  digest(path: string): Promise<string> {
    return this.#run('digest', this.#at(path));
  }

  #at(path: string): { directory: string; root: string; path: string } {
    return { directory: this.#directory, root: this.#root, path };
  }
}

/** Whether an error says that the packs on disk cannot be relied on. */
export function isDamage(error: unknown): boolean {
  return error instanceof TowpathError && error.reason === 'RepositoryDamaged';
}
