/**
 * By how much chance shortens a pause, so that those who failed together do not try again together: not at all, by up
 * to a fifth or a half, or by up to all of it.
 */
export type Jitter = { jitter: 'None' } | { jitter: 'Fifth' | 'Half' | 'Full'; random: number };

export type Backoff = {
  /** In a row, the last one included: 1 after the first. */
  failures: number;
  /** Before the first try again, in milliseconds. */
  firstMs: number;
  /** However many failed, and also where the first is longer. */
  longestMs: number;
} & Jitter;

const SHARE = { Fifth: 0.2, Half: 0.5, Full: 1 };
/** Doubled more often than this, a millisecond is longer than any pause. */
const MOST_DOUBLINGS = 50;

/** Milliseconds until what failed is tried again: twice as long with each failure. `random` is between 0 and 1. */
export function backoffMs({ failures, firstMs, longestMs, ...jitter }: Backoff): number {
  const doublings = Math.min(Math.max(0, failures - 1), MOST_DOUBLINGS);
  return shortened(Math.min(firstMs * 2 ** doublings, longestMs), jitter);
}

/** A pause less what chance takes of it: never longer. */
export function shortened(pauseMs: number, jitter: Jitter): number {
  if (jitter.jitter === 'None') return pauseMs;
  return pauseMs * (1 - SHARE[jitter.jitter] * (1 - jitter.random));
}
