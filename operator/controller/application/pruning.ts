import { classify } from '../../apply/classify.ts';
import { pruneObject } from '../../apply/prune.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import { idOf, objectKey } from '../../manifest/manifest.ts';
import { deletionWaves } from '../../plan/order.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Manifests } from '../record.ts';
import { type Advance, type DeployContext, type PruneHeld, planFor } from './deploy-context.ts';

/** What may not be deleted before a person consents to exactly this; undefined: pruning may go on (D2). */
export function heldPrune(context: DeployContext, manifests: Manifests): PruneHeld | undefined {
  const planned = planFor(context, manifests.objects);
  const isEverything = planned.prune.length > 0 && manifests.objects.length === 0;
  if (!isEverything || context.settings.consent === planned.pruneDigest) return undefined;
  return { state: 'PruneHeld', digest: planned.pruneDigest, objects: planned.prune.map(idOf) };
}

/** Deletes what is no longer desired, as Helm does: before the hooks that come after an upgrade. */
export async function prune(
  context: DeployContext,
  manifests: Manifests,
  result: Advance,
): Promise<PruneHeld | undefined> {
  const { record, store } = context;
  const planned = planFor(context, manifests.objects);
  result.kept = planned.kept;
  const held = heldPrune(context, manifests);
  if (held !== undefined) return held;
  const { deleted, refusal } = await deleteInOrder(context, planned.prune);
  const desired = new Set(manifests.objects.map(objectKey));
  if (planned.prune.length > 0) store.changed(record);
  result.pruned = deleted.map(idOf);
  // What was kept after all, because it changed in the meantime, says so.
  if (deleted.length < planned.prune.length) result.kept = planFor(context, manifests.objects).kept;
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
