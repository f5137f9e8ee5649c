import { TowpathError } from '../../../api/errors.ts';
import type { HealthState } from '../../../api/v1alpha1/application.ts';
import { type Gap, healthyMs, type Soak, soakAfter } from '../../../promote/soak.ts';
import { isUndecided } from '../../../promote/verify.ts';
import { isUndisturbed } from '../../cluster/undisturbed.ts';
import { putBack } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import { isSoakAsked, shownBy } from '../promotion.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { healthNow } from '../words/facts-of-look.ts';
import { noteVerify, seenAs } from './note-verify.ts';

/**
 * Has the record say since when what runs is healthy, where that changed, and whether that is what its policy wants of
 * it. Where the record cannot be written, it counts all the same, and is written with whatever is next.
 *
 * @throws where what was decided by that could not be written: then it is not decided
 */
export async function noteHealth(run: Run, state: TargetState): Promise<Outcome> {
  const { context, parts, target } = run;
  const { record, store, signal } = context;
  const live = healthNow(run, state);
  // The first look of a process, or since it leads again.
  const gap = parts.evidence.knows(target) ? undefined : await gapOf(run, state, live.state);
  const before = { ...record };
  if (state.soaks) noteSoak(run, state, live.state, gap);
  const isDecided = noteVerify(run, state, live, gap);
  if (record.soak === before.soak && record.deployment === before.deployment) return { type: 'HealthNoted' };
  try {
    await store.save(record, { signal });
  } catch (error) {
    if (isDecided) putBack(record, before);
    signal.throwIfAborted();
    if (isDecided || !(error instanceof TowpathError)) throw error;
  }
  const { outcome, onFailure } = record.deployment?.verify ?? {};
  // What failed on its way was never verified: that is one more deployment that failed.
  const isVerified = isDecided && before.deployment?.outcome !== 'Failed';
  if (isVerified && outcome !== undefined && onFailure !== undefined)
    parts.onVerified(target.application, { outcome, onFailure });
  return { type: 'HealthNoted' };
}

/** What was going on in it is found out where that counts, and for nobody else. */
async function gapOf(run: Run, state: TargetState, live: HealthState): Promise<Gap> {
  const { context, parts } = run;
  const { record, access, inventory } = context;
  const from = parts.ledUntil();
  const { soak, deployment } = record;
  const isVerified = isUndecided(deployment?.verify) && deployment.verify.since !== undefined;
  const isCounting = state.soaks && soak?.since !== undefined && !isLongEnough(run, soak);
  if (shownBy(state, live).health !== 'Healthy' || !(isCounting || isVerified)) return { from };
  const known = from ?? new Date(soak?.since ?? deployment?.verify?.since ?? context.now());
  // By the clock of what is compared with it.
  const since = new Date(known.getTime() + context.clusterNow().getTime() - context.now().getTime());
  const objects = inventory.of(access.targetId).values();
  return (await isUndisturbed(access, objects, since)) ? { from, isUndisturbed: true } : { from };
}

function noteSoak(run: Run, state: TargetState, live: HealthState, gap: Gap | undefined): void {
  const { record } = run.context;
  const soak = soakNow(run, state, live, gap);
  if (soak === undefined) delete record.soak;
  else record.soak = soak;
}

function soakNow(run: Run, state: TargetState, live: HealthState, gap: Gap | undefined): Soak | undefined {
  const { context, target } = run;
  const { soak: before } = context.record;
  const now = context.now();
  const { digest, health } = shownBy(state, live);
  const after = soakAfter(before, {
    digest,
    health: seenAs(health, live),
    now,
    ...(gap === undefined ? {} : { gap }),
    ...(mayBeAsked(target) ? {} : { unasked: true as const }),
  });
  return gap !== undefined &&
    isLongEnough(run, after) &&
    after?.since !== undefined &&
    before?.since !== undefined
    ? before
    : after;
}

/** What has soaked is not written anew by each process that begins: nobody waits for more of it. */
function isLongEnough({ target: { governance }, context }: Run, soak: Soak | undefined): boolean {
  if (governance.is !== 'InStage' || governance.soakedMs === undefined || soak === undefined) return false;
  return healthyMs(soak, context.now()) >= governance.soakedMs;
}

/** Where it is not known which policies there are, one may ask for it. */
function mayBeAsked(target: Pick<Target, 'governance'>): boolean {
  return target.governance.is === 'Unknown' || isSoakAsked(target);
}
