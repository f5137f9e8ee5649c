import { TowpathError } from '../../api/errors.ts';

/** How long a look at an Application that runs already waits for a Git server or a chart repository. */
export const ANSWER_MS = 3_000;

/** `Limited`: something runs, and is not left alone for as long as a server hangs (A4). */
export type Patience = 'Limited' | 'Unlimited';

/** @param kept candidates whose manifests are kept: with any, something runs. */
export function patienceWith(kept: readonly unknown[]): Patience {
  return kept.length === 0 ? 'Unlimited' : 'Limited';
}

/**
 * Asks, and gives up waiting where that takes longer than there is patience for. What is asked for may go on.
 *
 * @param late what to tell then: who has not done what for so many seconds.
 * @throws TowpathError Timeout, what asking throws, or the signal's reason.
 */
export async function patiently<T>(
  patience: Patience,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
  late: (seconds: number) => string,
): Promise<T> {
  if (patience === 'Unlimited') return ask(signal);
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    return await ask(AbortSignal.any([signal, limit]));
  } catch (error) {
    signal.throwIfAborted();
    if (error !== limit.reason) throw error;
    const message = `${late(ANSWER_MS / 1_000)}: it is waited for, and what runs is looked after meanwhile.`;
    throw new TowpathError('Time', 'Timeout', message);
  }
}
