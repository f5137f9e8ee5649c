import type { ErrorDetail, Remedy } from '../api/errors.ts';
import type { Limits } from './limits.ts';
import type { CommitInfo, EntryType } from './pack/object-store.ts';
import type { SshKey } from './transport/ssh-key.ts';

/** What a worker does for one repository. Of all work `readKey` alone has nothing to do with packs. */
export interface Work {
  addPack: { input: WorkInput & { name: string; bytes: number }; output: undefined };
  commit: { input: WorkInput & { oid: string }; output: { tree: string; commit: CommitInfo } };
  stat: { input: PathInput; output: PathStat | undefined };
  list: { input: PathInput; output: ListedEntry[] };
  read: { input: PathInput; output: Uint8Array };
  readAll: { input: PathInput & FileFilter; output: ReadResult };
  digest: { input: PathInput; output: string };
  /** Where the files of two commits differ; undefined where that is too much to tell. */
  changes: { input: WorkInput & { from: string; to: string }; output: string[] | undefined };
  readKey: { input: { identity: string; passphrase: string | undefined }; output: SshKey };
  /** Forgets what is in memory of a directory that was removed. */
  forget: { input: { directory: string }; output: undefined };
}

export interface WorkInput {
  /** Where the repository's packs lie. */
  directory: string;
  limits: Limits;
}

export interface PathInput extends WorkInput {
  /** Id of the commit's tree. */
  root: string;
  path: string;
}

/** Which files are read. */
export interface FileFilter {
  /**
   * Ends of names, such as `.yaml`: with them only files whose name ends so, and nothing that begins with a dot
   * or is in a directory that does.
   */
  suffixes?: readonly string[];
}

export interface PathStat {
  type: 'file' | 'directory';
  oid: string;
  /** A symlink led there: it really is at another path. */
  followed?: true;
}

export interface ListedEntry {
  name: string;
  type: EntryType;
  oid: string;
}

/** A file below the directory that was read. */
export interface TreeFile {
  /** Relative to that directory, by the way it was reached. */
  path: string;
  /** As Git has it: 0o100644 or 0o100755. */
  mode: number;
  oid: string;
  data: Uint8Array;
}

export interface ReadResult {
  digest: string;
  files: TreeFile[];
}

export type Operation = keyof Work;

/** Runs one operation on the packs that a tree lies in, unless the signal is aborted before it begins. */
export type RunWork = <O extends Operation>(
  operation: O,
  input: Work[O]['input'],
  signal?: AbortSignal,
) => Promise<Work[O]['output']>;

export interface WorkRequest {
  id: number;
  operation: Operation;
  input: Work[Operation]['input'];
}

export type WorkReply =
  | { id: number; value: unknown }
  | {
      id: number;
      error: { remedy: Remedy; reason: string; message: string; details: readonly ErrorDetail[] };
    };
