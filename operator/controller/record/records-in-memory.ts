import { isNotFound } from '../../kube/errors.ts';
import type { ApplicationRecord } from './application-record.ts';
import type { RecordIndex } from './kept-manifest-index.ts';
import { candidateKey, namedIn, type TargetRecord } from './record.ts';
import type { SeenSecret } from './secrets.ts';
import type { TargetIdentity } from './target.ts';

/** What an Application's Secret has besides the record of a target. */
export interface ApplicationEntry {
  readonly secret: SeenSecret;
  readonly record: ApplicationRecord;
  readonly index: RecordIndex;
}

/** What is written of a target, wherever it stands. */
export interface TargetEntry {
  /** This very one is as written, or ahead of it: one that was read before, and is still held by a run, is not. */
  readonly record: TargetRecord;
  /** The Secret of its own; undefined: it is a member of its Application's. */
  readonly own: SeenSecret | undefined;
  /** Keys of the candidates that what is written of it names. */
  readonly named: ReadonlySet<string>;
}

export function targetEntry(record: TargetRecord, own: SeenSecret | undefined): TargetEntry {
  return { record, own, named: new Set(namedIn(record)) };
}

/** Which target it is, among those of its Application. */
export type Place = Pick<TargetIdentity, 'application' | 'environment'>;

const NONE: ReadonlyMap<string, TargetEntry> = new Map();

/** Takes in what a Secret holds by now; one that is gone is forgotten, unless it was written again meanwhile. */
export async function readAnew({
  entry,
  takeIn,
  forget,
}: {
  entry(): unknown;
  takeIn(): Promise<unknown>;
  forget(): void;
}): Promise<void> {
  const before = entry();
  try {
    await takeIn();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (entry() === before) forget();
  }
}

/** The records in memory. */
export class RecordsInMemory {
  readonly #applications = new Map<string, ApplicationEntry>();
  /** By Application and environment. */
  readonly #targets = new Map<string, Map<string, TargetEntry>>();
  readonly #byId = new Map<string, TargetRecord>();
  /** By the name of a target's own Secret what candidates it may name, where that it is there is not known for sure. */
  readonly #doubtful = new Map<string, ReadonlySet<string>>();
  readonly #ownName: (target: Place) => string;

  /** @param ownName of the Secret that a target has for itself, or could have */
  constructor(ownName: (target: Place) => string) {
    this.#ownName = ownName;
  }

