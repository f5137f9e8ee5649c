import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { TowpathError } from '../api/errors.ts';
import { GROUP } from '../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import { ApiError, isAlreadyExists, isConflict, isNotFound, isUnreachable } from '../kube/errors.ts';
import type { AppliedObject } from '../manifest/applied.ts';
import { type Manifest, objectKey } from '../manifest/manifest.ts';
import { type Manifests, manifestsDigest, type TargetName, type TargetRecord, targetId } from './record.ts';

const compress = promisify(gzip);
const decompress = promisify(gunzip);

const SECRETS = { group: '', version: 'v1', plural: 'secrets' };
const LABEL_RECORD = `${GROUP}/record`;
const LABEL_CHUNK = `${GROUP}/manifests`;
/** Characters of base64. An object in etcd may have 1.5 MiB, and the record itself needs room. */
const INLINE_BYTES = 200_000;
/** A multiple of 4, so that each part of a text that was cut is base64 of its own, as Secrets ask for. */
const CHUNK_BYTES = 900_000;

interface Place {
  /** The Secret whose data has it. */
  secret: string;
  /** Compressed, in base64. */
  bytes: number;
}

/**
 * What is kept of manifests, by data key: `c.<candidate>` describes a candidate's objects, `o.<digest>` is
 * the text of one, and stands once however many candidates share it.
 */
interface Index {
  /** The data keys that a candidate needs. */
  candidates: Map<string, string[]>;
  places: Map<string, Place>;
  /** Counts the chunk Secrets ever made, so that a name is never used twice. */
  chunks: number;
}

interface SaveOptions {
  accepted?: { id: string; manifests: Manifests };
  signal?: AbortSignal;
}

interface Entry {
  record: TargetRecord;
  resourceVersion: string;
  index: Index;
}

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

