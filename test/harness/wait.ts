import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { scaled } from './slowness.ts';

/** The true time, also in a test that has its own in place of it: else that would end the wait. */
const now = performance.now.bind(performance);

export interface EventuallyOptions {
  /**
   * Limit in milliseconds, for a machine that is fast enough (`scaled`). Only where the time itself is what is
   * promised, or where the default is too short; what comes in time ends the wait at once. Default 90,000.
   */
  within?: number;
  /** What is waited for, completing the sentence "waited 90 s for …". */
  describe?: string;
  /** Pause between looks in milliseconds; default 50. */
  every?: number;
}

/**
 * Calls `look` until it returns something truthy, and returns that. A throwing look counts as "not yet".
 *
 * @throws Error naming what was waited for, how long, and what the last look gave.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<Awaited<T>, false | null | undefined | 0 | ''>> {
  const { within = 90_000, describe = 'a condition', every = 50 } = options;
  const limit = scaled(within);
  const started = now();
  for (;;) {
    let last: string;
    let cause: unknown;
    try {
      const value = await look();
      if (value) return value as Exclude<Awaited<T>, false | null | undefined | 0 | ''>;
      last = `the last look returned ${inspect(value)}`;
    } catch (error) {
      cause = error;
      last = `the last look failed: ${error instanceof Error ? error.message : inspect(error)}`;
    }
    if (now() - started >= limit) {
      throw new Error(`waited ${limit / 1000} s for ${describe}; ${last}`, { cause });
    }
    await delay(every);
  }
}

/**
 * Looks again and again for so long, the last time when it has passed. Unlike in `eventually`, what `look` or `check`
 * throws ends it: for what must be so at every moment. `every`: pause between looks in milliseconds, default 5.
 */
export async function always<T>(
  look: () => T | Promise<T>,
  check: (value: Awaited<T>) => void,
  milliseconds: number,
  { every = 5 }: Pick<EventuallyOptions, 'every'> = {},
): Promise<void> {
  const until = now() + milliseconds;
  for (let left = milliseconds; ; left = until - now()) {
    check(await look());
    if (left <= 0) return;
    await delay(Math.min(every, left));
  }
}
