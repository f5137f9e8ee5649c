import { tookBack } from '../../../promote/cancelled.ts';
import type { Command } from '../../../promote/command.ts';
import { withAnswer } from '../../../promote/hold.ts';
import type { Rejection } from '../../../promote/rejection.ts';
import type { Deployment, TargetRecord } from '../../record/record.ts';

/**
 * Ends in the record what a person takes back: neither as failed nor as rejected, and its manifests do not come back by
 * themselves. Of a rollback nothing is left, neither the hold nor that what it left is rejected. Pure, but for the record.
 *
 * @param said what becomes of the environment, as a sentence
 */
export function takeBack(record: TargetRecord, cancel: Command, said: string, at: string): void {
  const { deployment: left } = record;
  if (left === undefined) throw new Error('there is nothing to take back');
  const { promotion, by, uid } = cancel;
  const message = tookBack(cancel);
  const { verify: _, ...ended } = left;
  record.deployment = { ...ended, outcome: 'Cancelled', finishedAt: at, message };
  const answered = withAnswer(record.answered ?? [], {
    uid,
    phase: 'Succeeded',
    message: `Promotion ${cancel.about ?? ''} is taken back. ${said}`,
  });
  // Its status may not say so before what ended is told, and forgotten.
  const its = left.promoted && { uid: left.promoted.uid, phase: 'Cancelled' as const, message };
  record.answered = its === undefined ? answered : withAnswer(answered, its);
  const rejected = rejectedWithout(record);
  if (rejected !== undefined) record.rejected = rejected;
  if (record.hold?.uid === left.promoted?.uid) delete record.hold;
  if (left.trigger !== 'Rollback') record.cancelled = { digest: left.candidate.digest, promotion, by, at };
}

/** What is rejected, but for what the rollback under way left. */
export function rejectedWithout({
  rejected,
  deployment,
}: Pick<TargetRecord, 'rejected' | 'deployment'>): readonly Rejection[] | undefined {
  if (!isByPerson(deployment)) return rejected;
  return rejected?.filter(({ at }) => at !== deployment?.startedAt);
}

/** What a policy goes back from has failed. */
function isByPerson(deployment: Deployment | undefined): boolean {
  return deployment?.trigger === 'Rollback' && deployment.promoted !== undefined;
}
