import { TowpathError } from '../../api/errors.ts';
import { partsOf } from '../../api/v1alpha1/revision.ts';
import { admittedIn, type Candidate, candidateKey } from '../record/record.ts';
import type { Run } from './run.ts';
import { type KnownNewest, tellsOfRefusal } from './session.ts';
import type { Findings } from './state.ts';

/**
 * What was accepted and waits, where its Git server does not say what it has now: as far as anybody knows, and for the same
 * spec, that is still the newest (A4).
 */
export function acceptedIn(run: Run, { wanted, obstacle }: Findings): Candidate | undefined {
  const { application, target, context } = run;
  const { pending } = context.record;
  if (pending === undefined || wanted !== undefined || obstacle?.at !== 'Resolving') return undefined;
  const { error } = obstacle;
  if (!(error instanceof TowpathError) || error.remedy !== 'Time') return undefined;
  if (pending.generation !== application.metadata.generation) return undefined;
  const key = candidateKey(pending);
  // Who signed what ran and was left is to be found out anew, and that is not to be had now.
  if (application.spec.helm?.chart?.verify !== undefined && !admittedIn(context.record).has(key))
    return undefined;
  const accepted = context.store.candidatesOf(target).find((one) => candidateKey(one) === key);
  return accepted === undefined || isOvertaken(run, accepted) ? undefined : accepted;
}

/**
 * Whether something newer is known, or that it is refused in principle: by what this process found out, and as long as that is
 * nothing by what an earlier one told. The looks that cannot ask any more tell of neither.
 */
function isOvertaken(
  { application, target, parts, session: { known, wasRefused }, isOneOfSeveral }: Run,
  accepted: Candidate,
): boolean {
  if (tellsOfRefusal(application, target)) return true;
  if (wasRefused && known?.candidate === undefined) return true;
  if (known === undefined) return false;
  if (known.isRefused === true || !isOf(known, accepted)) return true;
  if (known.asked === undefined || !isOneOfSeveral) return false;
  const all = parts.specifiedTargets(target.application);
  return parts.verdicts.others(target, known.asked, all).refused.length > 0;
}

/** A commit that changes nothing comes to the same candidate, which is kept with the one that it was seen at first. */
function isOf({ candidate, version, commit }: KnownNewest, accepted: Candidate): boolean {
  if (candidate !== undefined) return candidate === candidateKey(accepted);
  const its = partsOf(accepted.revision);
  return (version ?? its.version) === its.version && (commit ?? its.commit) === its.commit;
}
