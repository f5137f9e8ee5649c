import type { KubeClient } from '../../kube/client.ts';
import { namespaceOf } from '../record/application-key.ts';
import { Queue, type QueueOptions } from '../work/queue.ts';
import { isDefect } from './failed-looks.ts';

/** How many are worked on at once; those that wait longer than a second lend their place on. */
export const CONCURRENCY = 32;
const LEND_AFTER_MS = 1_000;
/** What was interrupted has so long to end before it is abandoned. */
export const ABANDON_AFTER_MS = 30_000;
/** What goes on for so long is told: a hook may take as long, or something is lost that it waits for. */
const LONG_MS = 10 * 60_000;

/** A queue of targets or Applications, by their names: namespaces take turns, and what hangs delays nobody. */
export function pacedQueue(
  home: Pick<KubeClient, 'saturated'>,
  options: Pick<
    QueueOptions,
    'work' | 'observer' | 'slices' | 'spareMs' | 'isFirst' | 'onError' | 'onLeft'
  > & {
    onLong(key: string, seconds: number): void;
  },
): Queue {
  return new Queue({
    ...options,
    tenantOf: namespaceOf,
    concurrency: CONCURRENCY,
    lendAfterMs: LEND_AFTER_MS,
    // What only waits for its turn at the API server would not come sooner with more of its kind beside it.
    mayLend: () => !home.saturated,
    // What others answered to a look that was interrupted, the next one hears anew; a defect may have no next time.
    onLateError: (key, error) => {
      if (isDefect(error)) options.onError(key, error);
    },
    leaveAfterMs: ABANDON_AFTER_MS,
    longMs: LONG_MS,
    onLong: (key, ageMs) => options.onLong(key, ageMs / 1_000),
  });
}
