import { tookBack, withCancelled } from '../../../promote/cancelled.ts';
import type { Command } from '../../../promote/command.ts';
import { withAnswer } from '../../../promote/hold.ts';
import type { TargetRecord } from '../../record/record.ts';
import { stillWaiting } from '../../record/waiting.ts';
import { rejectedWithout } from './displaced.ts';

/**
 * Ends in the record what a person takes back: neither as failed nor as rejected, and its manifests do not come back by
 * themselves. What it ended of what others held, rejected or took back holds again, and what waited does. Of a rollback nothing is left, neither the
 * hold nor that what it left is rejected. Pure, but for the record.
 *
 * @param said what becomes of the environment, as a sentence
 */
export function takeBack(record: TargetRecord, cancel: Command, said: string, at: string): void {
  const { deployment: left } = record;
  if (left === undefined) throw new Error('there is nothing to take back');
  const { promotion, by, uid } = cancel;
  const message = tookBack(cancel);
  const rejected = rejectedWithout(record);
  waitAgain(record);
  const { verify: _, displaced, ...ended } = left;
  record.deployment = { ...ended, outcome: 'Cancelled', finishedAt: at, message };
  const answered = withAnswer(record.answered ?? [], {
    uid,
    phase: 'Succeeded',
    message: `Promotion ${cancel.about ?? ''} is taken back. ${said}`,
  });
  // Its status may not say so before what ended is told, and forgotten.
  const its = left.promoted && { uid: left.promoted.uid, phase: 'Cancelled' as const, message };
  record.answered = its === undefined ? answered : withAnswer(answered, its);
  if (rejected.length > 0 || record.rejected !== undefined) record.rejected = rejected;
  if (record.hold?.uid === left.promoted?.uid) delete record.hold;
  if (record.hold === undefined && displaced?.hold !== undefined) record.hold = displaced.hold;
  const before = displaced?.cancelled ?? record.cancelled;
  if (left.trigger !== 'Rollback')
    record.cancelled = withCancelled(before, { digest: left.candidate.digest, promotion, by, at });
  else if (before !== undefined) record.cancelled = before;
}

/** What is on its way is as if it had never been; of too many that wait the oldest goes with the next one that comes. */
export function waitAgain(record: TargetRecord): void {
  const waiting = stillWaiting(record);
  if (waiting.length > 0) record.waiting = waiting;
}
