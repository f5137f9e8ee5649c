import { ApiError, isNotFound, isUnreachable } from '../../kube/errors.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { decode, RecordIndex } from './kept-manifest-index.ts';
import type { TargetRecord } from './record.ts';
import { readApplication, readTarget, versionMismatch } from './record-format.ts';
import { type ApplicationEntry, type TargetEntry, targetEntry } from './records-in-memory.ts';
import { applicationSecret, type RecordSecrets, type SecretObject, seen, targetSecret } from './secrets.ts';

/** What an Application's Secret has. */
export interface FoundApplication {
  entry: ApplicationEntry;
  /** Of the target whose record is a member. */
  inside: TargetEntry | undefined;
}

/** Told of a Secret whose record is not trusted, and why. */
export type OnUntrusted = (secret: string, why: string) => void;

const MEMBER = 'target.';

/** The member of a Secret that has the record of the environment's target. */
export function memberOf(environment: string): string {
  return `${MEMBER}${environment}`;
}

/** Why a record is not trusted. */
class Untrusted extends Error {}

/**
 * Reads Secrets that keep records. What is damaged, of another version or shape, or in another one's place, counts as
 * lost: the labels on the objects suffice to go on safely.
 */
export class RecordReader {
  readonly #secrets: RecordSecrets;
  readonly #slices: Slices;
  readonly #onUntrusted: OnUntrusted;
  /** Versions of Secrets that were told of. */
  readonly #refusedVersions = new Set<string>();

  constructor(secrets: RecordSecrets, slices: Slices, onUntrusted: OnUntrusted) {
    this.#secrets = secrets;
    this.#slices = slices;
    this.#onUntrusted = onUntrusted;
  }

  /** Undefined where it is not trusted. @throws where the API server does not answer */
  application(secret: SecretObject, signal: AbortSignal | undefined): Promise<FoundApplication | undefined> {
    return this.#trusted(secret, signal, async (data) => {
      const record = await readApplication(await this.#member(data.record), this.#slices);
      const readChunk = async (name: string) => (await this.#secrets.read(name, signal)).data ?? {};
      const index = await RecordIndex.read(data.index, readChunk, this.#slices);
      if (index === undefined) throw new Untrusted('its index of manifests is missing');
      if (applicationSecret(this.#secrets.installation, record.application) !== secret.metadata.name)
        throw new Untrusted("it is another Application's");
      const target = await this.#targetIn(data);
      if (target !== undefined && target.target.application !== record.application)
        throw new Untrusted("it has the record of another Application's target");
      return {
        entry: { secret: seen(secret), record, index },
        inside: target && targetEntry(target, undefined),
      };
    });
  }

  /** The same of a Secret that a target has for itself. */
  target(secret: SecretObject, signal: AbortSignal | undefined): Promise<TargetEntry | undefined> {
    return this.#trusted(secret, signal, async (data) => {
      const record = await this.#targetIn(data);
      if (record === undefined) throw new Untrusted('it has no record');
      if (targetSecret(this.#secrets.installation, record.target) !== secret.metadata.name)
        throw new Untrusted("it is another target's");
      return targetEntry(record, seen(secret));
    });
  }

  async #targetIn(data: Record<string, string>): Promise<TargetRecord | undefined> {
    const [member, second] = Object.keys(data).filter((key) => key.startsWith(MEMBER));
    if (member === undefined) return undefined;
    const record = await readTarget(await this.#member(data[member]), this.#slices);
    const { application, environment, name } = record.target;
    if (second !== undefined || member !== memberOf(environment) || name !== `${application}/${environment}`)
      throw new Untrusted("it has another target's record");
    return record;
  }

  async #member(text: string | undefined): Promise<unknown> {
    const written = await decode(text);
    const mismatch = versionMismatch(written);
    if (mismatch !== undefined) throw new Untrusted(mismatch);
    return written;
  }

  async #trusted<Found>(
    secret: SecretObject,
    signal: AbortSignal | undefined,
    read: (data: Record<string, string>) => Promise<Found>,
  ): Promise<Found | undefined> {
    const pause = this.#slices.pause();
    if (pause !== undefined) await pause;
    try {
      return await read(secret.data ?? {});
    } catch (error) {
      signal?.throwIfAborted();
      if (isUnreachable(error) || (error instanceof ApiError && !isNotFound(error))) throw error;
      this.refuse(secret, error instanceof Untrusted ? error.message : 'it is damaged, or has another shape');
      return undefined;
    }
  }

  /** Tells once of a Secret that is not trusted. */
  refuse({ metadata }: SecretObject, why: string): void {
    const version = `${metadata.uid} ${metadata.resourceVersion}`;
    if (this.#refusedVersions.has(version)) return;
    this.#refusedVersions.add(version);
    this.#onUntrusted(`${this.#secrets.namespace}/${metadata.name}`, why);
  }
}
