import type { TowpathError } from '../api/errors.ts';
import { backoffMs } from '../retry/backoff.ts';

const RETRY = { firstMs: 1_000, longestMs: 30_000 };

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
  return backoffMs({ ...RETRY, failures: last.failures, jitter: 'Half', random });
}