type Members = Record<string, string | null>;
type Described = { objects: Omit<Manifest, 'text'>[]; hooks: Omit<Manifest, 'text'>[] };

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

  constructor(client: KubeClient, namespace: string, installation: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#installation = installation;
  }

  /** Reads all records of this installation; what was in memory is forgotten. */
  async load(signal: AbortSignal): Promise<void> {
    const { items } = await this.#client.list(
      { resource: SECRETS, namespace: this.#namespace },
      { labelSelector: `${LABEL_RECORD}=${this.#label()}` },
      { signal },
    );
    // One that is damaged counts as lost: the labels on the objects suffice to go on safely.
    const entries = await Promise.all(
      (items as SecretObject[]).map((secret) => readEntry(secret).catch(() => undefined)),
    );
    this.#entries.clear();
    for (const [index, entry] of entries.entries()) {
      const name = items[index]?.metadata.name;
      if (entry !== undefined && name !== undefined) this.#entries.set(name, entry);
    }
  }

  get(id: string): TargetRecord | undefined {
    return this.#entries.get(secretName(id))?.record;
  }

  /**
   * Writes the record and, with it, the manifests of a newly accepted candidate. Conditional: where another
   * leader wrote meanwhile it is a conflict, and the caller reloads. Other refusals are told as RecordNotSaved.
   */
  async save(record: TargetRecord, options: SaveOptions = {}): Promise<void> {
    try {
      await this.#save(record, options);
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
    const name = this.#nameOf(record);
    const known = this.#entries.get(name);
    const index = copyOf(known?.index);
    const data: Members = {};
    if (options.accepted !== undefined)
      await this.#forgetDamaged(record, options.accepted, index, options.signal);
    if (options.accepted !== undefined)
      await this.#place(name, options.accepted, index, data, options.signal);
    const dropped = dropUnused(record, index);
    for (const [key, secret] of dropped) if (secret === name) data[key] = null;
    data.record = await encode({ ...record, applied: [...record.applied.values()] });
    data.index = await encode({
      candidates: [...index.candidates],
      places: [...index.places],
      chunks: index.chunks,
    });
    let secret: KubeObject;
    try {
      secret = await this.#write(name, known, data, options.signal);
    } catch (error) {
      if (known === undefined || !isNotFound(error)) throw error;
      // Somebody deleted the Secret: what this process remembers is written anew, the kept manifests are lost.
      this.#entries.delete(name);
      return this.#save(record, options);
    }
    this.#entries.set(name, { record, resourceVersion: secret.metadata.resourceVersion, index });
    await this.#shrinkChunks(name, dropped, index, options.signal);
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
    index: Index,
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
    const index = this.#entries.get(name)?.index;
    const secrets = new Set([...(index?.places.values() ?? [])].map((place) => place.secret));
    secrets.delete(name);
    for (const secret of [...secrets, name]) await this.#delete(secret, signal);
    this.#entries.delete(name);
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

  async #place(
    name: string,
    accepted: { id: string; manifests: Manifests },
    index: Index,
    data: Members,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { objects, hooks } = accepted.manifests;
    const items = new Map<string, () => unknown>([
      [`c.${accepted.id}`, () => ({ objects: objects.map(describe), hooks: hooks.map(describe) })],
    ]);
    for (const manifest of [...objects, ...hooks]) items.set(textKey(manifest), () => manifest.text);
    const keys: string[] = [];
    let inline = [...index.places.values()].reduce(
      (sum, place) => sum + (place.secret === name ? place.bytes : 0),
      0,
    );
    const chunks: { name: string; bytes: number; data: Record<string, string> }[] = [];
    const put = (key: string, encoded: string) => {
      keys.push(key);
      if (inline + encoded.length <= INLINE_BYTES) {
        inline += encoded.length;
        data[key] = encoded;
        index.places.set(key, { secret: name, bytes: encoded.length });
        return;
      }
      let chunk = chunks.at(-1);
      if (chunk === undefined || chunk.bytes + encoded.length > CHUNK_BYTES) {
        index.chunks += 1;
        chunk = { name: `${name}-${index.chunks}`, bytes: 0, data: {} };
        chunks.push(chunk);
      }
      chunk.bytes += encoded.length;
      chunk.data[key] = encoded;
      index.places.set(key, { secret: chunk.name, bytes: encoded.length });
    };
    for (const [key, value] of items) {
      const kept = partsOf(key, (part) => index.places.has(part));
      if (kept.length > 0) keys.push(...kept);
      else for (const [part, encoded] of inParts(key, await encode(value()))) put(part, encoded);
    }
    for (const chunk of chunks) await this.#createChunk(chunk.name, chunk.data, signal);
    index.candidates.set(accepted.id, keys);
  }

  async #createChunk(
    name: string,
    data: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const body = secretBody(name, { [LABEL_CHUNK]: this.#label() }, data);
    const collection = { resource: SECRETS, namespace: this.#namespace };
    try {
      await this.#client.create(collection, body, {}, optional(signal));
    } catch (error) {
      // Left by a run that died between the chunk and its record: its bytes may differ.
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
      await this.#delete(name, signal);
      await this.#client.create(collection, body, {}, optional(signal));
    }
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
    const entry = await readEntry(await this.#read(name, signal)).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (error instanceof ApiError || isUnreachable(error)) throw error;
      return undefined;
    });
    if (entry === undefined) return false;
    this.#entries.set(name, entry);
    return true;
  }

  async #shrinkChunks(
    name: string,
    dropped: Map<string, string>,
    index: Index,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const used = new Set([...index.places.values()].map((place) => place.secret));
    for (const secret of new Set(dropped.values())) {
      if (secret !== name && !used.has(secret)) await this.#delete(secret, signal);
    }
  }

  async #read(name: string, signal: AbortSignal | undefined): Promise<SecretObject> {
    return this.#client.get({ resource: SECRETS, namespace: this.#namespace, name }, optional(signal));
  }

  async #delete(name: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#client.delete(
        { resource: SECRETS, namespace: this.#namespace, name },
        {},
        optional(signal),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
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

function copyOf(index: Index | undefined): Index {
  return {
    candidates: new Map(index?.candidates),
    places: new Map(index?.places),
    chunks: index?.chunks ?? 0,
  };
}

/** Takes out of the index what no kept candidate needs; returns the data keys with their Secrets. */
function dropUnused(record: TargetRecord, index: Index): Map<string, string> {
  const wanted = new Set(record.candidates.map((candidate) => candidate.id));
  for (const id of index.candidates.keys()) if (!wanted.has(id)) index.candidates.delete(id);
  const used = new Set([...index.candidates.values()].flat());
  const dropped = new Map<string, string>();
  for (const [key, place] of index.places) {
    if (used.has(key)) continue;
    index.places.delete(key);
    dropped.set(key, place.secret);
  }
  return dropped;
}

/** Puts a candidate's manifests together again; undefined where they are not those that were accepted. */
async function intactManifests(
  data: Record<string, string>,
  candidate: { id: string; digest: string },
): Promise<Manifests | undefined> {
  const read = (key: string) =>
    decode(
      partsOf(key, (part) => part in data)
        .map((part) => data[part])
        .join(''),
    );
  const described = (await read(`c.${candidate.id}`)) as Described;
  const complete = async (manifest: Omit<Manifest, 'text'>): Promise<Manifest> => {
    const text = (await read(textKey(manifest))) as string;
    return { ...manifest, text };
  };
  const manifests = {
    objects: await Promise.all(described.objects.map(complete)),
    hooks: await Promise.all(described.hooks.map(complete)),
  };
  const all = [...manifests.objects, ...manifests.hooks];
  const isIntact = all.every(({ text, digest }) => sha256(text) === digest);
  return isIntact && manifestsDigest(manifests) === candidate.digest ? manifests : undefined;
}

/** A text that no Secret could take alone stands in several, under its key and `<key>.1`, `<key>.2` … */
function inParts(key: string, encoded: string): [string, string][] {
  const parts: [string, string][] = [];
  for (let at = 0; at < encoded.length; at += CHUNK_BYTES)
    parts.push([at === 0 ? key : `${key}.${at / CHUNK_BYTES}`, encoded.slice(at, at + CHUNK_BYTES)]);
  return parts;
}

/** The data keys of a text's parts, as far as they are there. */
function partsOf(key: string, isThere: (part: string) => boolean): string[] {
  const parts: string[] = [];
  for (let part = key; isThere(part); part = `${key}.${parts.length}`) parts.push(part);
  return parts;
}

function textKey(manifest: { digest: string }): string {
  return `o.${manifest.digest.slice(0, 24)}`;
}

function describe({ text: _text, ...described }: Manifest): Omit<Manifest, 'text'> {
  return described;
}

/** Compressed JSON in base64, as a Secret's data takes it. */
async function encode(value: unknown): Promise<string> {
  return (await compress(JSON.stringify(value))).toString('base64');
}

async function decode(encoded: string | undefined): Promise<unknown> {
  if (encoded === undefined) return undefined;
  return JSON.parse((await decompress(Buffer.from(encoded, 'base64'))).toString());
}

async function readEntry(secret: SecretObject): Promise<Entry | undefined> {
  const record = (await decode(secret.data?.record)) as
    | (Omit<TargetRecord, 'applied'> & { applied: AppliedObject[] })
    | undefined;
  const index = (await decode(secret.data?.index)) as
    | { candidates: [string, string[]][]; places: [string, Place][]; chunks: number }
    | undefined;
  if (record === undefined || index === undefined) return undefined;
  return {
    record: { ...record, applied: new Map(record.applied.map((object) => [objectKey(object), object])) },
    resourceVersion: secret.metadata.resourceVersion,
    index: { candidates: new Map(index.candidates), places: new Map(index.places), chunks: index.chunks },
  };
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
