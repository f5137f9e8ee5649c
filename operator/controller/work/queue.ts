import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Load } from '../../observe/work-metrics.ts';
import { type Rank, WaitingLine } from './waiting-line.ts';

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
  /** Of what waits for its end, or for its begin. */
  rank: Rank;
  /** When it was asked for that which it waits for, on the clock of performance.now(). */
  askedAt: number;
  abort?: AbortController;
  /** When the run began, on the same clock. */
  since?: number;
  /** Breaks it off when its time has come. */
  spared?: NodeJS.Timeout;
}

/** How a key is to be run. */
export interface Adding {
  interrupt?: 'at once' | 'in time';
  rank?: Rank;
}

/** Is told what happens in a queue; durations in seconds. */
export interface QueueObserver {
  /** A key that did not wait began to. */
  added(): void;
  /** A key is to run later. */
  delayed(): void;
  began(waited: number): void;
  ended(worked: number): void;
}

export interface QueueOptions {
  work: Work;
  observer?: QueueObserver;
  /** Whose key it is: many keys of one tenant hold up no other's (A3). */
  tenantOf(key: string): string;
  /** Whether what is under way for a key, or was asked for, goes before what waits in turn; default: nothing does. */
  isFirst?(key: string): boolean;
  /** How many run at once, those not counted that have run for longer than `lendAfterMs`. */
  concurrency: number;
  /** A run that takes longer lends its place on: it waits for something, and delays nobody (A3). */
  lendAfterMs: number;
  /** Asked when a run has taken that long, and again after as long; false: it keeps its place. Default: it may. */
  mayLend?(): boolean;
  onError(key: string, error: unknown): void;
  /** Told of what ended a run that had been interrupted, where it is not that interruption. */
  onLateError(key: string, error: unknown): void;
  /**
   * A run that follows one that was interrupted has so long before it is interrupted in time: what changes again and
   * again by the run itself must not keep every one from getting as far as to tell something.
   */
  spareMs: number;
  /** Aborted, a run has so long to end; then it is left to itself, and the key runs anew. */
  leaveAfterMs: number;
  /** Told of a run that was left. What it still does must have no effect any more. */
  onLeft(key: string): void;
  /** Told of a run that has gone on for so long, and each time that its age has doubled since. */
  longMs: number;
  onLong(key: string, ageMs: number): void;
  /** Runs that wait for nothing must not follow each other without an end to the turn. */
  slices: Slices;
}

/** Of the places that are left, a tenant may have so many times as many: alone three of four, and others begin at once. */
const TIMES_LEFT = 3;

