import type { KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import {
  type ApplicationRecord,
  accept,
  type CandidateOfAll,
  digestsOf,
  newApplicationRecord,
  type Rendering,
} from './accepted.ts';
import type { RecordChunks } from './chunks.ts';
import { type Chunk, encode, RecordIndex } from './kept-manifest-index.ts';
import type { KeptManifests } from './kept-manifests.ts';
import { type KnownApplication, type KnownRecords, knownTarget, type Place } from './known.ts';
import { memberOf, type RecordReader } from './reader.ts';
import type { Manifests, TargetRecord } from './record.ts';
import { writtenApplication, writtenTarget } from './record-format.ts';
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
  signal: Signal;
}

export interface ApplicationSecretsParts {
  secrets: RecordSecrets;
  chunks: RecordChunks;
  manifests: KeptManifests;
  reader: RecordReader;
  known: KnownRecords;
}

/** The Secrets of Applications: what they accepted, the manifests of that, and the record of their first target. */
export class ApplicationSecrets {
  readonly #secrets: RecordSecrets;
  readonly #chunks: RecordChunks;
  readonly #manifests: KeptManifests;
  readonly #reader: RecordReader;
  readonly #known: KnownRecords;

  constructor({ secrets, chunks, manifests, reader, known }: ApplicationSecretsParts) {
    this.#secrets = secrets;
    this.#chunks = chunks;
    this.#manifests = manifests;
    this.#reader = reader;
    this.#known = known;
  }

  nameOf(application: string): string {
    return applicationSecret(this.#secrets.installation, application);
  }

  async write(key: string, write: ApplicationWrite): Promise<void> {
    const { inside, signal } = write;
    const name = this.nameOf(key);
    const known = this.#known.application(key);
    const { next, data, chunks } = await this.#prepare(key, write);
    if (inside !== undefined) data[memberOf(inside.target.environment)] = await encode(writtenTarget(inside));
    const target = inside && knownTarget(inside, undefined);
    let secret: KubeObject;
    try {
      await this.#chunks.create(chunks, signal);
      const read = () => this.takeIn(key, signal);
      secret = await this.#secrets.put(name, known?.secret, data, { signal, read });
      // Whoever was given up has no say any more: what it wrote is read by the next one.
      signal?.throwIfAborted();
    } catch (error) {
      await this.#chunks.withdraw(name, chunks, error);
      if (known === undefined || !isNotFound(error)) throw error;
      // Somebody deleted the Secret: what this process remembers is written anew, the kept manifests are lost.
      this.#known.forgetApplication(key);
      return this.write(key, write);
    }
    this.#known.setApplication(key, { ...next, secret: seen(secret) });
    if (target !== undefined) this.#known.setTarget(target);
    await this.#chunks.written(name, usedBy(name, known), next.index.secrets(name), signal);
  }

  /** What is to be known after the write, the members that it changes, and the Secrets that are to be made before it. */
  async #prepare(key: string, { inside, acceptance, signal }: ApplicationWrite) {
    const name = this.nameOf(key);
    const known = this.#known.application(key);
    const data: Members = {};
    if (acceptance === undefined && known !== undefined) return { next: known, data, chunks: [] };
    await this.#chunks.decide(name, known?.secret.resourceVersion, usedBy(name, known), signal);
    let record: ApplicationRecord = known?.record ?? newApplicationRecord(key);
    const index = new RecordIndex(known?.index);
    const chunks: Chunk[] = [];
    if (acceptance !== undefined) {
      const { candidate, renderings } = acceptance;
      record = accept(record, candidate, withoutBytes(renderings), this.#known.namedBy(key, inside));
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
    const known = this.#known.application(key);
    const found = await this.#reader.application(await this.#secrets.read(this.nameOf(key), signal), signal);
    if (found === undefined) return false;
    // A write that ended meanwhile is newer than what was read before it; and what is as written may be ahead of it.
    const isNewer = known?.secret.resourceVersion !== found.known.secret.resourceVersion;
    if (this.#known.application(key) !== known || !isNewer) return true;
    this.#known.forgetApplication(key);
    this.#known.setApplication(key, found.known);
    if (found.inside !== undefined) this.#known.setTarget(found.inside);
    return true;
  }

  /** Reads one anew, after a conflict. */
  async reload(key: string, signal: Signal): Promise<void> {
    const known = this.#known.application(key);
    try {
      await this.takeIn(key, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (this.#known.application(key) === known) this.#known.forgetApplication(key);
    }
  }

  /** Takes out the record of a target that is a member. */
  async removeInside({ application, environment }: Place, signal: Signal): Promise<void> {
    const known = this.#known.application(application);
    if (known === undefined) return;
    const { resourceVersion } = known.secret;
    const data = { [memberOf(environment)]: null };
    const secret = await this.#secrets.update(this.nameOf(application), resourceVersion, data, signal);
    this.#known.setApplication(application, { ...known, secret: seen(secret) });
  }

  /** With all that it kept. */
  async remove(key: string, signal: Signal): Promise<void> {
    const [name, known] = [this.nameOf(key), this.#known.application(key)];
    await this.#chunks.removeAll(name, usedBy(name, known), signal);
    // One that lands late must not meet the record of an Application of the same name that came since.
    await this.#secrets.delete(name, signal, known?.secret.uid);
    this.#known.forgetApplication(key);
  }
}

function withoutBytes(renderings: Readonly<Record<string, Rendered>>): Record<string, Rendering> {
  return Object.fromEntries(
    Object.entries(renderings).map(([name, { manifests: _, ...rendering }]) => [name, rendering]),
  );
}

/** The chunks that the record names. */
function usedBy(name: string, known: KnownApplication | undefined): ReadonlySet<string> {
  return known?.index.secrets(name) ?? new Set();
}
