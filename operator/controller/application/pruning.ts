import { classify } from '../../apply/classify.ts';
import { pruneObject } from '../../apply/prune.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import { idOf, objectKey } from '../../manifest/manifest.ts';
import { deletionWaves } from '../../plan/order.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Advance, DeployContext, PruneHeld } from './deploy-context.ts';
import type { Planning } from './planning.ts';

/** What may not be deleted before a person consents to exactly this; undefined: pruning may go on (D2). */
export async function heldPrune(context: DeployContext, planning: Planning): Promise<PruneHeld | undefined> {
  // Only what has no objects at all would delete everything.
  if (planning.objects.length > 0) return undefined;
  const planned = await planning.plan();
  const isEverything = planned.prune.length > 0;
  if (!isEverything || context.settings.consent === planned.pruneDigest) return undefined;
  return { state: 'PruneHeld', digest: planned.pruneDigest, objects: planned.prune.map(idOf) };
}

/** Deletes what is no longer desired, as Helm does: before the hooks that come after an upgrade. */
export async function prune(
  context: DeployContext,
  planning: Planning,
  result: Advance,
): Promise<PruneHeld | undefined> {
  const { record, store } = context;
  const planned = await planning.plan();
  result.kept = planned.kept;
  const held = await heldPrune(context, planning);
  if (held !== undefined) return held;
  const { deleted, refusal } = await deleteInOrder(context, planned.prune);
  const desired = new Set(planning.objects.map(objectKey));
  if (planned.prune.length > 0) store.changed(record);
  result.pruned.push(...deleted.map(idOf));
  // What was kept after all, because it changed in the meantime, says so.
  if (deleted.length < planned.prune.length) result.kept = (await planning.plan()).kept;
  for (const key of record.applied.keys()) {
    if (desired.has(key)) continue;
    record.applied.delete(key);
    store.changed(record);
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

async function deleteInOrder(
  context: DeployContext,
  objects: Plan['prune'],
): Promise<{ deleted: Plan['prune']; refusal?: Error }> {
  const deleted: Plan['prune'] = [];
  for (const stage of deletionWaves(objects).flat()) {
    const failures: Error[] = [];
    await inParallel(stage, async (live) => {
      try {
        if (await pruneObject(context.access, live)) deleted.push(live);
      } catch (error) {
        context.signal.throwIfAborted();
        failures.push(classify(error, 'prune', live).error);
      }
    });
    if (failures[0] !== undefined) return { deleted, refusal: failures[0] };
  }
  return { deleted };
}
