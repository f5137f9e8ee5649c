import { TowpathError } from '../../api/errors.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { askedFor, givesUp, heldBy, isService } from '../../apply/allocations.ts';
import { classify, type Refusal } from '../../apply/classify.ts';
import { pruneAndAwait } from '../../apply/prune.ts';
import { resourceOf } from '../../apply/target.ts';
import { dryRunAsNew } from '../../apply/trial.ts';
import type { PlannedApply } from '../../manifest/applied.ts';
import type { LiveObject } from '../../manifest/live.ts';
import { groupKind, objectKey } from '../../manifest/manifest.ts';
import type { Plan } from '../../plan/plan.ts';
import type { DeployContext } from './deploy-context.ts';
import type { Planning } from './planning.ts';
import { describeAll } from './refusals.ts';

/** Who has a port or an address that a planned Service asks for, and gives it up with the same candidate. */
interface Holders {
  /** Those that leave Git. */
  pruned: LiveObject[];
  /** Those that stay, and ask for something else now. */
  changed: PlannedApply[];
}

async function holdersOf(
  { access }: DeployContext,
  { prune, apply }: Plan,
  wanted: PlannedApply,
): Promise<Holders> {
  const asked = askedFor(wanted.manifest);
  const clash = async (object: LiveObject) =>
    isService(object) ? (await heldBy(access, object)).intersection(asked) : new Set<string>();
  const holders: Holders = { pruned: [], changed: [] };
  for (const live of prune) if ((await clash(live)).size > 0) holders.pruned.push(live);
  for (const one of apply) {
    if (one.live === undefined || one.manifest === wanted.manifest) continue;
    const held = await clash(one.live);
    if (held.size > 0 && givesUp(one.manifest, held)) holders.changed.push(one);
  }
  return holders;
}

function refusedAs(refusals: readonly Refusal[], reason: string): ReadonlyMap<string, Refusal> {
  const found = new Map<string, Refusal>();
  for (const refusal of refusals) {
    const { object } = refusal.error.details[0] ?? {};
    if (refusal.error.reason === reason && object !== undefined) found.set(objectKey(object), refusal);
  }
  return found;
}

/**
 * The refusals of a dry-run without those that the candidate heals itself: a Service whose port or address is held
 * by one that leaves Git with it. Apart from that, it was found to be taken.
 */
export async function withoutFreed(
  context: DeployContext,
  planning: Planning,
  planned: readonly PlannedApply[],
  refusals: readonly Refusal[],
): Promise<Refusal[]> {
  if (refusals.length === 0) return [];
  const taken = refusedAs(refusals, 'AlreadyAllocated');
  const plan = await planning.plan();
  const isTaken = new Set(taken.values());
  const left = refusals
    .filter((refusal) => !isTaken.has(refusal))
    .map((refusal) => withLeaving(refusal, plan.prune));
  for (const one of planned) {
    const refusal = taken.get(objectKey(one.manifest));
    if (refusal === undefined) continue;
    const { pruned, changed } = await holdersOf(context, plan, one);
    left.push(...(pruned.length + changed.length === 0 ? [refusal] : await refusedAsNew(context, one)));
  }
  return left;
}

/** What else is wrong with it: asked before what it replaces goes. */
async function refusedAsNew({ access }: DeployContext, { manifest }: PlannedApply): Promise<Refusal[]> {
  try {
    await dryRunAsNew(access, await resourceOf(access, manifest), manifest);
    return [];
  } catch (error) {
    access.signal.throwIfAborted();
    return [classify(error, 'dry-run of', manifest)];
  }
}

/**
 * Has holders go first, under all guards of pruning, where planned Services were refused for what they hold.
 * Returns which of these may be sent again.
 */
export async function freeHeld(
  context: DeployContext,
  planning: Planning,
  planned: readonly PlannedApply[],
  refusals: readonly Refusal[],
): Promise<PlannedApply[]> {
  const taken = refusedAs(refusals, 'AlreadyAllocated');
  const again: PlannedApply[] = [];
  for (const one of planned) {
    if (!taken.has(objectKey(one.manifest))) continue;
    const { pruned } = await holdersOf(context, await planning.planPruning(), one);
    if (pruned.length > 0 && (await refusedAsNew(context, one)).length > 0) continue;
    for (const live of pruned) {
      context.untold.deleting('pruned', [live]);
      try {
        await pruneAndAwait(context.access, live);
      } catch (error) {
        context.signal.throwIfAborted();
        throw classify(error, 'prune', live).error;
      }
      context.untold.deleted('pruned', [live]);
    }
    // One that stays was sent beside it, and may have given up what it held.
    again.push(one);
  }
  return again;
}

/** Of a quota it is told what leaves Git with the same commit: it counts until what is new is applied. */
function withLeaving(refusal: Refusal, prune: readonly LiveObject[]): Refusal {
  const { remedy, reason, message, next, details } = refusal.error;
  const { object } = details[0] ?? {};
  if (reason !== 'QuotaExceeded' || object === undefined) return refusal;
  const leaving = prune.filter(
    (live) => live.namespace === object.namespace && groupKind(live) === groupKind(object),
  );
  if (leaving.length === 0) return refusal;
  const instead = `${describeAll(leaving)} leaves Git with this commit, and counts until it is through: take it out in a commit before, or raise the quota.`;
  const told = fitBetween('', message.slice(0, message.length - next.length).trimEnd(), ` ${instead}`, 60);
  const error = new TowpathError(remedy, reason, told, {
    cause: refusal.error,
    details: [{ object, message: told }],
    next: instead,
  });
  return { ...refusal, error };
}