/** A work queue by key: one run at a time for a key, no key twice, later additions kept. */
export class Queue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: WaitingLine;
  /** By tenant the places that its runs hold. */
  readonly #held = new Map<string, number>();
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  readonly #runs = new Set<Promise<void>>();
  /** Whose last run was interrupted. */
  readonly #interrupted = new Set<string>();
  #free: number;
  #stopped = false;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#waiting = new WaitingLine(options.tenantOf);
    this.#free = options.concurrency;
  }

  /** All keys that run or wait; `since` when the run began, unless it was interrupted and is to begin anew. */
  *underWay(): Iterable<{ key: string; since?: number }> {
    for (const [key, { state, abort, since }] of this.#entries) {
      const goesOn = state !== 'waiting' && abort?.signal.aborted === false && since !== undefined;
      yield goesOn ? { key, since } : { key };
    }
  }

  /** Whether a run of the key is under way. */
  isRunning(key: string): boolean {
    const state = this.#entries.get(key)?.state;
    return state !== undefined && state !== 'waiting';
  }

  get load(): Load {
    const now = performance.now();
    const load = { waiting: this.#waiting.size, running: 0, unfinished: 0, longest: 0 };
    for (const { state, since = now } of this.#entries.values()) {
      if (state === 'waiting') continue;
      const age = (now - since) / 1_000;
      load.running += 1;
      load.unfinished += age;
      load.longest = Math.max(load.longest, age);
    }
    return load;
  }

  /**
   * Runs the key soon, before those that wait in turn where its rank is `First`; `interrupt` also aborts a run under
   * way, at once or when it had its time, which starts anew.
   */
  add(key: string, { interrupt, rank = 'InTurn' }: Adding = {}): void {
    if (this.#stopped) return;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#options.observer?.added();
      this.#wait(key, performance.now(), rank);
      return;
    }
    if (entry.state === 'waiting') {
      if (rank === 'First') this.#waiting.bringForward(key);
      return;
    }
    if (entry.state === 'running') {
      this.#options.observer?.added();
      entry.askedAt = performance.now();
    }
    entry.state = 'running-again';
    if (rank === 'First') entry.rank = rank;
    if (interrupt !== undefined) this.#interrupt(key, entry, interrupt);
  }

  /** Runs the key after a delay in milliseconds; an earlier time already set stands. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    this.#options.observer?.delayed();
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
    this.#waiting.clear();
    for (const entry of this.#entries.values()) entry.abort?.abort(new Interrupted('stopping'));
    await Promise.allSettled(this.#runs);
  }

  #wait(key: string, askedAt: number, asked: Rank): void {
    const rank = asked === 'First' || this.#options.isFirst?.(key) === true ? 'First' : 'InTurn';
    this.#entries.set(key, { state: 'waiting', rank, askedAt });
    this.#waiting.add(key, rank);
    this.#next();
  }

  #interrupt(key: string, entry: Entry, when: 'at once' | 'in time'): void {
    const ageMs = performance.now() - (entry.since ?? 0);
    const isSpared = when === 'in time' && this.#interrupted.has(key);
    const leftMs = isSpared ? this.#options.spareMs - ageMs : 0;
    const abort = () => {
      this.#interrupted.add(key);
      entry.abort?.abort(new Interrupted('newer input'));
    };
    if (leftMs <= 0) abort();
    else entry.spared ??= setTimeout(abort, leftMs);
  }

  #next(): void {
    while (this.#free > 0 && !this.#stopped) {
      const key = this.#waiting.next((tenant) => (this.#held.get(tenant) ?? 0) < TIMES_LEFT * this.#free);
      if (key === undefined) return;
      const run = this.#run(key);
      this.#runs.add(run);
      void run.finally(() => this.#runs.delete(run));
    }
  }

  async #run(key: string): Promise<void> {
    const abort = new AbortController();
    const since = performance.now();
    const askedAt = this.#entries.get(key)?.askedAt ?? since;
    const entry: Entry = { state: 'running', rank: 'InTurn', askedAt, abort, since };
    this.#entries.set(key, entry);
    this.#options.observer?.began((since - askedAt) / 1_000);
    const giveBack = this.#takePlace(this.#options.tenantOf(key), () => clearInterval(lend));
    const lend = setInterval(() => {
      if (this.#options.mayLend?.() !== false) giveBack();
    }, this.#options.lendAfterMs);
    const endTelling = this.#tellLong(key);
    const left = this.#whenIgnored(abort.signal);
    try {
      const how = await Promise.race([this.#work(key, abort.signal), left.promise]).catch((error) =>
        this.#tellError(key, error, abort.signal),
      );
      if (how === 'left') this.#options.onLeft(key);
    } finally {
      left.forget();
      endTelling();
      clearInterval(lend);
      clearTimeout(entry.spared);
      if (!abort.signal.aborted) this.#interrupted.delete(key);
      this.#entries.delete(key);
      this.#options.observer?.ended((performance.now() - since) / 1_000);
      if (entry.state === 'running-again' && !this.#stopped) this.#wait(key, entry.askedAt, entry.rank);
      giveBack();
    }
  }

  #tellError(key: string, error: unknown, { aborted, reason }: AbortSignal): void {
    if (!aborted) this.#options.onError(key, error);
    else if (!comesOf(error, reason)) this.#options.onLateError(key, error);
  }

  /** Returns how it is given back, once: by who lends it on, or at the end. */
  #takePlace(tenant: string, onGivenBack: () => void): () => void {
    const count = (change: 1 | -1) => {
      this.#free -= change;
      const held = (this.#held.get(tenant) ?? 0) + change;
      if (held === 0) this.#held.delete(tenant);
      else this.#held.set(tenant, held);
    };
    count(1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      onGivenBack();
      count(-1);
      this.#next();
    };
  }

  async #work(key: string, signal: AbortSignal): Promise<'ended'> {
    const pause = this.#options.slices.pause();
    if (pause !== undefined) await pause;
    signal.throwIfAborted();
    await this.#options.work(key, signal);
    return 'ended';
  }

  /** Settles when a run had its time to end after it was aborted. */
  #whenIgnored(signal: AbortSignal): { promise: Promise<'left'>; forget(): void } {
    const { promise, resolve } = Promise.withResolvers<'left'>();
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      timer = setTimeout(() => resolve('left'), this.#options.leaveAfterMs);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return {
      promise,
      forget: () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      },
    };
  }

  #tellLong(key: string): () => void {
    const { longMs, onLong } = this.#options;
    let timer: NodeJS.Timeout;
    const tellAt = (age: number, wait: number) => {
      timer = setTimeout(() => {
        onLong(key, age);
        tellAt(2 * age, age);
      }, wait);
    };
    tellAt(longMs, longMs);
    return () => clearTimeout(timer);
  }
}

/** Whether an error is this one, or names it as its cause, as those of Node do that an abort ends. */
function comesOf(error: unknown, reason: unknown): boolean {
  for (let cause = error, depth = 0; depth < 8; depth += 1) {
    if (cause === reason) return true;
    if (!(cause instanceof Error)) return false;
    cause = cause.cause;
  }
  return false;
}
