import { TowpathError } from '../../api/errors.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ApiError, isAlreadyExists, isNotFound, isUnreachable } from '../../kube/errors.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { Slices } from '../../observe/slices.ts';
import { RecordChunks } from './chunks.ts';
import { type Chunk, decode, encode, manifestsIn, RecordIndex } from './index.ts';
import { type Manifests, manifestsDigest, type TargetRecord } from './record.ts';
import { type Members, RecordSecrets, type SecretObject } from './secrets.ts';
import type { TargetIdentity } from './target.ts';
import { readRecord, writtenRecord } from './written.ts';

interface SaveOptions {
  accepted?: { digest: string; manifests: Manifests };
  signal?: AbortSignal;
}

interface Entry {
  /** This very one is at the resourceVersion: one that was read before, and is still held by a run, is not. */
  record: TargetRecord;
  resourceVersion: string;
  /** Of the Secret. */
  uid: string;
  index: RecordIndex;
}

/**
 * Keeps target records and accepted manifests in Secrets of the operator's namespace. The record and small
 * manifests share one Secret, so that accepting and writing ahead is one request; texts are kept once for
 * all candidates that share them, and what does not fit goes into chunk Secrets of its own.
 */
export class RecordStore {
  readonly #secrets: RecordSecrets;
  readonly #chunks: RecordChunks;
  readonly #slices: Slices;
  readonly #entries = new Map<string, Entry>();
  /** Records that are ahead of what is written. */
  readonly #ahead = new WeakSet<TargetRecord>();

  constructor(client: KubeClient, namespace: string, installation: string, slices: Slices) {
    this.#slices = slices;
    this.#secrets = new RecordSecrets(client, namespace, installation);
    this.#chunks = new RecordChunks(this.#secrets);
  }

  /** Reads one record, if there is any. @throws where the records cannot be read */
  async tryRead(signal: AbortSignal): Promise<void> {
    await this.#secrets.tryList(signal);
  }

  /** Reads all records of this installation; what was in memory is forgotten. */
  async load(signal: AbortSignal): Promise<void> {
    const secrets = await this.#secrets.records(signal);
    const entries = new Map<string, Entry>();
    await inParallel(secrets, async (secret) => {
      // One that is damaged counts as lost: the labels on the objects suffice to go on safely.
      const entry = await this.#readEntry(secret, signal);
      if (entry !== undefined) entries.set(secret.metadata.name, entry);
    });
    this.#entries.clear();
    for (const [name, entry] of entries) this.#entries.set(name, entry);
    const used = [...this.#entries].flatMap(([name, { index }]) => [...index.secrets(name)]);
    await this.#chunks.restart(new Set(used), signal);
  }

  /** The record of this very target: what another one has at the same id is not taken for it (S18). */
  get({ id, name }: Pick<TargetIdentity, 'id' | 'name'>): TargetRecord | undefined {
    const record = this.find(id);
    return record?.target.name === name ? record : undefined;
  }

  /** The record of whichever target has the id. */
  find(id: string): TargetRecord | undefined {
    return this.#entries.get(secretName(id))?.record;
  }

  /** Notes that the record was changed in memory, until the next write of it. */
  changed(record: TargetRecord): void {
    this.#ahead.add(record);
  }

  /** Whether the record in memory was changed since it was written, or since that failed. */
  isAhead(record: TargetRecord): boolean {
    return this.#ahead.has(record);
  }

  /**
   * Writes the record and, with it, the manifests of a newly accepted candidate. Conditional: where another
   * leader wrote meanwhile, or the record was read anew since the caller got this one, it is a conflict, and the
   * caller reloads. Other refusals are told as RecordNotSaved.
   */
  async save(record: TargetRecord, options: SaveOptions = {}): Promise<void> {
    // With a newly accepted candidate, whoever accepts takes the change back where the write fails.
    if (options.accepted === undefined) this.#ahead.add(record);
    try {
      await this.#save(record, options);
      this.#ahead.delete(record);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw new TowpathError(
        'Time',
        'RecordNotSaved',
        `The operator cannot write Secret ${this.#secrets.namespace}/${nameOf(record)}, its record of this Application: ${error.message} Who runs Towpath can help; it is tried again.`,
        { cause: error },
      );
    }
  }

