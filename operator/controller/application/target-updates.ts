import { unlessAborted } from '../../kube/unless-aborted.ts';
import type { TargetUpdate } from '../target/words/target-update.ts';

interface Waiter {
  environment: string;
  /** On the clock of performance.now(). */
  since: number;
  signal: AbortSignal;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * What the targets of one Application told, the latest of each, until its status says so: however many tell while one
 * patch is under way, the next one tells of them all.
 */
export class TargetUpdates {
  /** By environment, who told last at the end. */
  readonly #latest = new Map<string, TargetUpdate>();
  readonly #waiting = new Set<Waiter>();

  /** Resolves when the status says so, or something newer of the same target; rejects with what kept it from that. */
  tell(environment: string, update: TargetUpdate, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#latest.delete(environment);
    this.#latest.set(environment, update);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { environment, since: performance.now(), signal, resolve, reject };
    this.#waiting.add(waiter);
    return unlessAborted(promise, signal).finally(() => this.#waiting.delete(waiter));
  }

  /** By environment, who told last at the end; nothing of a target that has told nothing yet. */
  get latest(): ReadonlyMap<string, TargetUpdate> {
    return this.#latest;
  }

  /** Since when the first of them waits for what it told to be written; undefined: none does. */
  get waitingSince(): number | undefined {
    const [first] = this.#waiting;
    return first?.since;
  }

  isWaiting(environment: string): boolean {
    return [...this.#waiting].some((waiter) => waiter.environment === environment);
  }

  /**
   * Has what is to be told written; `write` is told of which environments it is. Where its signal ended it, they wait
   * for the next time. Does nothing where nobody waits.
   */
  async settle(
    write: (environments: ReadonlySet<string>) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const waiters = [...this.#waiting].filter((waiter) => !waiter.signal.aborted);
    if (waiters.length === 0) return;
    try {
      await write(new Set(waiters.map(({ environment }) => environment)));
      for (const waiter of waiters) waiter.resolve();
    } catch (error) {
      if (signal.aborted) throw error;
      for (const waiter of waiters) waiter.reject(error);
    }
  }

  /** What was told of the environment counts no more. */
  drop(environment: string): void {
    this.#latest.delete(environment);
  }

  /** Nothing that was told counts any more; who waits for it waits until its own signal ends that. */
  forget(): void {
    this.#latest.clear();
    this.#waiting.clear();
  }
}
