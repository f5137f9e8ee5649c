/** What setTimeout can wait for at most, in milliseconds: a longer time would be over at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** At most one timer for each name. A time that is too long for one ends early: whoever is told looks at the clock. */
export class Timers {
  readonly #ring: (name: string) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(ring: (name: string) => void) {
    this.#ring = ring;
  }

  /** Rings after so long, unless it is to ring for that name already. */
  setIfNone(name: string, delayMs: number): void {
    if (this.#timers.has(name)) return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(name);
        this.#ring(name);
      },
      Math.min(Math.max(0, delayMs), LONGEST_MS),
    );
    timer.unref();
    this.#timers.set(name, timer);
  }

  /** Rings no more, for that name or any. */
  clear(name?: string): void {
    for (const [key, timer] of this.#timers) {
      if (name !== undefined && key !== name) continue;
      clearTimeout(timer);
      this.#timers.delete(key);
    }
  }
}
