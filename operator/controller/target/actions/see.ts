import { environmentOf } from '../../../api/v1alpha1/application.ts';
import { isBlank, whereLost } from '../lost-record.ts';
import { recallHistory } from '../recall-history.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { whyUnseen } from '../words/unreachable-cluster.ts';
import { noteManagedRole, writeAhead } from './write-ahead.ts';

/** Begins each look: what the status tells of the record is noted, and the target's objects are watched, also those of a record that is lost. */
export async function see(run: Run, { memory }: TargetState): Promise<Outcome> {
  const { parts, application, target, context } = run;
  const { record, access, inventory, signal } = context;
  const history = environmentOf(application.status, target.environment)?.history ?? [];
  recallHistory(record, history, (ended) => parts.ledger.isRecorded(target.name, ended));
  await stays(run);
  try {
    await accessMade(run);
    // Nothing is looked for as an account that it may not act as: that waits until it may again.
    const isLost = target.refusal === undefined && isBlank(record);
    const lostKinds = isLost
      ? (memory.lostKinds ?? (await whereLost(application, target, access)).kinds)
      : undefined;
    if (lostKinds !== undefined) record.kinds = [...lostKinds];
    await inventory.watches.ensure(record.kinds, access);
    await inventory.seeAutoscalers(access);
    await seeFormer(run);
    return { type: 'Seen', ...(lostKinds === undefined ? {} : { lostKinds }) };
  } catch (error) {
    signal.throwIfAborted();
    return { type: 'Unseen', error: await whyUnseen(parts, target, error, signal) };
  }
}

/**
 * It was to end, and is wanted again: the consent was to what was there then. Where that cannot be written, the look
 * fails, and the next one tries it again: what stays in the record would be consent to another plan, later.
 */
async function stays({ context }: Run): Promise<void> {
  if (context.record.ending === undefined) return;
  await writeAhead(context, (changed) => {
    delete changed.ending;
  });
}

/**
 * What comes first, before anything is watched or asked as the account. Where something runs, the account is trusted to
 * be as it was until the API server refuses it, so that nothing is asked at rest.
 */
async function accessMade({ parts, target, context, startedAt }: Run): Promise<void> {
  if (target.refusal !== undefined) return;
  const { record, signal } = context;
  // Another ClusterRole than the one that was bound, perhaps before this process began: a narrower one is to hold at once.
  // Of a deployment that is older than that field nobody knows what was bound for it.
  const isNew = record.deployment === undefined;
  const isKnown = record.managedRole !== undefined || !isNew;
  const isOther = isKnown && record.managedRole !== target.managedRole;
  // Where nothing may be written, nothing is made for it either; whose account it is has to be known to look around, too.
  const isSuspended = target.settings.suspended !== undefined && target.landsByLabel === undefined;
  // But a tenant that suspends its Application is not to keep what the platform takes away.
  if (isSuspended && !isOther) return;
  const when = { since: startedAt, ifMissing: isSuspended ? 'Leave' : 'Make' } as const;
  if (isOther) parts.access.doubt(target);
  if (isNew || parts.access.isInDoubt(target)) await parts.access.ready(target, when, signal);
  if (isOther) await writeAhead(context, (changed) => noteManagedRole(changed, target));
}

/** What it takes over of others is watched as theirs until then: who else decides what of it. */
async function seeFormer({ parts, target, context }: Run): Promise<void> {
  const { access, inventory } = context;
  for (const former of target.takesOver ?? []) {
    const kinds = parts.store.get(former)?.kinds ?? [];
    const user = { ...access, targetId: former.id, targetName: former.name };
    try {
      await inventory.watches.ensure(kinds, user);
      await inventory.seeAutoscalers(user);
    } catch {
      // What this account may not see it cannot take over either.
      access.signal.throwIfAborted();
    }
  }
}
