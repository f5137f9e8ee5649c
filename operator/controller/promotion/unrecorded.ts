import { partsOf } from '../record/promotion-names.ts';

/** A deployment of which no Promotion could be made yet. */
export interface Unrecorded {
  readonly target: string;
  /** Of the deployment. */
  readonly id: number;
  /** It is given up. */
  drop(): void;
}

/** So many of a target: as a rule its status knows as many. */
const MOST_OF_TARGET = 10;
/** And of all: a few MB. */
const MOST = 2_000;

/**
 * What could not be written down yet, and how much of it is kept in memory, however long that lasts: the newest. What is
 * dropped is a gap in the ledger, unless a look at all finds it in a status.
 */
export class UnrecordedDeployments {
  readonly #byTarget = new Map<string, Set<Unrecorded>>();
  /** Namespaces in which something was dropped since something could be written there. */
  readonly #dropped = new Set<string>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Answers with how many were dropped for it. */
  add(one: Unrecorded): number {
    const its = this.#byTarget.get(one.target) ?? new Set<Unrecorded>();
    if (its.has(one)) return 0;
    this.#byTarget.set(one.target, its.add(one));
    this.#size += 1;
    if (its.size > MOST_OF_TARGET) return this.#drop(oldestOf(its, one));
    const [[first] = []] = this.#byTarget.values();
    return this.#size > MOST && first !== undefined ? this.#drop(first) : 0;
  }

  delete(one: Unrecorded): void {
    const its = this.#byTarget.get(one.target);
    if (its?.delete(one) !== true) return;
    this.#size -= 1;
    if (its.size === 0) this.#byTarget.delete(one.target);
  }

  /** Something could be written in that namespace; answers whether what was dropped of it may be found by now. */
  takeDropped(namespace: string): boolean {
    return this.#dropped.delete(namespace);
  }

  #drop(one: Unrecorded): number {
    this.delete(one);
    this.#dropped.add(partsOf(one.target).namespace);
    one.drop();
    return 1;
  }
}

/** In whatever order they were refused. */
function oldestOf(ones: Iterable<Unrecorded>, first: Unrecorded): Unrecorded {
  let oldest = first;
  for (const one of ones) if (one.id < oldest.id) oldest = one;
  return oldest;
}
