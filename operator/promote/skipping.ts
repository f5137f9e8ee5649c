/** What of the gates is left for a candidate that a person promotes. Pure. */

import type { SkippableGate } from '../api/v1alpha1/promotion.ts';
import type { BlockedBy } from './gate.ts';

/** Which gate a reason is of; what is not here nobody passes by. */
const GATE_OF: Readonly<Record<string, SkippableGate>> = {
  Soak: 'soak',
  OutsideWindow: 'windows',
  WindowInvalid: 'windows',
  AwaitingApproval: 'approvals',
  Rejected: 'approvals',
  AdmissionPolicyMissing: 'approvals',
  ApprovalsUnknown: 'approvals',
  Checks: 'checks',
  Frozen: 'freeze',
  Order: 'order',
  StageEmpty: 'order',
};

/** What says not now, or not this, of what has entered before as well. */
const OF_RETRY: ReadonlySet<string> = new Set([
  'Frozen',
  'OutsideWindow',
  'WindowInvalid',
  'Rejected',
  // There may be one of these in the policy that holds once one does, whichever that is.
  'PolicyContested',
  // There may be one of these, and nobody can see it.
  'EnvironmentsUnknown',
  'PoliciesUnknown',
  'ApprovalsUnknown',
]);

/** What the stage before is asked about. */
const OF_STAGE_BEFORE: readonly SkippableGate[] = ['order', 'soak', 'checks'];

/** Whether what enters has not passed the stage before, for all that is known. */
export function skipsStageBefore(skipGates: readonly SkippableGate[]): boolean {
  return skipGates.some((gate) => OF_STAGE_BEFORE.includes(gate));
}

/**
 * What keeps a candidate out that a person promotes: all but the gates that are skipped, and what is there so that
 * nothing enters by itself.
 */
export function leftAfterSkipping(
  blockedBy: readonly BlockedBy[],
  skipGates: readonly SkippableGate[],
): readonly BlockedBy[] {
  return blockedBy.filter((one) => {
    if (one.untilPromoted === true) return false;
    const gate = GATE_OF[one.reason];
    return gate === undefined || !skipGates.includes(gate);
  });
}

/** What keeps out what failed, and a person has tried once more: no gate that it passed as it entered. */
export function leftForRetry(blockedBy: readonly BlockedBy[]): readonly BlockedBy[] {
  return blockedBy.filter(({ reason }) => OF_RETRY.has(reason));
}
