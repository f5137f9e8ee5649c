import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { backoffMs } from '../../retry/backoff.ts';

/** Milliseconds until the next try, as spec.sync.retries says: never longer than its maxBackoff. */
export function syncRetryMs({ spec }: Application, failures: number, random: number): number {
  const { backoff, maxBackoff } = spec.sync.retries;
  const pace = { firstMs: parseDuration(backoff), longestMs: parseDuration(maxBackoff) };
  return backoffMs({ ...pace, failures, jitter: 'Fifth', random });
}
