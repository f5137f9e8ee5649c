import type { TowpathError } from '../api/errors.ts';

const firstRetryMs = 1_000;
const maxRetryMs = 30_000;

/**
 * Milliseconds until the next poll of a repository: its interval, give or take a tenth; after failures that
 * time heals, twice as long with each, at most 30 s, less up to a half.
 *
 * @param random between 0 and 1.
 */
export function pollDelay(
  intervalMs: number,
  last: { error: TowpathError | undefined; failures: number },
  random: number,
): number {
  if (last.error?.remedy !== 'Time') return intervalMs * (0.9 + random / 5);
  const backoff = firstRetryMs * 2 ** Math.min(Math.max(0, last.failures - 1), 10);
  return Math.min(maxRetryMs, backoff) * (0.5 + random / 2);
}
