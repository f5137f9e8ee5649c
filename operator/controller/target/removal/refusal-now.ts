import { TowpathError } from '../../../api/errors.ts';
import type { Target } from '../../record/target.ts';
import { ACCESS_GOOD_MS, type Parts } from '../run.ts';

/**
 * Why nothing new may be done as the account of a target that is to end: its Environment does not take it, or its namespace is
 * labelled for others, which is read anew where it was not for a while (S16). Undefined: nothing stands against it.
 *
 * @throws TowpathError with what keeps that from being known; where its access is in doubt, with what else keeps it from being as
 *   it has to be
 */
export async function refusalNow(
  { access }: Pick<Parts, 'access'>,
  target: Target,
  signal: AbortSignal,
): Promise<TowpathError | undefined> {
  const { refusal } = target;
  const isInDoubt = access.isInDoubt(target);
  if (refusal !== undefined && !isInDoubt) return refusal;
  const since = performance.now() - ACCESS_GOOD_MS;
  try {
    // Without a namespace there is nothing left to delete, and no reason to make one.
    if (isInDoubt) await access.ready(target, { since, ifMissing: 'Leave' }, signal);
    // What the account has it has until the API server refuses it, whatever would be bound for it now.
    else await access.labelled(target, since, signal);
    return refusal;
  } catch (error) {
    if (!(error instanceof TowpathError) || error.reason !== 'NamespaceNotManaged') throw error;
    return refusal ?? error;
  }
}
