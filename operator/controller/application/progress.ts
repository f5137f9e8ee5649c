/** Tells how far something is that takes long: every so often, one write after the other. */
export class Progress {
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** What could not be told is told the next time, or by the end. */
  start(tell: () => Promise<void>): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      this.#telling = this.#telling.then(tell).catch(() => undefined);
    }, this.#everyMs);
  }

  /** Ends once what is being told is. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#telling;
  }
}
