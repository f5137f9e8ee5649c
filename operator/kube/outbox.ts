import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../retry/backoff.ts';

/** Of one tenant so many are sent at once. */
const AT_ONCE = 4;
const RETRY = { firstMs: 500, longestMs: 30_000 };
/** Between two tries at the end, of which there is little time. */
const LAST_PAUSE_MS = 50;

/** What comes of one that could not be sent: it is tried again by itself, when that is asked for, or never. */
export type Verdict =
  | { again: 'soon'; notBeforeMs?: number }
  | { again: 'when resumed' }
  | { again: 'never' };

export interface OutboxOptions<T> {
  /** Whose hanging holds up no others (A3). */
  tenantOf(item: T): string;
  send(item: T): Promise<void>;
  /** Asked where sending failed, as long as there is time to try again. */
  judge(error: unknown): Verdict;
  onLost(item: T, error: unknown): void;
  /** All that is not sent yet; a tenant may take half of what the others leave (A3). */
  most: number;
  /** One that could not be sent for so long is lost. */
  keepMs: number;
  monotonic(): number;
}

/** Sends what it is given in the background, each tenant's by itself, until it is sent or its time has passed. */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  /** By tenant, in order. */
  readonly #waiting = new Map<string, T[]>();
  /** By tenant, how many are being sent. */
  readonly #underWay = new Map<string, number>();
  readonly #runs = new Set<Promise<void>>();
  /** What failed, with what tries it again. */
  readonly #later = new Map<T, NodeJS.Timeout | undefined>();
  /** All that is not sent yet, and since when that fails. */
  readonly #kept = new Map<T, { failures: number; since: number }>();
  readonly #keptOf = new Map<string, number>();
  /** How often `resume` was called. */
  #resumed = 0;
  /** Present at the end; aborted when its time is over. */
  #ending: AbortSignal | undefined;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  hasRoomFor(item: T): boolean {
    const own = this.#keptOf.get(this.#options.tenantOf(item)) ?? 0;
    return own < this.#options.most - this.#kept.size;
  }

  has(item: T): boolean {
    return this.#kept.has(item);
  }

  /** What is there already stays where it is. */
  add(item: T): void {
    if (this.#kept.has(item) || this.#ending !== undefined) return;
    this.#kept.set(item, { failures: 0, since: 0 });
    count(this.#keptOf, this.#options.tenantOf(item), 1);
    this.#put(item);
  }

  /** Tries all at once that failed. */
  resume(): void {
    this.#resumed += 1;
    for (const [item, timer] of [...this.#later]) {
      clearTimeout(timer);
      this.#later.delete(item);
      this.#put(item);
    }
  }

  /** Tries all that is left, and what fails again, until nothing is left or the signal says that its time is over. */
  async end(signal: AbortSignal): Promise<void> {
    this.#ending = signal;
    for (;;) {
      this.resume();
      await Promise.all(this.#runs);
      if (this.#later.size === 0) return;
      await sleep(LAST_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #put(item: T): void {
    const tenant = this.#options.tenantOf(item);
    const waiting = this.#waiting.get(tenant) ?? [];
    waiting.push(item);
    this.#waiting.set(tenant, waiting);
    if ((this.#underWay.get(tenant) ?? 0) >= AT_ONCE) return;
    const run = this.#run(tenant).finally(() => this.#runs.delete(run));
    this.#runs.add(run);
  }

  async #run(tenant: string): Promise<void> {
    count(this.#underWay, tenant, 1);
    for (let item = this.#next(tenant); item !== undefined; item = this.#next(tenant)) {
      const resumed = this.#resumed;
      try {
        await this.#options.send(item);
        this.#forget(item);
      } catch (error) {
        this.#failed(item, error, resumed);
      }
    }
    // In the same instant in which nothing was left, so that what comes next begins a run of its own.
    count(this.#underWay, tenant, -1);
  }

  #next(tenant: string): T | undefined {
    const waiting = this.#waiting.get(tenant);
    const item = waiting?.shift();
    if (waiting?.length === 0) this.#waiting.delete(tenant);
    return item;
  }

  #forget(item: T): void {
    this.#kept.delete(item);
    count(this.#keptOf, this.#options.tenantOf(item), -1);
  }

  /** `resumed` when it was sent. */
  #failed(item: T, error: unknown, resumed: number): void {
    const { judge, keepMs, monotonic, onLost } = this.#options;
    const now = monotonic();
    const before = this.#kept.get(item) ?? { failures: 0, since: now };
    const failures = before.failures + 1;
    const since = failures === 1 ? now : before.since;
    const verdict: Verdict = this.#ending?.aborted === true ? { again: 'never' } : judge(error);
    const isOver = verdict.again === 'soon' ? now - since >= keepMs : this.#ending !== undefined;
    if (verdict.again === 'never' || isOver) {
      this.#forget(item);
      onLost(item, error);
      return;
    }
    this.#kept.set(item, { failures, since });
    // What it waits for came while it was under way, and need not come again.
    const isSoon = verdict.again === 'soon' || resumed !== this.#resumed;
    const isTimed = isSoon && this.#ending === undefined;
    const notBeforeMs = verdict.again === 'soon' ? verdict.notBeforeMs : undefined;
    this.#later.set(item, isTimed ? this.#timer(item, failures, notBeforeMs) : undefined);
  }

  #timer(item: T, failures: number, notBeforeMs = 0): NodeJS.Timeout {
    const pause = backoffMs({ ...RETRY, failures, jitter: 'None' });
    const again = () => {
      this.#later.delete(item);
      this.#put(item);
    };
    return setTimeout(again, Math.max(pause, Math.min(notBeforeMs, RETRY.longestMs))).unref();
  }
}

function count(counts: Map<string, number>, tenant: string, change: 1 | -1): void {
  const now = (counts.get(tenant) ?? 0) + change;
  if (now === 0) counts.delete(tenant);
  else counts.set(tenant, now);
}
