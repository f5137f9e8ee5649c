/** Rights come back with a role that somebody puts right, and nobody tells of it. */
const AGAIN_MS = 5 * 60_000;

/** That an account may not list what is to be watched: tried again by whoever looks, once in some minutes. */
export class Refusal {
  #triedAt = performance.now();

  /** Whether it is to be tried again now; who is told so tries. */
  isDue(): boolean {
    if (performance.now() - this.#triedAt < AGAIN_MS) return false;
    this.#triedAt = performance.now();
    return true;
  }

  /** The account is another one by now. */
  expire(): void {
    this.#triedAt = Number.NEGATIVE_INFINITY;
  }
}
