import type { TowpathError } from '../api/errors.ts';
import { pollDelay } from './poll-delay.ts';

/** What is asked again and again whether it changed. */
export interface Polled {
  /** As the last poll left it. */
  readonly error: TowpathError | undefined;
  /** Polls that failed in a row. */
  readonly failures: number;
  /** On the clock of performance.now(). */
  readonly checkedAt: number | undefined;
  /** The poll that is under way, or a new one. It may reject. */
  pollOnce(): Promise<unknown>;
}

export interface PollTimerOptions {
  /** Milliseconds; the shortest of all who follow it. */
  interval(): number;
  /** Between 0 and 1. Spreads polls. */
  random(): number;
}

/** Has something polled once in each interval, and sooner after failures that time heals. */
export class PollTimer {
  readonly #polled: Polled;
  readonly #options: PollTimerOptions;
  #timer: NodeJS.Timeout | undefined;
  /** When it fires, on the clock of performance.now(); undefined: not begun, or stopped. */
  #dueAt: number | undefined;
  #isStopped = false;

  constructor(polled: Polled, options: PollTimerOptions) {
    this.#polled = polled;
    this.#options = options;
  }

  /** Sets when the next poll is due. */
  schedule(delayMs: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + delayMs;
    this.#timer = setTimeout(() => void this.#poll(), delayMs);
  }

  /** Somebody came whose interval may be shorter than what is set, or it failed. */
  bringForward(): void {
    if (this.#isStopped) return;
    const delay = this.#delay();
    if (this.#dueAt !== undefined && performance.now() + delay < this.#dueAt) this.schedule(delay);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    const pause = this.#untilDue();
    if (pause > 0) return this.schedule(pause);
    await this.#polled.pollOnce().catch(() => undefined);
    this.schedule(this.#delay());
  }

  /** How long a poll that someone asked for in the meantime puts off the regular one. */
  #untilDue(): number {
    const { checkedAt, error } = this.#polled;
    if (checkedAt === undefined || error !== undefined) return 0;
    return checkedAt + this.#options.interval() * 0.8 - performance.now();
  }

  #delay(): number {
    return pollDelay(this.#options.interval(), this.#polled, this.#options.random());
  }
}

/** The first polls of many things at once (a restart) are this far apart. Milliseconds. */
const SPACING_MS = 20;

/** Spreads first polls. */
export class FirstPolls {
  #nextAt = 0;

  /** Milliseconds until the first poll of one more. */
  next(): number {
    const now = performance.now();
    this.#nextAt = Math.max(now, this.#nextAt + SPACING_MS);
    return this.#nextAt - now;
  }
}
