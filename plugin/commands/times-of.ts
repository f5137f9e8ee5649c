import { type Range, readTimes } from '../ledger/times.ts';
import { clusterTime } from '../who-am-i.ts';
import type { Context } from './command.ts';

/**
 * The times that `--time` names. What was recorded was so by the cluster's clock, and so `2h` is two hours before that: the
 * user's own may be wrong, and counts only where the cluster's does not say.
 *
 * @throws CommandError for what names none
 */
export async function timesOf(
  { kubectl, signal, now }: Pick<Context, 'kubectl' | 'signal' | 'now'>,
  text: string,
): Promise<Date | Range> {
  return readTimes(text, (await clusterTime(kubectl, signal)) ?? now());
}
