import { createHash } from 'node:crypto';
import { TowpathError } from '../api/errors.ts';
import { GROUP } from '../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import { ApiError, isAlreadyExists, isConflict, isNotFound, isUnreachable } from '../kube/errors.ts';
import type { AppliedObject } from '../manifest/applied.ts';
import { objectKey } from '../manifest/manifest.ts';
import { type Manifests, manifestsDigest, type TargetName, type TargetRecord, targetId } from './record.ts';
import { type Chunk, decode, encode, manifestsIn, RecordIndex } from './record-index.ts';

const SECRETS = { group: '', version: 'v1', plural: 'secrets' };
const LABEL_RECORD = `${GROUP}/record`;
const LABEL_CHUNK = `${GROUP}/manifests`;
/** Records a page: one may have 1 MiB, and an answer 128 MiB at most. */
const PAGE = 100;
/** Tidying up waits no longer than this for the API server: who wanted to write is waiting. */
const TIDY_MS = 5_000;

interface SaveOptions {
  accepted?: { id: string; manifests: Manifests };
  signal?: AbortSignal;
}

interface Entry {
  record: TargetRecord;
  resourceVersion: string;
  index: RecordIndex;
}

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

type Members = Record<string, string | null>;

/**
 * Keeps target records and accepted manifests in Secrets of the operator's namespace. The record and small
 * manifests share one Secret, so that accepting and writing ahead is one request; texts are kept once for
 * all candidates that share them, and what does not fit goes into chunk Secrets of its own.
 */
export class RecordStore {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #installation: string;
  readonly #entries = new Map<string, Entry>();
  /** Records that are ahead of what is written. */
  readonly #ahead = new WeakSet<TargetRecord>();
  /** By record the chunks of writes that may have been carried out; what is read or written next tells which are of use. */
  readonly #doubtful = new Map<string, ReadonlySet<string>>();

  constructor(client: KubeClient, namespace: string, installation: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#installation = installation;
  }

  /** Reads all records of this installation; what was in memory is forgotten. */
  async load(signal: AbortSignal): Promise<void> {
    const collection = { resource: SECRETS, namespace: this.#namespace };
    const select = (label: string) => ({ labelSelector: `${label}=${this.#label()}` });
    const { items } = await this.#client.list(
      collection,
      { ...select(LABEL_RECORD), limit: PAGE },
      { signal },
    );
    // One that is damaged counts as lost: the labels on the objects suffice to go on safely.
    const entries = await Promise.all(
      (items as SecretObject[]).map((secret) => this.#readEntry(secret, signal)),
    );
    this.#entries.clear();
    this.#doubtful.clear();
    for (const [index, entry] of entries.entries()) {
      const name = items[index]?.metadata.name;
      if (entry !== undefined && name !== undefined) this.#entries.set(name, entry);
    }
    const chunks = await this.#client.list(
      collection,
      { ...select(LABEL_CHUNK), metadataOnly: true },
      { signal },
    );
    void this.#sweep(chunks.items, signal).catch(() => undefined);
  }

