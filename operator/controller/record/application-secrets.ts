import type { KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import {
  type ApplicationRecord,
  accept,
  type CandidateOfAll,
  digestsOf,
  newApplicationRecord,
  type Pinned,
  type Rendering,
  withPinned,
} from './application-record.ts';
import type { RecordChunks } from './chunks.ts';
import { type Chunk, encode, RecordIndex } from './kept-manifest-index.ts';
import type { KeptManifests } from './kept-manifests.ts';
import { memberOf, type RecordReader } from './reader.ts';
import type { Manifests, TargetRecord } from './record.ts';
import { writtenApplication, writtenTarget } from './record-format.ts';
import {
  type ApplicationEntry,
  type Place,
  type RecordsInMemory,
  readAnew,
  targetEntry,
} from './records-in-memory.ts';
import { applicationSecret, type Members, type RecordSecrets, seen } from './secrets.ts';

type Signal = AbortSignal | undefined;

/** What an environment makes of a candidate, with the very bytes. */
export type Rendered = Rendering & { manifests: Manifests };

export interface Acceptance {
  candidate: CandidateOfAll;
  /** By environment. */
  renderings: Readonly<Record<string, Rendered>>;
}

export interface ApplicationWrite {
  /** Written in the same request: the record that is a member of the Application's Secret. */
  inside?: TargetRecord;
  acceptance?: Acceptance | undefined;
  /** What was fetched for a candidate that is accepted already. */
  pinned?: Pinned;
  signal: Signal;
}

export interface ApplicationSecretsParts {
  secrets: RecordSecrets;
  chunks: RecordChunks;
  manifests: KeptManifests;
  reader: RecordReader;
  entries: RecordsInMemory;
}

/** The Secrets of Applications: what they accepted, the manifests of that, and the record of their first target. */
export class ApplicationSecrets {
  readonly #secrets: RecordSecrets;
  readonly #chunks: RecordChunks;
  readonly #manifests: KeptManifests;
  readonly #reader: RecordReader;
  readonly #entries: RecordsInMemory;

  constructor({ secrets, chunks, manifests, reader, entries }: ApplicationSecretsParts) {
    this.#secrets = secrets;
    this.#chunks = chunks;
    this.#manifests = manifests;
    this.#reader = reader;
    this.#entries = entries;
  }

  nameOf(application: string): string {
    return applicationSecret(this.#secrets.installation, application);
  }

  async write(key: string, write: ApplicationWrite): Promise<void> {
    const { inside, signal } = write;
    const name = this.nameOf(key);
    const entry = this.#entries.application(key);
    const { next, data, chunks } = await this.#prepare(key, write);
    if (inside !== undefined) data[memberOf(inside.target.environment)] = await encode(writtenTarget(inside));
    const target = inside && targetEntry(inside, undefined);
    let secret: KubeObject;
    try {
      await this.#chunks.create(chunks, signal);
      const read = () => this.takeIn(key, signal);
      secret = await this.#secrets.put(name, entry?.secret, data, { signal, read });
      // Whoever was given up has no say any more: what it wrote is read by the next one.
      signal?.throwIfAborted();
    } catch (error) {
      await this.#chunks.withdraw(name, chunks, error);
      if (entry === undefined || !isNotFound(error)) throw error;
      // Somebody deleted the Secret: what this process remembers is written anew, the kept manifests are lost.
      const member = inside ?? this.#entries.inside(key)?.record;
      this.#entries.forgetApplication(key);
      return this.write(key, member === undefined ? write : { ...write, inside: member });
    }
    this.#entries.setApplication(key, { ...next, secret: seen(secret) });
    if (target !== undefined) this.#entries.setTarget(target);
    await this.#chunks.written(name, usedBy(name, entry), next.index.secrets(name), signal);
  }

  /** What is to be known after the write, the members that it changes, and the Secrets that are to be made before it. */
  async #prepare(key: string, { inside, acceptance, pinned = {}, signal }: ApplicationWrite) {
    const name = this.nameOf(key);
    const entry = this.#entries.application(key);
    const data: Members = {};
    if (acceptance === undefined && Object.keys(pinned).length === 0 && entry !== undefined)
      return { next: entry, data, chunks: [] };
    await this.#chunks.decide(name, entry?.secret.resourceVersion, usedBy(name, entry), signal);
    let record: ApplicationRecord = withPinned(entry?.record ?? newApplicationRecord(key), pinned);
    const index = new RecordIndex(entry?.index);
    const chunks: Chunk[] = [];
    if (acceptance !== undefined) {
      const { candidate, renderings } = acceptance;
      record = accept(record, candidate, withoutBytes(renderings), this.#entries.namedBy(key, inside));
      for (const rendered of Object.values(renderings))
        chunks.push(...(await this.#manifests.place(name, index, rendered, data, signal)));
    }
    index.dropUnused(name, digestsOf(record), data);
    const { text, chunk } = await index.write(name);
    if (chunk !== undefined) chunks.push(chunk);
    data.index = text;
    data.record = await encode(writtenApplication(record));
    return { next: { record, index }, data, chunks };
  }

  /** Reads one as it is by now; false where it is not trusted. */
  async takeIn(key: string, signal: Signal): Promise<boolean> {
    const entry = this.#entries.application(key);
    const found = await this.#reader.application(await this.#secrets.read(this.nameOf(key), signal), signal);
    if (found === undefined) return false;
    // A write that ended meanwhile is newer than what was read before it; and what is as written may be ahead of it.
    const isNewer = entry?.secret.resourceVersion !== found.entry.secret.resourceVersion;
    if (this.#entries.application(key) !== entry || !isNewer) return true;
    this.#entries.forgetApplication(key);
    this.#entries.setApplication(key, found.entry);
    if (found.inside !== undefined) this.#entries.setTarget(found.inside);
    return true;
  }

  /** Reads one anew, after a conflict. */
  reload(key: string, signal: Signal): Promise<void> {
    return readAnew({
      entry: () => this.#entries.application(key),
      takeIn: () => this.takeIn(key, signal),
      forget: () => this.#entries.forgetApplication(key),
    });
  }

  /** Takes out the record of a target that is a member. */
  async removeInside({ application, environment }: Place, signal: Signal): Promise<void> {
    const entry = this.#entries.application(application);
    if (entry === undefined) return;
    const { resourceVersion } = entry.secret;
    const data = { [memberOf(environment)]: null };
    const secret = await this.#secrets.update(this.nameOf(application), resourceVersion, data, signal);
    this.#entries.setApplication(application, { ...entry, secret: seen(secret) });
  }

  /** With all that it kept. */
  async remove(key: string, signal: Signal): Promise<void> {
    const [name, entry] = [this.nameOf(key), this.#entries.application(key)];
    await this.#chunks.removeAll(name, usedBy(name, entry), signal);
    // One that lands late must not meet the record of an Application of the same name that came since.
    await this.#secrets.delete(name, signal, entry?.secret.uid);
    this.#entries.forgetApplication(key);
  }
}

function withoutBytes(renderings: Readonly<Record<string, Rendered>>): Record<string, Rendering> {
  return Object.fromEntries(
    Object.entries(renderings).map(([name, { manifests: _, ...rendering }]) => [name, rendering]),
  );
}

/** The chunks that the record names. */
function usedBy(name: string, entry: ApplicationEntry | undefined): ReadonlySet<string> {
  return entry?.index.secrets(name) ?? new Set();
}