  /** Forgets all, and knows what the other one does. */
  become(other: RecordsInMemory): void {
    for (const map of [this.#applications, this.#targets, this.#byId, this.#doubtful]) map.clear();
    for (const [key, entry] of other.applications()) this.setApplication(key, entry);
    for (const targets of other.#targets.values())
      for (const entry of [...targets.values()]) this.setTarget(entry);
    for (const [name, named] of other.#doubtful) this.doubt(name, named);
  }

  applications(): Iterable<[string, ApplicationEntry]> {
    return this.#applications;
  }

  application(key: string): ApplicationEntry | undefined {
    return this.#applications.get(key);
  }

  target({ application, environment }: Place): TargetEntry | undefined {
    return this.targetsOf(application).get(environment);
  }

  /** By environment. */
  targetsOf(application: string): ReadonlyMap<string, TargetEntry> {
    return this.#targets.get(application) ?? NONE;
  }

  /** The record of whichever target has the id. */
  find(id: string): TargetRecord | undefined {
    return this.#byId.get(id);
  }

  /** Of all targets. */
  records(): Iterable<TargetRecord> {
    return this.#byId.values();
  }

  /** The target whose record is a member of the Application's Secret. */
  inside(application: string): TargetEntry | undefined {
    return [...this.targetsOf(application).values()].find(({ own }) => own === undefined);
  }

  /** Whether it is not the record of this target that is written, or its id is another one's (S18). */
  isOutdated(record: TargetRecord): boolean {
    const current = this.target(record.target)?.record ?? record;
    return current !== record || (this.find(record.target.id) ?? record) !== record;
  }

  /** Whether a target's record is a member of its Application's Secret, or is to become it. */
  isInside(target: Place): boolean {
    const entry = this.target(target);
    if (entry !== undefined) return entry.own === undefined;
    return this.inside(target.application) === undefined && !this.mayHaveOwn(target);
  }

  /** There may be a target's own Secret that names these, or nobody knows what. */
  doubt(ownSecret: string, named: Iterable<string>): void {
    this.#doubtful.set(ownSecret, new Set([...(this.#doubtful.get(ownSecret) ?? []), ...named]));
  }

  /** What there is of the target's own is known, or gone. */
  isCertain(target: Place): void {
    this.#doubtful.delete(this.#ownName(target));
  }

  /** Whether there may be a Secret of the target's own. */
  mayHaveOwn(target: Place): boolean {
    return this.target(target)?.own !== undefined || this.#doubtful.has(this.#ownName(target));
  }

  /**
   * Keys of the candidates that a record of the Application's targets names: as it is written, may be written, or is
   * about to be. One that is written with what is asked for names no more what it named before. Of one that is there
   * and cannot be read, whatever its environment has may be what it goes back to.
   */
  namedBy(application: string, writing: TargetRecord | undefined): ReadonlySet<string> {
    const named = new Set(writing === undefined ? [] : namedIn(writing));
    for (const { record, named: written } of this.targetsOf(application).values()) {
      if (record === writing) continue;
      const doubtful = this.#doubtful.get(this.#ownName(record.target)) ?? [];
      for (const key of [...namedIn(record), ...written, ...doubtful]) named.add(key);
    }
    for (const { id, environments } of this.application(application)?.record.candidates ?? [])
      for (const [environment, { digest }] of Object.entries(environments)) {
        const place = { application, environment };
        if (this.target(place) === undefined && this.#doubtful.has(this.#ownName(place)))
          named.add(candidateKey({ id, digest }));
      }
    return named;
  }

  setApplication(key: string, entry: ApplicationEntry): void {
    this.#applications.set(key, entry);
  }

  setTarget(entry: TargetEntry): void {
    const { target } = entry.record;
    this.forgetTarget(target);
    const targets = this.#targets.get(target.application) ?? new Map<string, TargetEntry>();
    this.#targets.set(target.application, targets.set(target.environment, entry));
    this.#byId.set(target.id, entry.record);
  }

  /**
   * Has `read` meet nothing of what is in memory of the target, nor of what stands in one Secret with it. Where it
   * fails, that is remembered again: what others accept must not push out what this target names.
   */
  async anew(target: Place, read: () => Promise<void>): Promise<void> {
    const { application: key } = target;
    const isInside = this.isInside(target);
    const application = isInside ? this.application(key) : undefined;
    const entry = isInside ? this.inside(key) : this.target(target);
    if (isInside) this.forgetApplication(key);
    else this.forgetTarget(target);
    try {
      await read();
    } catch (error) {
      if (application !== undefined && this.application(key) === undefined)
        this.setApplication(key, application);
      if (entry !== undefined && this.target(entry.record.target) === undefined) this.setTarget(entry);
      throw error;
    }
  }

  forgetTarget({ application, environment }: Place): void {
    const targets = this.#targets.get(application);
    const entry = targets?.get(environment);
    if (targets === undefined || entry === undefined) return;
    targets.delete(environment);
    if (targets.size === 0) this.#targets.delete(application);
    if (this.#byId.get(entry.record.target.id) === entry.record) this.#byId.delete(entry.record.target.id);
  }

  /** With the record of the target that is a member of its Secret. */
  forgetApplication(key: string): void {
    const inside = this.inside(key);
    if (inside !== undefined) this.forgetTarget(inside.record.target);
    this.#applications.delete(key);
  }
}
