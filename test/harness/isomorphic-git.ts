import fs from 'node:fs';
import * as git from 'isomorphic-git';
import http from 'isomorphic-git/http/node';
import { temporaryDirectory } from './process.ts';

/** What another reader of Git repositories says: one that shares no line with ours. */

/** An entry of a commit's tree or of one below it. */
export interface ReferenceEntry {
  mode: number;
  type: 'file' | 'directory' | 'symlink' | 'submodule';
  oid: string;
  /** Of files and symlinks. */
  data?: Buffer;
}

/** A commit as the other reader reads it. */
export interface ReferenceCommit {
  message: string;
  author: string;
  /** Seconds since 1970. */
  committedAt: number;
  /** By path from the root, directories before what is in them; each directory in the order of its tree. */
  entries: ReadonlyMap<string, ReferenceEntry>;
}

const types = new Map<number, ReferenceEntry['type']>([
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
  [0o160000, 'submodule'],
]);

/** Fetches all branches of a repository over HTTP, and reads commits of it. */
export async function referenceReader(url: string): Promise<(commit: string) => Promise<ReferenceCommit>> {
  const repository = { fs, dir: temporaryDirectory('reference'), cache: {} };
  await git.clone({ ...repository, http, url, noCheckout: true });
  return async (oid) => {
    const { commit } = await git.readCommit({ ...repository, oid });
    const entries = new Map<string, ReferenceEntry>();
    await readTree(repository, commit.tree, '', entries);
    const { author, committer, message } = commit;
    return {
      message,
      author: `${author.name} <${author.email}>`,
      committedAt: committer.timestamp,
      entries,
    };
  };
}

async function readTree(
  repository: { fs: typeof fs; dir: string; cache: object },
  oid: string,
  directory: string,
  entries: Map<string, ReferenceEntry>,
): Promise<void> {
  const { tree } = await git.readTree({ ...repository, oid });
  for (const entry of tree) {
    const path = directory + entry.path;
    const mode = Number.parseInt(entry.mode, 8);
    const type = types.get(mode) ?? 'file';
    if (type === 'file' || type === 'symlink') {
      const { blob } = await git.readBlob({ ...repository, oid: entry.oid });
      entries.set(path, { mode, type, oid: entry.oid, data: Buffer.from(blob) });
      continue;
    }
    entries.set(path, { mode, type, oid: entry.oid });
    if (type === 'directory') await readTree(repository, entry.oid, `${path}/`, entries);
  }
}

/** What a server says of its refs, asked in a version of Git's protocol; tags peeled, HEAD with what it names. */
export function referenceRefs(url: string, protocolVersion: 1 | 2): Promise<git.ServerRef[]> {
  return git.listServerRefs({ http, url, protocolVersion, symrefs: true, peelTags: true });
}
