import { TowpathError } from '../../../api/errors.ts';
import type { HealthState } from '../../../api/v1alpha1/application.ts';
import { type Counted, healthyMs, type Soak, soakAfter } from '../../../promote/soak.ts';
import { shownBy } from '../promotion.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { healthNow } from '../words/facts-of-look.ts';

/**
 * Has the record say since when what runs is healthy, where that changed. Where the record cannot be written, it counts
 * all the same, and is written with whatever is next.
 */
export async function noteHealth(run: Run, state: TargetState): Promise<Outcome> {
  const { record, store, signal } = run.context;
  const soak = soakNow(run, state);
  if (soak === record.soak) return { type: 'HealthNoted' };
  if (soak === undefined) delete record.soak;
  else record.soak = soak;
  try {
    await store.save(record, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TowpathError)) throw error;
  }
  return { type: 'HealthNoted' };
}

function soakNow(run: Run, state: TargetState): Soak | undefined {
  const { context, parts, target } = run;
  const { soak: before } = context.record;
  const now = context.now();
  const { state: live } = healthNow(run, state);
  const { digest, health } = shownBy(state, live);
  // The first look of a process, or since it leads again.
  const gap = parts.evidence.knows(target) ? undefined : { from: parts.ledUntil() };
  const after = soakAfter(before, {
    digest,
    health: countedAs(health, live),
    now,
    ...(gap === undefined ? {} : { gap }),
  });
  return gap !== undefined &&
    isLongEnough(run, after) &&
    after?.since !== undefined &&
    before?.since !== undefined
    ? before
    : after;
}

function countedAs(shown: ReturnType<typeof shownBy>['health'], live: HealthState): Counted {
  if (shown === 'Healthy') return 'Healthy';
  return shown === 'NotHealthy' && (live === 'Degraded' || live === 'Missing') ? 'Broken' : 'Paused';
}

/** What has soaked is not written anew by each process that begins: nobody waits for more of it. */
function isLongEnough({ target: { governance }, context }: Run, soak: Soak | undefined): boolean {
  if (governance.is !== 'InStage' || soak === undefined) return false;
  return healthyMs(soak, context.now()) >= (governance.soakedMs ?? 0);
}