  /** Deletes the chunks that no record names: a run that died around the write of its record left them. */
  async #sweep(chunks: readonly KubeObject[], signal: AbortSignal): Promise<void> {
    const used = new Set([...this.#entries].flatMap(([name, { index }]) => [...index.secrets(name)]));
    for (const { metadata } of chunks.filter((chunk) => !used.has(chunk.metadata.name)))
      await this.#delete(metadata.name, signal, metadata.uid);
  }

  get(id: string): TargetRecord | undefined {
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
   * leader wrote meanwhile it is a conflict, and the caller reloads. Other refusals are told as RecordNotSaved.
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
        `The operator cannot write Secret ${this.#namespace}/${this.#nameOf(record)}, its record of this Application: ${error.message} Who runs Towpath can help; it is tried again.`,
        { cause: error },
      );
    }
  }

  async #save(record: TargetRecord, options: SaveOptions): Promise<void> {
    const { accepted, signal } = options;
    const name = this.#nameOf(record);
    const known = this.#entries.get(name);
    const data: Members = { record: await encode({ ...record, applied: [...record.applied.values()] }) };
    let index = known?.index ?? new RecordIndex();
    let chunks: Chunk[] = [];
    if (accepted !== undefined || known === undefined) {
      await this.#decide(name, known, signal);
      index = new RecordIndex(index);
      chunks = await this.#accept(name, record, index, data, options);
    }
    let secret: KubeObject;
    try {
      for (const each of chunks) await this.#createChunk(each.name, each.data, signal);
      secret = await this.#write(name, known, data, signal);
    } catch (error) {
      await this.#withdraw(name, chunks, error);
      if (known === undefined || !isNotFound(error)) throw error;
      // Somebody deleted the Secret: what this process remembers is written anew, the kept manifests are lost.
      this.#entries.delete(name);
      return this.#save(record, options);
    }
    this.#entries.set(name, { record, resourceVersion: secret.metadata.resourceVersion, index });
    // Writes are conditional: after this one, none of those that failed before can come to count any more.
    const before = [...(known?.index.secrets(name) ?? []), ...(this.#doubtful.get(name) ?? [])];
    await this.#tidy(name, before, index.secrets(name), signal);
  }

  /**
   * The chunks of a write that was refused are of no use. One without an answer, or with a failure of the API
   * server for one, may have been carried out: then the record names them.
   */
  async #withdraw(name: string, chunks: readonly Chunk[], error: unknown): Promise<void> {
    const names = chunks.map((chunk) => chunk.name);
    if (error instanceof ApiError && error.code < 500)
      await this.#tidy(name, names, new Set(), AbortSignal.timeout(TIDY_MS));
    else if (names.length > 0)
      this.#doubtful.set(name, new Set([...(this.#doubtful.get(name) ?? []), ...names]));
  }

  /**
   * Each further try would add to the chunks of those that failed. Where the record is what is remembered of it,
   * those that it does not name go; else the write that follows is a conflict, and the caller reads it anew.
   */
  async #decide(name: string, known: Entry | undefined, signal: AbortSignal | undefined): Promise<void> {
    const chunks = this.#doubtful.get(name);
    if (chunks === undefined) return;
    // A write that its caller gave up may be on its way still.
    await this.#client.writesEnded(optional(signal));
    const current = await this.#read(name, signal).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
    if (current?.metadata.resourceVersion !== known?.resourceVersion) return;
    await this.#tidy(name, chunks, known?.index.secrets(name) ?? new Set(), signal);
  }

  /** Deletes the chunks that are not used. One that stays is no failure: it is tried with a later write again. */
  async #tidy(
    name: string,
    chunks: Iterable<string>,
    used: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const doubtful = new Set(this.#doubtful.get(name));
    for (const chunk of new Set(chunks)) {
      doubtful.delete(chunk);
      if (!used.has(chunk)) await this.#delete(chunk, signal).catch(() => doubtful.add(chunk));
    }
    if (doubtful.size > 0) this.#doubtful.set(name, doubtful);
    else this.#doubtful.delete(name);
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
      chunks.push(...(await index.place(name, accepted.id, accepted.manifests, data)));
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
    candidate: { id: string; digest: string },
    signal?: AbortSignal,
  ): Promise<Manifests | undefined> {
    const name = this.#nameOf(record);
    const index = this.#entries.get(name)?.index;
    const keys = index?.candidates.get(candidate.id);
    if (index === undefined || keys === undefined) return undefined;
    const data: Record<string, string> = {};
    for (const secret of new Set(keys.map((key) => index.places.get(key)?.secret ?? name))) {
      try {
        Object.assign(data, (await this.#read(secret, signal)).data);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }
    return intactManifests(data, candidate).catch(() => undefined);
  }

  /** A candidate that is accepted again because its kept bytes were damaged is stored anew. */
  async #forgetDamaged(
    record: TargetRecord,
    accepted: { id: string; manifests: Manifests },
    index: RecordIndex,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (!index.candidates.has(accepted.id)) return;
    const candidate = record.candidates.find((one) => one.id === accepted.id);
    const kept = candidate && (await this.manifests(record, candidate, signal).catch(() => undefined));
    if (kept !== undefined) return;
    for (const key of index.candidates.get(accepted.id) ?? []) index.places.delete(key);
    index.candidates.delete(accepted.id);
  }

  async remove(record: TargetRecord, signal?: AbortSignal): Promise<void> {
    const name = this.#nameOf(record);
    const chunks = this.#entries.get(name)?.index.secrets(name) ?? [];
    for (const secret of [...chunks, ...(this.#doubtful.get(name) ?? []), name])
      await this.#delete(secret, signal);
    this.#entries.delete(name);
    this.#doubtful.delete(name);
  }

  /** Reads one record anew, after a conflict. */
  async reload(target: TargetName, signal?: AbortSignal): Promise<void> {
    const name = secretName(targetId(this.#installation, target));
    try {
      await this.#takeIn(name, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#entries.delete(name);
    }
  }

  async #createChunk(
    name: string,
    data: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const body = secretBody(name, { [LABEL_CHUNK]: this.#label() }, data);
    const collection = { resource: SECRETS, namespace: this.#namespace };
    await this.#client.create(collection, body, {}, optional(signal));
  }

  async #write(name: string, known: Entry | undefined, data: Members, signal: AbortSignal | undefined) {
    const collection = { resource: SECRETS, namespace: this.#namespace };
    if (known === undefined) {
      const body = secretBody(name, { [LABEL_RECORD]: this.#label() }, data);
      try {
        return await this.#client.create(collection, body, {}, optional(signal));
      } catch (error) {
        // A create whose answer was lost, or another leader's: to be read first. A damaged one is replaced.
        if (!isAlreadyExists(error) || (await this.#takeIn(name, signal))) throw error;
        await this.#delete(name, signal);
        return this.#client.create(collection, body, {}, optional(signal));
      }
    }
    const patch = { metadata: { resourceVersion: known.resourceVersion }, data };
    return this.#client.mergePatch({ ...collection, name }, patch, {}, optional(signal));
  }

  /** Reads a record that this process does not know; false where it is damaged. */
  async #takeIn(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    const entry = await this.#readEntry(await this.#read(name, signal), signal);
    if (entry === undefined) return false;
    this.#entries.set(name, entry);
    return true;
  }

  /** Undefined where it is damaged. Throws where the API server does not answer. */
  async #readEntry(secret: SecretObject, signal: AbortSignal | undefined): Promise<Entry | undefined> {
    try {
      const record = (await decode(secret.data?.record)) as
        | (Omit<TargetRecord, 'applied'> & { applied: AppliedObject[] })
        | undefined;
      const index = await RecordIndex.read(
        secret.data?.index,
        async (chunk) => (await this.#read(chunk, signal)).data ?? {},
      );
      if (record === undefined || index === undefined) return undefined;
      const applied = new Map(record.applied.map((object) => [objectKey(object), object]));
      return { record: { ...record, applied }, resourceVersion: secret.metadata.resourceVersion, index };
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnreachable(error) || (error instanceof ApiError && !isNotFound(error))) throw error;
      return undefined;
    }
  }

  async #read(name: string, signal: AbortSignal | undefined): Promise<SecretObject> {
    return this.#client.get({ resource: SECRETS, namespace: this.#namespace, name }, optional(signal));
  }

  /** `uid`: only this very Secret. */
  async #delete(name: string, signal: AbortSignal | undefined, uid?: string): Promise<void> {
    const path = { resource: SECRETS, namespace: this.#namespace, name };
    try {
      await this.#client.delete(path, uid === undefined ? {} : { uid }, optional(signal));
    } catch (error) {
      if (!isNotFound(error) && !(uid !== undefined && isConflict(error))) throw error;
    }
  }

  #nameOf(record: TargetRecord): string {
    return secretName(targetId(this.#installation, record.target));
  }

  #label(): string {
    return sha256(this.#installation).slice(0, 20);
  }
}

function secretName(id: string): string {
  return `towpath-target-${id}`;
}

function secretBody(name: string, labels: Record<string, string>, data: Members) {
  return { apiVersion: 'v1', kind: 'Secret', type: `${GROUP}/record`, metadata: { name, labels }, data };
}

/** Undefined where the manifests are not those that were accepted. */
async function intactManifests(
  data: Record<string, string>,
  candidate: { id: string; digest: string },
): Promise<Manifests | undefined> {
  const manifests = await manifestsIn(data, candidate.id);
  const all = [...manifests.objects, ...manifests.hooks];
  const isIntact = all.every(({ text, digest }) => sha256(text) === digest);
  return isIntact && manifestsDigest(manifests) === candidate.digest ? manifests : undefined;
}

/** An answer that is about more than who wrote first. */
function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code !== 409;
}

function optional(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
