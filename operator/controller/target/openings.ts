import type { Window } from '../../api/v1alpha1/gates.ts';
import type { Opening } from '../../promote/gate.ts';
import { openingAt } from '../../promote/gates/window.ts';

/**
 * Whether windows are open. Until it changes an answer is kept: each step of each look asks, and one answer takes as
 * long as dozens of times of day are to be found in their zones.
 */
export class Openings {
  /** By the windows as an Environment was read, which all its targets share. */
  readonly #known = new WeakMap<readonly Window[], { since: Date; opening: Opening }>();

  #former: Openings | undefined;

  /** The same for moments a while ago, which would not be kept beside those of now. */
  get former(): Openings {
    this.#former ??= new Openings();
    return this.#former;
  }

  at(windows: readonly Window[], now: Date): Opening {
    const known = this.#known.get(windows);
    if (known !== undefined && isStill(known, now)) return known.opening;
    const opening = openingAt(windows, now);
    this.#known.set(windows, { since: now, opening });
    return opening;
  }
}

/** The clock may have been put back. */
function isStill({ since, opening }: { since: Date; opening: Opening }, now: Date): boolean {
  return since <= now && (!('changesAt' in opening) || now < opening.changesAt);
}
