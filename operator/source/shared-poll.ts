/** Polls that callers share: those of one turn of the event loop, and all who call while an older one runs. */
export class SharedPoll {
  readonly #poll: () => Promise<void>;
  /** The one that is under way. */
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(poll: () => Promise<void>) {
    this.#poll = poll;
  }

  /** The one that is under way; undefined: none is. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** The one that begins after that, or in the next turn. */
  get next(): Promise<void> | undefined {
    return this.#next;
  }

  /** One that is sent no earlier than now. */
  poll(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  /** The poll that is under way, or a new one: for who knows of nothing newer. */
  pollOnce(): Promise<void> {
    return this.#next ?? this.#running ?? this.poll();
  }

  async #after(running: Promise<void> | undefined): Promise<void> {
    await running?.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    this.#running = this.#next;
    this.#next = undefined;
    try {
      await this.#poll();
    } finally {
      this.#running = undefined;
    }
  }
}
