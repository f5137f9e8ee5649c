import { isDeepStrictEqual } from 'node:util';
import type { Quarantine } from '../candidate/quarantine.ts';
import type { Target } from '../record/target.ts';

/**
 * What an environment says of what its Application asks for; `Undecided`: nothing is wrong with that in principle, but it
 * cannot be begun there, as it is now; `Unseen`: it cannot tell.
 */
export type Verdict = 'Fine' | 'Undecided' | 'Unseen' | { readonly refusedBy: Quarantine };

/** What the other environments of a target's Application say of the same that it wants. */
export interface Others {
  /** Those that are being looked at, and have not said yet. */
  readonly awaited: readonly string[];
  readonly refused: readonly { readonly environment: string; readonly quarantine: Quarantine }[];
}

export const NO_OTHERS: Others = Object.freeze({ awaited: [], refused: [] });

/** Refusals that the status told before this process began, by environment: until one says something else they count. */
export type ToldBefore = ReadonlyMap<string, Quarantine>;

type Place = Pick<Target, 'name' | 'application' | 'environment' | 'refusal' | 'settings'> & {
  /** Absent where it is not known where it is: it is asked for nothing, and what it refused counts. */
  readonly overlay?: Pick<Target['overlay'], 'ref'>;
};

interface Said {
  /** What it is about; undefined: whatever is asked for, it could not be found out. */
  asked: string | undefined;
  verdict: Verdict;
}

/**
 * Before a candidate is begun anywhere, each environment that follows the same ref has judged it: what one refuses in
 * principle is begun nowhere. In memory: a process that begins anew finds out again what each says, and one that runs
 * it already says so.
 */
export class Verdicts {
  readonly #wake: (target: string) => void;
  /** By Application and environment. */
  readonly #said = new Map<string, Map<string, Said>>();
  /** Names of targets, by Application, that another verdict would help. */
  readonly #waiting = new Map<string, Set<string>>();
  /** Environments, by Application, that were waited for in vain: one whose cluster hangs costs the others that once (A3). */
  readonly #silent = new Map<string, Set<string>>();

  constructor(wake: (target: string) => void) {
    this.#wake = wake;
  }

  /** Takes in what an environment says; whom that may help is woken. */
  note({ application, environment, name }: Place, asked: string | undefined, verdict: Verdict): void {
    const said = this.#said.get(application) ?? new Map<string, Said>();
    this.#said.set(application, said);
    this.#silent.get(application)?.delete(environment);
    const before = said.get(environment);
    if (isDeepStrictEqual(before, { asked, verdict }) || isOutOfSight(before, asked, verdict)) return;
    said.set(environment, { asked, verdict });
    const waiting = this.#waiting.get(application);
    if (waiting === undefined) return;
    for (const target of waiting) {
      if (target === name) continue;
      waiting.delete(target);
      this.#wake(target);
    }
  }

  /** What others say of what the target asks for; it is woken when one says something else. */
  others(target: Place, asked: string, all: readonly Place[], before: ToldBefore = new Map()): Others {
    const said = this.#said.get(target.application);
    const awaited: string[] = [];
    const refused: { environment: string; quarantine: Quarantine }[] = [];
    for (const other of all) {
      if (other.name === target.name || !mayFollowTheSame(other, target)) continue;
      const { environment } = other;
      const its = said?.get(environment);
      const told = before.get(environment);
      if (its === undefined && told !== undefined) {
        refused.push({ environment, quarantine: told });
        continue;
      }
      if (!isAskedOf(other) && !isRefusalOf(its, asked)) continue;
      if (its === undefined || (its.asked !== undefined && its.asked !== asked)) {
        if (this.#silent.get(target.application)?.has(environment) !== true) awaited.push(environment);
      } else if (typeof its.verdict === 'object')
        refused.push({ environment, quarantine: its.verdict.refusedBy });
    }
    if (awaited.length === 0 && refused.length === 0) return NO_OTHERS;
    const waiting = this.#waiting.get(target.application) ?? new Set();
    this.#waiting.set(target.application, waiting.add(target.name));
    return { awaited, refused };
  }

  /** These are waited for no longer, and not again before they say something. */
  passOver(application: string, environments: readonly string[]): void {
    if (environments.length === 0) return;
    const silent = this.#silent.get(application) ?? new Set();
    this.#silent.set(application, silent.union(new Set(environments)));
  }

  forgetTarget({
    application,
    environment,
    name,
  }: Pick<Place, 'application' | 'environment' | 'name'>): void {
    this.#said.get(application)?.delete(environment);
    this.#silent.get(application)?.delete(environment);
    this.#waiting.get(application)?.delete(name);
  }

  forget(application: string): void {
    this.#silent.delete(application);
    this.#said.delete(application);
    this.#waiting.delete(application);
  }
}

/** Nobody waits for one that is refused or suspended; for one of which it is being found out where it is, they do. */
function isAskedOf({ refusal, settings }: Place): boolean {
  return refusal === undefined && settings.suspended === undefined;
}

function mayFollowTheSame(other: Place, target: Place): boolean {
  return other.overlay === undefined || isDeepStrictEqual(other.overlay.ref, target.overlay?.ref);
}

function isRefusalOf(said: Said | undefined, asked: string): boolean {
  return said?.asked === asked && typeof said.verdict === 'object';
}

/** What was refused stays refused while nothing new can be found out. */
function isOutOfSight(before: Said | undefined, asked: string | undefined, verdict: Verdict): boolean {
  if (verdict !== 'Unseen' || typeof before?.verdict !== 'object') return false;
  return asked === undefined || asked === before.asked;
}
