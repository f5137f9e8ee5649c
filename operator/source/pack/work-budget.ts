import { TowpathError } from '../../api/errors.ts';
import { size } from '../limits.ts';

/** Finding and building one object costs at least as much time as copying so many bytes. */
const perObject = 1_024;

/**
 * What one request to a worker may unpack, in bytes, deltas and repeats counted: objects that build on each
 * other, and names that lead to the same again and again, make a small pack endless work (S9).
 */
export class WorkBudget {
  readonly #bytes: number;
  #left: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#left = bytes;
  }

  /** @throws TowpathError TooLarge */
  spend(bytes: number): void {
    this.#left -= bytes + perObject;
    if (this.#left >= 0) return;
    throw new TowpathError(
      'Person',
      'TooLarge',
      `One look at the repository would unpack more than ${size(this.#bytes)}. Point spec.source.path at a smaller directory, or pack the repository anew on the server (git repack -a -d -f).`,
    );
  }
}
