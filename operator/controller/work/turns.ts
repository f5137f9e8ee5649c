/** One piece of work after the other for each key. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /**
   * Does the work when what asked before has had its turn. A turn ends with its signal, too: what hangs although it was
   * given up holds up nobody. Rejects with the signal's reason.
   */
  async take<Result>(
    key: string,
    signal: AbortSignal | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const before = this.#last.get(key);
    const turn = Promise.withResolvers<void>();
    this.#enqueue(key, before, turn.promise);
    const given = Promise.withResolvers<never>();
    given.promise.catch(() => undefined);
    const giveUp = () => given.reject(signal?.reason);
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      signal?.throwIfAborted();
      if (before !== undefined) await Promise.race([before, given.promise]);
      return await Promise.race([work(), given.promise]);
    } finally {
      signal?.removeEventListener('abort', giveUp);
      turn.resolve();
    }
  }

  /** Who gave up while it waited must not let the next one begin before those that were first. */
  #enqueue(key: string, before: Promise<void> | undefined, turn: Promise<void>): void {
    const ended = Promise.all([before, turn]).then(() => {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    });
    this.#last.set(key, ended);
  }
}
