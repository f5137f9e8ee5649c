import type { LiveObject } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import { keepReason } from '../../../manifest/never-pruned.ts';
import type { Deployment } from '../../record/record.ts';
import {
  type Advance,
  type DeployContext,
  findDeleted,
  type Progress,
  type PruneHeld,
} from '../deploy-context.ts';
import type { Planning } from '../planning.ts';
import { depart, describeDeparture } from './delete-in-stages.ts';

/** Whether pruning may go on. */
export type Consent = { state: 'NotNeeded' } | PruneHeld;

/**
 * Whether a person has to consent before exactly this is deleted (D2). Of a deployment whose pruning began with
 * consent the rest needs none.
 */
export async function consentTo(
  context: DeployContext,
  planning: Planning,
  deployment?: Deployment,
): Promise<Consent> {
  // Only what has no objects at all would delete everything.
  if (planning.objects.length > 0) return { state: 'NotNeeded' };
  const planned = await planning.planPruning();
  const isEverything = planned.prune.length > 0;
  if (!isEverything || context.settings.consent === planned.pruneDigest) return { state: 'NotNeeded' };
  const { applied } = context.record;
  const isRest = planned.prune.every((live) => applied.get(objectKey(live))?.uid === live.uid);
  if (deployment?.consented === true && isRest) return { state: 'NotNeeded' };
  return { state: 'PruneHeld', digest: planned.pruneDigest, objects: planned.prune.map(idOf) };
}

/**
 * Deletes what is no longer desired, before the hooks that come after an upgrade, as Helm does: stage by stage, each
 * when the one before is gone (D15). Done: nothing is left that has to go.
 */
export async function prune(
  context: DeployContext,
  deployment: Deployment,
  planning: Planning,
  result: Advance,
): Promise<Progress> {
  const { record, store, unreported } = context;
  const planned = await planning.planPruning();
  findDeleted(context, 'pruned', planned.prune);
  result.kept = planned.kept;
  const consent = await consentTo(context, planning, deployment);
  if (consent.state === 'PruneHeld') return consent;
  const desired = new Set(planning.objects.map(objectKey));
  const leaving = [...planned.prune, ...goingOf(context, desired)];
  if (leaving.length > 1 && planning.objects.length === 0) await noteConsent(context, deployment);
  unreported.deleting('pruned', planned.prune);
  const { deleted, refusal, goingNow, left } = await depart(context.access, leaving, 'prune');
  if (planned.prune.length > 0) store.changed(record);
  unreported.deleted('pruned', deleted);
  // What was kept after all, because it changed in the meantime, says so.
  if (deleted.length < planned.prune.length) result.kept = (await planning.plan()).kept;
  context.moving.leave(planned.kept);
  const stillThere = new Set([...left].map(objectKey));
  for (const key of record.applied.keys()) {
    if (desired.has(key) || stillThere.has(key)) continue;
    record.applied.delete(key);
    store.changed(record);
  }
  if (refusal !== undefined) throw refusal;
  if (goingNow === undefined) return { state: 'Done' };
  return { state: 'Pruning', message: `Pruning: ${describeDeparture(goingNow, left)}` };
}

/** What is being deleted already, and is to be gone before anything of a later stage goes. */
function goingOf({ inventory, access }: DeployContext, desired: ReadonlySet<string>): LiveObject[] {
  return [...inventory.of(access.targetId)]
    .filter(
      ([key, live]) =>
        live.deleting &&
        !live.hook &&
        !desired.has(key) &&
        keepReason(live, { ...access, prune: true }) === undefined,
    )
    .map(([, live]) => live);
}

/** Ahead of the first deletion: what is left of the plan has another digest then, also for the next process. */
async function noteConsent({ record, store, signal }: DeployContext, deployment: Deployment): Promise<void> {
  if (deployment.consented === true) return;
  deployment.consented = true;
  store.changed(record);
  await store.save(record, { signal });
}
