import type { KubeObject } from '../../kube/client.ts';
import { ApiError, isNotFound } from '../../kube/errors.ts';
import type { Chunk } from './kept-manifest-index.ts';
import type { RecordSecrets } from './secrets.ts';

/** Tidying up waits no longer than this for the API server: who wanted to write is waiting. */
const TIDY_MS = 5_000;

/**
 * The life of the chunk Secrets: created before the record that names them, and deleted when no record can
 * come to name them any more.
 */
export class RecordChunks {
  readonly #secrets: RecordSecrets;
  /** By record the chunks of writes that may have been carried out; what is read or written next tells which are of use. */
  readonly #doubtful = new Map<string, ReadonlySet<string>>();

  constructor(secrets: RecordSecrets) {
    this.#secrets = secrets;
  }

  /**
   * When all records were read. Those that none of them uses are deleted in the background: a run that died
   * around the write of its record left them. So are the records of a `former` layout, which nobody reads any more.
   */
  async restart(
    used: ReadonlySet<string>,
    former: readonly KubeObject[],
    signal: AbortSignal,
  ): Promise<void> {
    this.#doubtful.clear();
    const unused = (await this.#secrets.chunks(signal)).filter((chunk) => !used.has(chunk.metadata.name));
    const sweep = async () => {
      for (const { metadata } of [...unused, ...former])
        await this.#secrets.delete(metadata.name, signal, metadata.uid);
    };
    void sweep().catch(() => undefined);
  }

  async create(chunks: readonly Chunk[], signal: AbortSignal | undefined): Promise<void> {
    for (const { name, data } of chunks) await this.#secrets.createChunk(name, data, signal);
  }

  /**
   * The chunks of a write that was refused are of no use. One without an answer, or with a failure of the API
   * server for one, may have been carried out: then the record names them.
   */
  async withdraw(record: string, chunks: readonly Chunk[], error: unknown): Promise<void> {
    const names = chunks.map((chunk) => chunk.name);
    if (error instanceof ApiError && error.code < 500)
      await this.#tidy(record, names, new Set(), AbortSignal.timeout(TIDY_MS));
    else if (names.length > 0) this.#doubtful.set(record, new Set([...this.#doubtfulOf(record), ...names]));
  }

  /**
   * Each further try would add to the chunks of those that failed. Where the record is what is remembered of it,
   * at that resourceVersion (undefined: there is none), those that it does not use go; else the write that
   * follows is a conflict, and the caller reads it anew.
   */
  async decide(
    record: string,
    resourceVersion: string | undefined,
    used: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const chunks = this.#doubtful.get(record);
    if (chunks === undefined) return;
    // A write that its caller gave up may be on its way still.
    await this.#secrets.writesEnded(signal);
    const current = await this.#secrets.read(record, signal).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    if (current?.metadata.resourceVersion === resourceVersion) await this.#tidy(record, chunks, used, signal);
  }

  /** Writes are conditional: after one that succeeded, none of those that failed before can come to count any more. */
  async written(
    record: string,
    before: ReadonlySet<string>,
    used: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await this.#tidy(record, [...before, ...this.#doubtfulOf(record)], used, signal);
  }

  /** Before the record itself is deleted. */
  async removeAll(record: string, used: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<void> {
    for (const chunk of [...used, ...this.#doubtfulOf(record)]) await this.#secrets.delete(chunk, signal);
    this.#doubtful.delete(record);
  }

  /** Deletes the chunks that are not used. One that stays is no failure: it is tried with a later write again. */
  async #tidy(
    record: string,
    chunks: Iterable<string>,
    used: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const doubtful = new Set(this.#doubtfulOf(record));
    for (const chunk of new Set(chunks)) {
      doubtful.delete(chunk);
      if (!used.has(chunk)) await this.#secrets.delete(chunk, signal).catch(() => doubtful.add(chunk));
    }
    if (doubtful.size > 0) this.#doubtful.set(record, doubtful);
    else this.#doubtful.delete(record);
  }

  #doubtfulOf(record: string): ReadonlySet<string> {
    return this.#doubtful.get(record) ?? new Set();
  }
}
