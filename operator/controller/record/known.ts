import type { ApplicationRecord } from './accepted.ts';
import type { RecordIndex } from './kept-manifest-index.ts';
import { namedIn, type TargetRecord } from './record.ts';
import type { SeenSecret } from './secrets.ts';
import type { TargetIdentity } from './target.ts';

/** What an Application's Secret has besides the record of a target. */
export interface KnownApplication {
  readonly secret: SeenSecret;
  readonly record: ApplicationRecord;
  readonly index: RecordIndex;
}

export interface KnownTarget {
  /** This very one is as written, or ahead of it: one that was read before, and is still held by a run, is not. */
  readonly record: TargetRecord;
  /** The Secret of its own; undefined: it is a member of its Application's. */
  readonly own: SeenSecret | undefined;
  /** Keys of the candidates that what is written of it names. */
  readonly named: ReadonlySet<string>;
}

export function knownTarget(record: TargetRecord, own: SeenSecret | undefined): KnownTarget {
  return { record, own, named: new Set(namedIn(record)) };
}

/** Which target it is, among those of its Application. */
export type Place = Pick<TargetIdentity, 'application' | 'environment'>;
const NONE: ReadonlyMap<string, KnownTarget> = new Map();

/** The records in memory. */
export class KnownRecords {
  readonly #applications = new Map<string, KnownApplication>();
  /** By Application and environment. */
  readonly #targets = new Map<string, Map<string, KnownTarget>>();
  readonly #byId = new Map<string, TargetRecord>();
  /** By the name of a target's own Secret what candidates it may name, where that it is there is not known for sure. */
  readonly #doubtful = new Map<string, ReadonlySet<string>>();
  readonly #ownName: (target: Place) => string;

  /** @param ownName of the Secret that a target has for itself, or could have */
  constructor(ownName: (target: Place) => string) {
    this.#ownName = ownName;
  }

  /** Forgets all, and knows what the other one does. */
  become(other: KnownRecords): void {
    for (const map of [this.#applications, this.#targets, this.#byId, this.#doubtful]) map.clear();
    for (const [key, known] of other.applications()) this.setApplication(key, known);
    for (const targets of other.#targets.values())
      for (const known of [...targets.values()]) this.setTarget(known);
    for (const [name, named] of other.#doubtful) this.doubt(name, named);
  }

  applications(): Iterable<[string, KnownApplication]> {
    return this.#applications;
  }

  application(key: string): KnownApplication | undefined {
    return this.#applications.get(key);
  }

  target({ application, environment }: Place): KnownTarget | undefined {
    return this.targetsOf(application).get(environment);
  }

  /** By environment. */
  targetsOf(application: string): ReadonlyMap<string, KnownTarget> {
    return this.#targets.get(application) ?? NONE;
  }

  /** The record of whichever target has the id. */
  find(id: string): TargetRecord | undefined {
    return this.#byId.get(id);
  }

  /** The target whose record is a member of the Application's Secret. */
  inside(application: string): KnownTarget | undefined {
    return [...this.targetsOf(application).values()].find(({ own }) => own === undefined);
  }

  /** Whether it is not the record of this target that is written, or its id is another one's (S18). */
  isOutdated(record: TargetRecord): boolean {
    const known = this.target(record.target)?.record ?? record;
    return known !== record || (this.find(record.target.id) ?? record) !== record;
  }

  /** Whether a target's record is a member of its Application's Secret, or is to become it. */
  isInside(target: Place): boolean {
    const known = this.target(target);
    if (known !== undefined) return known.own === undefined;
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
   * about to be. One that is written with what is asked for names no more what it named before.
   */
  namedBy(application: string, writing: TargetRecord | undefined): ReadonlySet<string> {
    const named = new Set(writing === undefined ? [] : namedIn(writing));
    for (const { record, named: written } of this.targetsOf(application).values()) {
      if (record === writing) continue;
      const doubtful = this.#doubtful.get(this.#ownName(record.target)) ?? [];
      for (const key of [...namedIn(record), ...written, ...doubtful]) named.add(key);
    }
    return named;
  }

  setApplication(key: string, known: KnownApplication): void {
    this.#applications.set(key, known);
  }

  setTarget(known: KnownTarget): void {
    const { target } = known.record;
    this.forgetTarget(target);
    const targets = this.#targets.get(target.application) ?? new Map<string, KnownTarget>();
    this.#targets.set(target.application, targets.set(target.environment, known));
    this.#byId.set(target.id, known.record);
  }

  forgetTarget({ application, environment }: Place): void {
    const targets = this.#targets.get(application);
    const known = targets?.get(environment);
    if (targets === undefined || known === undefined) return;
    targets.delete(environment);
    if (targets.size === 0) this.#targets.delete(application);
    if (this.#byId.get(known.record.target.id) === known.record) this.#byId.delete(known.record.target.id);
  }

  /** With the record of the target that is a member of its Secret. */
  forgetApplication(key: string): void {
    const inside = this.inside(key);
    if (inside !== undefined) this.forgetTarget(inside.record.target);
    this.#applications.delete(key);
  }
}