  async #save(record: TargetRecord, options: SaveOptions): Promise<void> {
    const { accepted, signal } = options;
    const name = nameOf(record);
    const known = this.#entries.get(name);
    if (known !== undefined && known.record !== record) throw outdated(name);
    const data: Members = { record: await encode(writtenRecord(record)) };
    let index = known?.index ?? new RecordIndex();
    let chunks: Chunk[] = [];
    if (accepted !== undefined || known === undefined) {
      await this.#chunks.decide(name, known?.resourceVersion, usedBy(name, known), signal);
      index = new RecordIndex(index);
      chunks = await this.#accept(name, record, index, data, options);
    }
    let secret: KubeObject;
    try {
      await this.#chunks.create(chunks, signal);
      secret = await this.#write(name, known, data, signal);
    } catch (error) {
      await this.#chunks.withdraw(name, chunks, error);
      if (known === undefined || !isNotFound(error)) throw error;
      // Somebody deleted the Secret: what this process remembers is written anew, the kept manifests are lost.
      this.#entries.delete(name);
      return this.#save(record, options);
    }
    this.#entries.set(name, entryOf(secret, record, index));
    await this.#chunks.written(name, usedBy(name, known), index.secrets(name), signal);
  }

  /** Finds a place for a candidate's manifests and for the index; returns the Secrets that this takes. */
  async #accept(
    name: string,
    record: TargetRecord,
    index: RecordIndex,
    data: Members,
    { accepted, signal }: SaveOptions,
  ): Promise<Chunk[]> {
    const chunks: Chunk[] = [];
    if (accepted !== undefined) {
      await this.#forgetDamaged(record, accepted, index, signal);
      chunks.push(...(await index.place(name, accepted.digest, accepted.manifests, data, this.#slices)));
    }
    index.dropUnused(name, record, data);
    const { text, chunk } = await index.write(name);
    data.index = text;
    if (chunk !== undefined) chunks.push(chunk);
    return chunks;
  }

  /** The manifests of a candidate, their digest checked; undefined where they are not kept, or damaged. */
  async manifests(
    record: TargetRecord,
    { digest }: { digest: string },
    signal?: AbortSignal,
  ): Promise<Manifests | undefined> {
    const name = nameOf(record);
    const index = this.#entries.get(name)?.index;
    const keys = index?.manifests.get(digest);
    if (index === undefined || keys === undefined) return undefined;
    const data: Record<string, string> = {};
    for (const secret of new Set(keys.map((key) => index.places.get(key)?.secret ?? name))) {
      try {
        Object.assign(data, (await this.#secrets.read(secret, signal)).data);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }
    return intactManifests(data, digest, this.#slices).catch(() => undefined);
  }

  /** A candidate that is accepted again because its kept bytes were damaged is stored anew. */
  async #forgetDamaged(
    record: TargetRecord,
    accepted: { digest: string; manifests: Manifests },
    index: RecordIndex,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (!index.manifests.has(accepted.digest)) return;
    const kept = await this.manifests(record, accepted, signal).catch(() => undefined);
    if (kept !== undefined) return;
    for (const key of index.manifests.get(accepted.digest) ?? []) index.places.delete(key);
    index.manifests.delete(accepted.digest);
  }

  async remove(record: TargetRecord, signal?: AbortSignal): Promise<void> {
    const name = nameOf(record);
    const known = this.#entries.get(name);
    if (known !== undefined && known.record.target.name !== record.target.name) return;
    await this.#chunks.removeAll(name, usedBy(name, known), signal);
    // One that lands late must not meet the record of an Application of the same name that came since.
    await this.#secrets.delete(name, signal, known?.uid);
    this.#entries.delete(name);
  }

  /** Reads one record anew, after a conflict. */
  async reload({ id }: TargetIdentity, signal?: AbortSignal): Promise<void> {
    const name = secretName(id);
    const known = this.#entries.get(name);
    try {
      await this.#takeIn(name, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (this.#entries.get(name) === known) this.#entries.delete(name);
    }
  }

  /** The same where even what nobody else wrote may be changed in memory, by who has no say any more. */
  async readAnew(target: TargetIdentity, signal?: AbortSignal): Promise<void> {
    this.#entries.delete(secretName(target.id));
    await this.reload(target, signal);
  }

  async #write(name: string, known: Entry | undefined, data: Members, signal: AbortSignal | undefined) {
    if (known !== undefined) return this.#secrets.update(name, known.resourceVersion, data, signal);
    try {
      return await this.#secrets.createRecord(name, data, signal);
    } catch (error) {
      // A create whose answer was lost, or another leader's: to be read first. A damaged one is replaced.
      if (!isAlreadyExists(error) || (await this.#takeIn(name, signal))) throw error;
      await this.#secrets.delete(name, signal);
      return this.#secrets.createRecord(name, data, signal);
    }
  }

  /** Reads a record as it is by now; false where it is damaged. */
  async #takeIn(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    const known = this.#entries.get(name);
    const entry = await this.#readEntry(await this.#secrets.read(name, signal), signal);
    if (entry === undefined) return false;
    // A write that ended meanwhile is newer than what was read before it; and what is as written may be ahead of it.
    if (this.#entries.get(name) === known && known?.resourceVersion !== entry.resourceVersion)
      this.#entries.set(name, entry);
    return true;
  }

  /** Undefined where it is damaged, or not of our version and shape. Throws where the API server does not answer. */
  async #readEntry(secret: SecretObject, signal: AbortSignal | undefined): Promise<Entry | undefined> {
    const pause = this.#slices.pause();
    if (pause !== undefined) await pause;
    try {
      const record = await readRecord(await decode(secret.data?.record), this.#slices);
      const readChunk = async (name: string) => (await this.#secrets.read(name, signal)).data ?? {};
      const index = await RecordIndex.read(secret.data?.index, readChunk, this.#slices);
      // One that stands in the place of another target's is nobody's.
      if (index === undefined || nameOf(record) !== secret.metadata.name) return undefined;
      return entryOf(secret, record, index);
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnreachable(error) || (error instanceof ApiError && !isNotFound(error))) throw error;
      return undefined;
    }
  }
}

function nameOf({ target }: TargetRecord): string {
  return secretName(target.id);
}

function secretName(id: string): string {
  return `towpath-target-${id}`;
}

/** What the API server would say of a write to a version that is not the last one. */
function outdated(name: string): ApiError {
  return new ApiError(409, 'Conflict', `Secret ${name} was read anew since: the record changed meanwhile.`);
}

function entryOf({ metadata }: KubeObject, record: TargetRecord, index: RecordIndex): Entry {
  return { record, resourceVersion: metadata.resourceVersion, uid: metadata.uid, index };
}

/** The chunks that the record names. */
function usedBy(name: string, entry: Entry | undefined): ReadonlySet<string> {
  return entry?.index.secrets(name) ?? new Set();
}

/** Undefined where the manifests are not those that were accepted. */
async function intactManifests(
  data: Record<string, string>,
  digest: string,
  slices: Slices,
): Promise<Manifests | undefined> {
  const manifests = await manifestsIn(data, digest, slices);
  for (const manifest of [...manifests.objects, ...manifests.hooks]) {
    const pause = slices.pause();
    if (pause !== undefined) await pause;
    if (sha256(manifest.text) !== manifest.digest) return undefined;
  }
  return manifestsDigest(manifests) === digest ? manifests : undefined;
}

/** An answer that is about more than who wrote first. */
function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code !== 409;
}
