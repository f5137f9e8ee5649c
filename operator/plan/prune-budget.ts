import { isOurs } from '../manifest/live.ts';
import { groupKind, type ObjectId, objectKey } from '../manifest/manifest.ts';
import { isPassedOver } from '../manifest/never-pruned.ts';
import type { PlanInput } from './plan.ts';

/** What a target had before a deployment's first write, and how many more of each kind (`apps/Deployment`) that brings. */
export interface Baseline {
  objects: number;
  coming: Readonly<Record<string, number>>;
}

/** How much a deletion takes away. */
export interface Losses {
  /** Objects that nothing of their kind comes in place of. */
  lost: number;
  /** How many there were. */
  of: number;
  /** How many spec.sync.pruneBudget allows to be lost. */
  allowed: number;
}

export function baselineOf({
  desired,
  applied,
  live,
  targetId,
  targetName,
}: Pick<PlanInput, 'desired' | 'applied' | 'live' | 'targetId' | 'targetName'>): Baseline {
  let objects = 0;
  for (const object of live.values())
    if (!isPassedOver(object) && isOurs(object, targetId, targetName)) objects += 1;
  // What was applied and is not there was deleted by somebody: that it comes back makes up for no other loss.
  const coming = desired.filter((manifest) => {
    const key = objectKey(manifest);
    const there = live.get(key);
    return !applied.has(key) && (there === undefined || !isOurs(there, targetId, targetName));
  });
  return { objects, coming: Object.fromEntries(countsByKind(coming)) };
}

/** @param budget as spec.sync.pruneBudget says it: a number of objects, or a percentage of all. */
export function lossesOf(
  pruned: readonly ObjectId[],
  { objects, coming }: Baseline,
  budget: number | string,
): Losses {
  let lost = 0;
  for (const [kind, count] of countsByKind(pruned)) lost += Math.max(0, count - (coming[kind] ?? 0));
  return { lost, of: objects, allowed: allowedLosses(budget, objects) };
}

function allowedLosses(budget: number | string, objects: number): number {
  if (typeof budget === 'number') return budget;
  return Math.max(1, Math.ceil((objects * Number.parseInt(budget, 10)) / 100));
}

function countsByKind(objects: readonly ObjectId[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const object of objects) {
    const kind = groupKind(object);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
