import type { Slices } from '../observe/slices.ts';

/** Runs one key: `signal` is aborted when the key's inputs changed, so that a stuck run never blocks the fix. */
export type Work = (key: string, signal: AbortSignal) => Promise<void>;

/** Why a run was aborted: something newer is to be done for the same key, or the queue stops. */
export class Interrupted extends Error {
  constructor(why: 'newer input' | 'stopping') {
    super(`interrupted: ${why}`);
    this.name = 'Interrupted';
  }
}

interface Entry {
  state: 'waiting' | 'running' | 'running-again';
  abort?: AbortController;
}

export interface QueueOptions {
  work: Work;
  /** How many run at once, those not counted that have run for longer than `lendAfterMs`. */
  concurrency: number;
  /** A run that takes longer lends its place on: it waits for something, and delays nobody (A3). */
  lendAfterMs: number;
  /** Asked when a run has taken that long, and again after as long; false: it keeps its place. Default: it may. */
  mayLend?(): boolean;
  onError(key: string, error: unknown): void;
  /** Runs that wait for nothing must not follow each other without an end to the turn. */
  slices: Slices;
}

/** A work queue by key: one run at a time for a key, no key twice, later additions kept. */
export class Queue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: string[] = [];
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  readonly #runs = new Set<Promise<void>>();
  #free: number;
  #stopped = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#free = options.concurrency;
  }

  get depth(): number {
    return this.#waiting.length;
  }

  /** Runs the key soon; `interrupt` also aborts a run under way, which then starts anew. */
  add(key: string, options: { interrupt?: boolean } = {}): void {
    if (this.#stopped) return;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { state: 'waiting' });
      this.#waiting.push(key);
      this.#next();
    } else if (entry.state !== 'waiting') {
      entry.state = 'running-again';
      if (options.interrupt === true) entry.abort?.abort(new Interrupted('newer input'));
    }
  }

  /** Runs the key after a delay in milliseconds; an earlier time already set stands. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    const at = performance.now() + delayMs;
    const existing = this.#timers.get(key);
    if (existing !== undefined && existing.at <= at) return;
    clearTimeout(existing?.timer);
    const timer = setTimeout(
      () => {
        this.#timers.delete(key);
        this.add(key);
      },
      Math.min(delayMs, 2 ** 31 - 1),
    );
    this.#timers.set(key, { timer, at });
  }

  /** Starts no more runs, aborts those under way and waits for them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.length = 0;
    for (const entry of this.#entries.values()) entry.abort?.abort(new Interrupted('stopping'));
    await Promise.allSettled(this.#runs);
  }

  #next(): void {
    while (this.#free > 0 && !this.#stopped) {
      const key = this.#waiting.shift();
      if (key === undefined) return;
      const run = this.#run(key);
      this.#runs.add(run);
      void run.finally(() => this.#runs.delete(run));
    }
  }

  async #run(key: string): Promise<void> {
    const abort = new AbortController();
    const entry: Entry = { state: 'running', abort };
    this.#entries.set(key, entry);
    this.#free -= 1;
    let holdsPlace = true;
    const giveBack = () => {
      if (!holdsPlace) return;
      holdsPlace = false;
      clearInterval(lend);
      this.#free += 1;
      this.#next();
    };
    const lend = setInterval(() => {
      if (this.#options.mayLend?.() !== false) giveBack();
    }, this.#options.lendAfterMs);
    try {
      const pause = this.#options.slices.pause();
      if (pause !== undefined) await pause;
      abort.signal.throwIfAborted();
      await this.#options.work(key, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.#options.onError(key, error);
    } finally {
      clearInterval(lend);
      this.#entries.delete(key);
      if (entry.state === 'running-again') this.add(key);
      giveBack();
    }
  }
}
