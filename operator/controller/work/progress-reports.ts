/** Tells how far something is that takes long: every so often, one write after the other. */
export class ProgressReports {
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #tell: () => Promise<void> = () => Promise.resolve();
  #telling: Promise<void> = Promise.resolve();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** What could not be told is told the next time, or by the end. */
  start(tell: () => Promise<void>): void {
    clearInterval(this.#timer);
    this.#tell = tell;
    this.#timer = setInterval(() => this.now(), this.#everyMs);
  }

  /** Tells without waiting for its time: something begins that takes as long as others please. */
  now(): void {
    this.#telling = this.#telling.then(this.#tell).catch(() => undefined);
  }

  /** Ends once what is being told is. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#telling;
  }
}
