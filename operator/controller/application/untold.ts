import type { TowpathError } from '../../api/errors.ts';
import type { ObjectId } from '../../manifest/manifest.ts';
import type { Repaired } from './facts.ts';

/** What the events of one write of the status tell, besides what changed in it. */
export interface Told {
  /** What could not be found out before the first write, and is decided by the apply. */
  warnings: readonly TowpathError[];
  /** What was done since it was told last. */
  done: {
    repaired: readonly Repaired[];
    pruned: readonly ObjectId[];
    /** Hooks' objects of earlier deployments that had not ended, and were deleted. */
    endedHooks: readonly ObjectId[];
  };
}

/** Of everything but what was pruned, which is counted, no more is told at a time. */
const MOST = 5;
/** A candidate has no more objects. */
const MOST_PRUNED = 5_000;

/**
 * What was done and found of an Application and not told yet. It outlives the look that did it: where that is broken
 * off, fails, or its status is refused, the next status that is written tells it, and no other one.
 */
export class Untold {
  #warnings: readonly TowpathError[] = [];
  #repaired: readonly Repaired[] = [];
  #pruned: readonly ObjectId[] = [];
  #endedHooks: readonly ObjectId[] = [];

  /** The same one once. */
  warn(warnings: readonly TowpathError[]): void {
    const isNew = ({ reason, message }: TowpathError) =>
      !this.#warnings.some((one) => one.reason === reason && one.message === message);
    this.#warnings = [...this.#warnings, ...warnings.filter(isNew)].slice(0, MOST);
  }

  repaired(repaired: Repaired): void {
    this.#repaired = [...this.#repaired, repaired].slice(0, MOST);
  }

  pruned(objects: readonly ObjectId[]): void {
    this.#pruned = [...this.#pruned, ...objects].slice(0, MOST_PRUNED);
  }

  endedHooks(objects: readonly ObjectId[]): void {
    this.#endedHooks = [...this.#endedHooks, ...objects].slice(0, MOST);
  }

  /** Hands all of it over, to be told. */
  take(): Told {
    const told = {
      warnings: this.#warnings,
      done: { repaired: this.#repaired, pruned: this.#pruned, endedHooks: this.#endedHooks },
    };
    this.#warnings = [];
    this.#repaired = [];
    this.#pruned = [];
    this.#endedHooks = [];
    return told;
  }

  /** It could not be told after all. */
  putBack({ warnings, done }: Told): void {
    const since = this.take();
    this.warn([...warnings, ...since.warnings]);
    for (const one of [...done.repaired, ...since.done.repaired]) this.repaired(one);
    this.pruned([...done.pruned, ...since.done.pruned]);
    this.endedHooks([...done.endedHooks, ...since.done.endedHooks]);
  }
}
