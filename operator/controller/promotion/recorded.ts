import type { Outcome, Trigger } from '../../api/v1alpha1/application.ts';
import type { PromotionPhase } from '../../api/v1alpha1/promotion.ts';
import type { Deployed, PromotedBy } from '../record/record.ts';
import type { Recorded } from './promotion-of.ts';

/** What of a deployment the ledger tells, from its record or from the history of a status. */
export interface Told {
  readonly id: number;
  readonly candidate: Recorded['candidate'];
  readonly trigger: Trigger;
  readonly startedAt: string;
  readonly outcome?: Outcome;
  readonly finishedAt?: string;
  readonly message?: string;
  /** What a policy wanted of it once it was deployed. */
  readonly verify?: {
    readonly onFailure: 'Rollback' | 'Keep';
    readonly outcome?: 'Passed' | 'Failed';
    readonly endedAt?: string;
    readonly wentBack?: string;
  };
  /** The Promotion of a person that records it. */
  readonly promoted?: PromotedBy;
  /** By which it entered. */
  readonly approvals?: Recorded['approvals'];
}

/** What it was recorded for, and what came before and after it. */
export interface Around {
  readonly target: string;
  readonly applicationUID: string;
  readonly previous: Pick<Deployed, 'digest' | 'revision'> | undefined;
  /** When the next one began: it goes on no longer. */
  readonly overtakenAt?: string;
}

export function recordedOf(told: Told, { target, applicationUID, previous, overtakenAt }: Around): Recorded {
  const { id, candidate, trigger, startedAt, message, promoted, approvals } = told;
  const phase = phaseOf(told, overtakenAt);
  return Object.freeze({
    target,
    applicationUID,
    id,
    candidate,
    trigger,
    startedAt,
    previous,
    phase,
    ...endsOf(told, phase, overtakenAt),
    ...(message === undefined ? {} : { message }),
    ...(promoted === undefined ? {} : { inPlaceOf: promoted }),
    ...(approvals === undefined ? {} : { approvals }),
  });
}

/** When it was deployed, and when it came to its end: what a policy wants of it is decided later. */
export function endsOf(
  { outcome, finishedAt: endedAt, verify }: Pick<Told, 'outcome' | 'finishedAt' | 'verify'>,
  phase: PromotionPhase,
  overtakenAt: string | undefined,
): Pick<Recorded, 'deployedAt' | 'finishedAt'> {
  const isDeployed = outcome === 'Succeeded' && endedAt !== undefined;
  const isUndecided = phase === 'Superseded' && outcome === 'Succeeded';
  const finishedAt = isUndecided ? overtakenAt : (verify?.endedAt ?? endedAt ?? overtakenAt);
  return {
    ...(isDeployed ? { deployedAt: endedAt } : {}),
    ...(finishedAt === undefined ? {} : { finishedAt }),
  };
}

/** Where it is. What was deployed is watched until that is decided, and until what failed is gone back from. */
function phaseOf({ outcome, verify }: Told, overtakenAt: string | undefined): PromotionPhase {
  const isOver = overtakenAt !== undefined;
  if (outcome === undefined) return isOver ? 'Superseded' : 'Deploying';
  // A moment later it has failed to verify, too, and may be gone back from.
  if (outcome === 'Failed' && verify?.outcome === undefined && verify !== undefined && !isOver)
    return 'Verifying';
  if (verify?.outcome === 'Failed' && !isOver && verify.onFailure === 'Rollback')
    return verify.wentBack === undefined ? 'Verifying' : 'Failed';
  if (outcome !== 'Succeeded' || verify === undefined || verify.outcome === 'Passed') return outcome;
  if (verify.outcome === 'Failed') return 'Failed';
  return isOver ? 'Superseded' : 'Verifying';
}
