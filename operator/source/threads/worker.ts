import { parentPort } from 'node:worker_threads';
import { TowpathError } from '../../api/errors.ts';
import { BoundedMap } from '../bounded-map.ts';
import { size } from '../limits.ts';
import { ObjectStore } from '../pack/object-store.ts';
import type { BaseCache } from '../pack/pack-reader.ts';
import type { SshKey } from '../transport/ssh-key.ts';
import { changedPaths } from '../tree/changed-paths.ts';
import { DirectoryWalk, tooManyBytes } from '../tree/directory-walk.ts';
import { findPath, parts, quote } from '../tree/tree-path.ts';
import type {
  FileFilter,
  Operation,
  PathInput,
  ReadResult,
  TreeFile,
  Work,
  WorkInput,
  WorkReply,
  WorkRequest,
} from '../work.ts';

/**
 * The thread in which packs are checked, indexed and read. It answers one request after the other; what it
 * sends back is transferred, not copied.
 */

/** One worker holds so many bytes of packs, and so many repositories, in memory; others are opened again. */
const maxBytesInMemory = 192 << 20;
const maxOpen = 100;
/** SSH keys that were read, passphrase and all. */
const maxKeys = 100;
/** Objects of all its repositories that others may build on. */
const maxBaseBytes = 64 << 20;

interface OpenRepository {
  store: ObjectStore;
  walk: DirectoryWalk;
}

type Answer<O extends Operation> = (input: Work[O]['input']) => Promise<Work[O]['output']>;

function answers(): { [O in Operation]: Answer<O> } {
  const repositories = new Map<string, OpenRepository>();
  const bases: BaseCache = new BoundedMap(maxBaseBytes, ({ content }) => content.length + 200);
  const keys = new BoundedMap<string, SshKey>(maxKeys);
  const open = ({ directory, limits }: WorkInput) => {
    let repository = repositories.get(directory);
    if (!repository) {
      const store = new ObjectStore(directory, bases);
      repository = { store, walk: new DirectoryWalk(store) };
    }
    // Those not used for longest stand first.
    repositories.delete(directory);
    closeSome(repositories);
    repositories.set(directory, repository);
    // No request needs more than all that a repository may hold.
    repository.store.allow(limits.inflatedBytes);
    return repository;
  };
  return {
    async addPack(input) {
      await open(input).store.addPack(input.name, input.limits);
      return undefined;
    },
    commit: (input) => open(input).store.commit(input.oid),
    async stat(input) {
      const found = await findPath(open(input).store, input.root, input.path);
      const followed = found !== undefined && found.path !== parts(input.path).join('/');
      return found && { type: found.type, oid: found.oid, ...(followed ? { followed } : {}) };
    },
    async list(input) {
      const { store, walk } = open(input);
      const found = await walk.requireDirectory(input.root, input.path);
      const entries = await store.tree(found.oid);
      return entries.map(({ name, type, oid }) => ({ name, type, oid }));
    },
    read: (input) => read(open(input), input),
    readAll: (input) => readAll(open(input), input),
    digest: (input) => open(input).walk.digest(input.root, input.path),
    async changes({ from, to, ...input }) {
      const { store } = open(input);
      return changedPaths(store, (await store.commit(from)).tree, (await store.commit(to)).tree);
    },
    async readKey({ identity, passphrase }) {
      // Only the thread that reads keys has to have ssh2 in memory.
      const { readSshKey } = await import('../transport/ssh-key.ts');
      // Many repositories are read with one key.
      const text = JSON.stringify([identity, passphrase]);
      const key = keys.get(text) ?? readSshKey(identity, passphrase);
      keys.set(text, key);
      return key;
    },
    async forget({ directory }) {
      repositories.delete(directory);
      return undefined;
    },
  };
}

function closeSome(repositories: Map<string, OpenRepository>): void {
  let bytes = 0;
  for (const { store } of repositories.values()) bytes += store.bytesInMemory;
  for (const [directory, { store }] of repositories) {
    if (bytes <= maxBytesInMemory && repositories.size < maxOpen) return;
    repositories.delete(directory);
    bytes -= store.bytesInMemory;
  }
}

async function read({ store, walk }: OpenRepository, input: PathInput): Promise<Uint8Array> {
  const found = await walk.require(input.root, input.path);
  if (found.type === 'directory') {
    throw new TowpathError(
      'Person',
      'PathNotFound',
      `${quote(input.path)} is a directory, not a file. Name a file in it.`,
    );
  }
  const blob = await store.blob(found.oid);
  if (blob.length > input.limits.blobBytes) {
    throw new TowpathError(
      'Person',
      'TooLarge',
      `The file ${quote(input.path)} has ${size(blob.length)}; at most ${size(input.limits.blobBytes)} are read. Make it smaller.`,
    );
  }
  // A copy of its own, so that it can be transferred; a blob may be a slice of a larger buffer.
  return new Uint8Array(blob);
}

async function readAll({ store, walk }: OpenRepository, input: PathInput & FileFilter): Promise<ReadResult> {
  const limits = { files: input.limits.readFiles, bytes: input.limits.readBytes };
  const { digest, files } = await walk.files(input.root, input.path, limits, input);
  // Thousands of names may lead to one file.
  const blobs = new Map<string, Buffer>();
  let bytes = 0;
  for (const { oid } of files) {
    const blob = blobs.get(oid) ?? (await store.blob(oid));
    blobs.set(oid, blob);
    bytes += blob.length;
    if (bytes > limits.bytes) throw tooManyBytes(input.path, limits);
  }
  // One buffer for all: transferring a thousand small ones costs more than copying them.
  const all = new Uint8Array(bytes);
  let at = 0;
  const read = files.map((file): TreeFile => {
    const blob = blobs.get(file.oid) ?? Buffer.alloc(0);
    const data = all.subarray(at, at + blob.length);
    data.set(blob);
    at += blob.length;
    return { ...file, data };
  });
  return { digest, files: read };
}

function buffersOf(operation: Operation, value: unknown): ArrayBuffer[] {
  const found: ArrayBufferLike[] = [];
  if (operation === 'read') found.push((value as Uint8Array).buffer);
  if (operation === 'readAll') {
    const [first] = (value as ReadResult).files;
    if (first) found.push(first.data.buffer);
  }
  return found.filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
}

function failure(id: number, error: unknown): WorkReply {
  if (error instanceof TowpathError) {
    const { remedy, reason, message, details } = error;
    return { id, error: { remedy, reason, message, details } };
  }
  const text = error instanceof Error ? error.message : String(error);
  const message = `The repository's objects cannot be read (${text.slice(0, 160)}). It is tried again.`;
  return { id, error: { remedy: 'Time', reason: 'RepositoryDamaged', message, details: [] } };
}

function serve(port: NonNullable<typeof parentPort>): void {
  const operations = answers();
  port.on('message', async ({ id, operation, input }: WorkRequest) => {
    try {
      const answer = operations[operation] as (input: unknown) => Promise<unknown>;
      const value = await answer(input);
      port.postMessage({ id, value } satisfies WorkReply, buffersOf(operation, value));
    } catch (error) {
      port.postMessage(failure(id, error));
    }
  });
}

if (parentPort) serve(parentPort);
