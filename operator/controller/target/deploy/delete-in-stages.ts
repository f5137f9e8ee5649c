import { classify } from '../../../apply/classify.ts';
import { pruneObject } from '../../../apply/prune.ts';
import type { TargetAccess } from '../../../apply/target.ts';
import { inParallel } from '../../../kube/in-parallel.ts';
import type { LiveObject } from '../../../manifest/live.ts';
import { describeObject } from '../../../manifest/manifest.ts';
import { deletionWaves } from '../../../plan/order.ts';

/** How far the objects that are to go have got. */
export interface Departure {
  /** What was deleted now, gone or going. */
  deleted: LiveObject[];
  /** What the API server did not take, of one stage: nothing after it was tried. */
  refusal?: Error;
  /** What the stages after it wait for: it is being deleted, and still there. */
  goingNow?: LiveObject;
  /** What is still to go, `goingNow` among it. */
  left: ReadonlySet<LiveObject>;
}

/**
 * Deletes objects stage by stage, in the reverse of the order in which they are applied: a stage begins when the one
 * before is gone, so that no operator goes before its custom resources, and no rights before what needs them (D15).
 * It does not wait: whoever calls it does so again when something of the target is gone.
 *
 * @param objects all that are to go, those that are being deleted already among them.
 * @param doing what to call it when it is refused: `prune`, `delete`.
 */
export async function depart(
  access: TargetAccess,
  objects: readonly LiveObject[],
  doing: string,
): Promise<Departure> {
  const deleted: LiveObject[] = [];
  const left = new Set(objects);
  for (const stage of deletionWaves(objects).flat()) {
    const going: LiveObject[] = [];
    const failures: Error[] = [];
    await inParallel(stage, async (live) => {
      try {
        const end = live.deleting ? 'Going' : await pruneObject(access, live);
        if (end !== 'Kept' && !live.deleting) deleted.push(live);
        if (end === 'Going') going.push(live);
        else left.delete(live);
      } catch (error) {
        access.signal.throwIfAborted();
        failures.push(classify(error, doing, live).error);
      }
    });
    if (failures[0] !== undefined) return { deleted, refusal: failures[0], left };
    const first = stage.find((live) => going.includes(live));
    if (first !== undefined) return { deleted, goingNow: first, left };
  }
  return { deleted, left };
}

/** What is waited for, and where to look: the end of a sentence about pruning or deleting. */
export function describeDeparture(goingNow: LiveObject, left: { size: number }): string {
  const count = left.size === 1 ? 'one object is' : `${left.size} objects are`;
  return `${count} left; waiting for ${describeObject(goingNow)} to go. Where it stays, look at its finalizers.`;
}
