/** Places for what may run at the same time; who finds none waits for one, first come first served. */
export class Lane {
  readonly #places: number;
  #taken = 0;
  readonly #waiting: { begin(): void; fail(error: Error): void }[] = [];
  #closed: Error | undefined;

  constructor(places: number) {
    this.#places = places;
  }

  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes a place if one is free. */
  tryTake(): boolean {
    if (this.#taken >= this.#places || this.#closed !== undefined) return false;
    this.#taken += 1;
    return true;
  }

  /** Waits for a place; rejects with the reason of `signal`, or with what the lane was closed with. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    if (this.tryTake()) return;
    await new Promise<void>((resolve, reject) => {
      const settled = () => signal.removeEventListener('abort', aborted);
      const turn = {
        begin: () => {
          settled();
          resolve();
        },
        fail: (error: Error) => {
          settled();
          reject(error);
        },
      };
      const aborted = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', aborted, { once: true });
      this.#waiting.push(turn);
    });
  }

  /** Gives a place back: to who waits for one. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next.begin();
  }

  /** Nobody gets a place any more. */
  close(error: Error): void {
    this.#closed = error;
    for (const waiting of this.#waiting.splice(0)) waiting.fail(error);
  }
}
