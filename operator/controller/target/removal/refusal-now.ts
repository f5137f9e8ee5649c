import { TowpathError } from '../../../api/errors.ts';
import type { Target } from '../../record/target.ts';
import { ACCESS_GOOD_MS, type Parts } from '../run.ts';

/**
 * Why nothing new may be done as the account of a target that is to end: its Environment does not take it, or its namespace is
 * labelled for others, which is read anew where it was not for a while (S16). Undefined: nothing stands against it.
 *
 * @throws TowpathError with what else keeps its access from being as it has to be
 */
export async function refusalNow(
  { access }: Pick<Parts, 'access'>,
  target: Target,
  signal: AbortSignal,
): Promise<TowpathError | undefined> {
  const { refusal } = target;
  if (refusal !== undefined && !access.isInDoubt(target)) return refusal;
  try {
    // Without a namespace there is nothing left to delete, and no reason to make one.
    const when = { since: performance.now() - ACCESS_GOOD_MS, ifMissing: 'Leave' } as const;
    await access.ready(target, when, signal);
    return refusal;
  } catch (error) {
    if (!(error instanceof TowpathError) || error.reason !== 'NamespaceNotManaged') throw error;
    return refusal ?? error;
  }
}
