import { isDeepStrictEqual } from 'node:util';
import type { Checks } from '../../promote/checks.ts';
import type { TargetIdentity } from '../record/target.ts';

/** How an environment was in its last look. */
export interface Shown {
  /** What it was asked for last, as far as that could be found out. */
  readonly asked: string | undefined;
  /** Of what is deployed there to the end. */
  readonly digest: string | undefined;
  /** `Unknown`: that cannot be seen. */
  readonly health: 'Healthy' | 'NotHealthy' | 'Unknown';
  /** What checks came to for what is deployed there. */
  readonly checks?: Checks;
  /** How far that is which its policy wants of it; absent: nothing. */
  readonly verify?: 'UnderWay' | 'Passed' | 'Failed';
  /** What keeps all that is new out of it; absent: neither. */
  readonly stopped?: 'Suspended' | 'Frozen';
}

type Place = Pick<TargetIdentity, 'name' | 'application' | 'environment'>;

/**
 * What environments show to those that wait for them. In memory: a process that begins anew looks at each of them first,
 * and nobody else can write it, as a status could be.
 */
export class Evidence {
  readonly #wake: (target: string) => void;
  /** By Application and environment. */
  readonly #shown = new Map<string, Map<string, Shown>>();
  /** Names of targets, by Application, that asked. */
  readonly #waiting = new Map<string, Set<string>>();
  /** By Application and environment how what waits there stands, by what was asked for. */
  readonly #standing = new Map<string, Map<string, ReadonlyMap<string, string>>>();
  /** By the name of a target the manifests with which another one would enter, were results there not too old. */
  readonly #awaited = new Map<string, string>();

  constructor(wake: (target: string) => void) {
    this.#wake = wake;
  }

  /** Takes in how an environment is; who waits for it is woken where that changed. */
  note({ application, environment, name }: Place, shown: Shown | undefined): void {
    const all = this.#shown.get(application) ?? new Map<string, Shown>();
    if (isDeepStrictEqual(all.get(environment), shown)) return;
    if (shown === undefined) all.delete(environment);
    else all.set(environment, shown);
    if (all.size === 0) this.#shown.delete(application);
    else this.#shown.set(application, all);
    const waiting = this.#waiting.get(application) ?? [];
    for (const target of waiting) if (target !== name) this.#wake(target);
  }

  /** How an environment of the target's Application is; the target is woken when that changes. */
  of({ application, name }: Place, environment: string): Shown | undefined {
    const waiting = this.#waiting.get(application) ?? new Set();
    this.#waiting.set(application, waiting.add(name));
    return this.#shown.get(application)?.get(environment);
  }

  /** An environment of the target's Application is to run again the checks of these manifests that passed too long ago. */
  awaitChecks({ application }: Pick<Place, 'application'>, environment: string, digest: string): void {
    const name = `${application}/${environment}`;
    if (this.#awaited.get(name) === digest) return;
    this.#awaited.set(name, digest);
    this.#wake(name);
  }

  /** Whether another one waits for that. */
  areChecksAwaited({ name }: Pick<Place, 'name'>, digest: string): boolean {
    return this.#awaited.get(name) === digest;
  }

  /** They are run, if they were to be. */
  checksBegun({ name }: Pick<Place, 'name'>): void {
    this.#awaited.delete(name);
  }

  /** These environments of its Application stay for nothing that the target waits for any more. */
  release({ application }: Pick<Place, 'application'>, environments: readonly string[]): void {
    for (const environment of environments) this.#wake(`${application}/${environment}`);
  }

  /**
   * Takes in how what waits in the target stands, by what was asked for; these environments of its Application, which may stay
   * for that, are woken where it changed.
   */
  noteStanding(target: Place, standing: ReadonlyMap<string, string>, environments: readonly string[]): void {
    const { application, environment } = target;
    const all = this.#standing.get(application) ?? new Map<string, ReadonlyMap<string, string>>();
    const before = all.get(environment);
    if (standing.size === 0) all.delete(environment);
    else all.set(environment, standing);
    if (all.size === 0) this.#standing.delete(application);
    else this.#standing.set(application, all);
    const isOther = [...standing].some(([asked, how]) => (before?.get(asked) ?? how) !== how);
    if (isOther) this.release(target, environments);
  }

  /** Whether it has been looked at, since this process leads. */
  knows({ application, environment }: Pick<Place, 'application' | 'environment'>): boolean {
    return this.#shown.get(application)?.has(environment) === true;
  }

  forgetTarget(target: Place): void {
    this.#waiting.get(target.application)?.delete(target.name);
    this.#awaited.delete(target.name);
    this.#standing.get(target.application)?.delete(target.environment);
    this.note(target, undefined);
  }

  forget(application: string): void {
    this.#shown.delete(application);
    this.#waiting.delete(application);
    this.#standing.delete(application);
  }

  /** Another process may have looked at all of them since. */
  forgetAll(): void {
    this.#shown.clear();
    this.#waiting.clear();
    this.#awaited.clear();
    this.#standing.clear();
  }
}
