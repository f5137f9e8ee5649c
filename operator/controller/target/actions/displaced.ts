import { type Deployment, type Displaced, isOnItsWay, type TargetRecord } from '../../record/record.ts';

/**
 * What a deployment that begins ends of what persons said, and of what waits, for when it is taken back on its way: then that
 * holds, and waits, again. What it overtakes on the way hands on what that ended: who takes back the last one does not mean to
 * let go for the others.
 *
 * @param before the record before the deployment was begun, with all that waited by then. @param after the same with what it changed
 */
export function displacedBy(
  before: Readonly<TargetRecord>,
  after: TargetRecord,
): Pick<Deployment, 'displaced'> {
  const handedOn = isOnItsWay(before.deployment) ? before.deployment.displaced : undefined;
  const hold = before.hold?.uid === after.hold?.uid ? undefined : before.hold;
  const cancelled = before.cancelled === after.cancelled ? undefined : before.cancelled;
  const rejected = [
    ...without(before.rejected, after.rejected),
    ...without(handedOn?.rejected, before.rejected),
  ];
  const waited = (before.waiting ?? []).filter(
    ({ asked }) => after.waiting?.every((one) => one.asked !== asked) !== false,
  );
  const displaced: Displaced = {
    ...(waited.length === 0 ? {} : { waiting: waited }),
    ...held(hold ?? (before.hold === undefined ? handedOn?.hold : undefined)),
    ...(rejected.length === 0 ? {} : { rejected }),
    ...tookBack(cancelled ?? (before.cancelled === undefined ? handedOn?.cancelled : undefined)),
  };
  return Object.keys(displaced).length === 0 ? {} : { displaced };
}

/** What is rejected when what is under way is taken back: not what a person left by it, and what that one lifted. */
export function rejectedWithout({
  rejected = [],
  deployment,
}: Pick<TargetRecord, 'rejected' | 'deployment'>): NonNullable<TargetRecord['rejected']> {
  // What a policy goes back from has failed.
  const isByPerson = deployment?.trigger === 'Rollback' && deployment.promoted !== undefined;
  const own = isByPerson ? rejected.filter(({ at }) => at !== deployment.startedAt) : rejected;
  const lifted = without(deployment?.displaced?.rejected, own);
  if (lifted.length === 0) return own;
  return [...own, ...lifted].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

function without(all: TargetRecord['rejected'] = [], others: TargetRecord['rejected'] = []) {
  return all.filter(({ digest }) => !others.some((one) => one.digest === digest));
}

function held(hold: Displaced['hold']): Pick<Displaced, 'hold'> {
  return hold === undefined ? {} : { hold };
}

function tookBack(cancelled: Displaced['cancelled']): Pick<Displaced, 'cancelled'> {
  return cancelled === undefined ? {} : { cancelled };
}
