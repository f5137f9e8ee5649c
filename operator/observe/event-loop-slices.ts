/** Long work goes on for so long in one turn of the event loop, all of it together. Milliseconds. */
const SLICE_MS = 10;

/**
 * Shares each turn of the event loop between all that take long (A15): who asks often enough and waits when told
 * to, holds up nobody, and who waits goes on in the order of asking.
 */
export class Slices {
  readonly #waiting: (() => void)[] = [];
  /** When the first of this turn asked, on the clock of performance.now(). */
  #began: number | undefined;

  /** What to wait for before going on; undefined where there is time left in this turn. Ask after each few 100 µs. */
  pause(): Promise<void> | undefined {
    if (this.#began === undefined) {
      this.#began = performance.now();
      setImmediate(() => void this.#nextTurn());
    }
    if (this.#waiting.length === 0 && performance.now() - this.#began < SLICE_MS) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #nextTurn(): Promise<void> {
    this.#began = performance.now();
    while (this.#waiting.length > 0 && performance.now() - this.#began < SLICE_MS) {
      this.#waiting.shift()?.();
      // Until it asks again, or waits for something else.
      await undefined;
    }
    if (this.#waiting.length > 0) setImmediate(() => void this.#nextTurn());
    else this.#began = undefined;
  }
}
