import { setTimeout as sleep } from 'node:timers/promises';
import { TowpathError } from '../../../api/errors.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import {
  allocationsIn,
  askedFor,
  canHold,
  givenUp,
  isPriorityClass,
  withoutHeld,
} from '../../../apply/allocations.ts';
import { classify, type Refusal } from '../../../apply/classify.ts';
import { findHolder, giveUp } from '../../../apply/give-up.ts';
import { pruneAndAwait } from '../../../apply/prune.ts';
import { applyAll, dryRunAll } from '../../../apply/run.ts';
import { inParallel } from '../../../kube/in-parallel.ts';
import type { AppliedObject, PlannedApply } from '../../../manifest/applied.ts';
import type { LiveObject } from '../../../manifest/live.ts';
import { groupKind, objectKey } from '../../../manifest/manifest.ts';
import type { Plan } from '../../../plan/plan.ts';
import { backoffMs } from '../../../retry/backoff.ts';
import type { DeployContext } from '../deploy-context.ts';
import type { Planning } from '../planning.ts';
import { describeAll } from '../words/refusals.ts';

/** An object of this Application that has what only one can have, and gives it up with the candidate. */
interface Giving {
  live: LiveObject;
  /** Undefined: it leaves Git. */
  planned?: PlannedApply;
  frees: ReadonlySet<string>;
}

/** All of them, as they are now. */
async function givingIn({ access }: DeployContext, { prune, apply }: Plan): Promise<Giving[]> {
  const all: Omit<Giving, 'frees'>[] = [
    ...prune.map((live) => ({ live })),
    ...apply.flatMap((planned) => (planned.live === undefined ? [] : [{ live: planned.live, planned }])),
  ];
  const giving: Giving[] = [];
  await inParallel(
    all.filter(({ live }) => canHold(live)),
    async ({ live, planned }) => {
      const now = await findHolder(access, live);
      if (now?.metadata.uid !== live.uid) return;
      if (planned === undefined) giving.push({ live, frees: allocationsIn(live, now) });
      else giving.push({ live, planned, frees: givenUp(planned, now) });
    },
  );
  return giving;
}

/** Those who have something that a planned object asks for. */
function givingTo({ manifest }: PlannedApply, all: readonly Giving[]): Giving[] {
  const wanted = askedFor(manifest);
  const key = objectKey(manifest);
  return all.filter(({ live, frees }) => objectKey(live) !== key && !frees.isDisjointFrom(wanted));
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
 * The refusals of a dry-run without those that the candidate heals itself: what an object asks for is held by another
 * one that leaves Git with it, or asks for something else now. Apart from that, it was found to be taken.
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
  const all = taken.size === 0 ? [] : await givingIn(context, plan);
  for (const one of planned) {
    const refusal = taken.get(objectKey(one.manifest));
    if (refusal === undefined) continue;
    const giving = givingTo(one, all);
    left.push(...(giving.length === 0 ? [refusal] : await refusedWithout(context, one, giving)));
  }
  return left;
}

/** What else is wrong with it: asked before anybody gives up what it asks for. */
async function refusedWithout(
  { access }: DeployContext,
  one: PlannedApply,
  giving: readonly Giving[],
): Promise<Refusal[]> {
  const held = new Set(giving.flatMap(({ frees }) => [...frees]));
  const manifest = { ...one.manifest, text: withoutHeld(one.manifest, held) };
  const { refusals } = await dryRunAll(access, [{ ...one, manifest }], []);
  return refusals;
}

/** How long the API server may take to go by a default that was given up. */
const DEFAULT_MS = 5_000;
const DEFAULT_RETRY = { firstMs: 50, longestMs: 2_000 };

/**
 * Applies objects that do not need each other. Where one is refused for what an object of this Application has and
 * gives up with the candidate, that comes first, whatever its wave: under all guards of pruning what leaves Git, and of
 * what stays no more than that. Then the refused ones are sent again. Returns what is refused still.
 */
export async function applyFreeing(
  context: DeployContext,
  planning: Planning,
  planned: readonly PlannedApply[],
  onApplied: (applied: AppliedObject) => void,
): Promise<Refusal[]> {
  const { access, signal } = context;
  const refusals = await applyAll(access, planned, onApplied);
  const taken = refusedAs(refusals, 'AlreadyAllocated');
  if (taken.size === 0) return refusals;
  const again = await free(
    context,
    planning,
    planned.filter(({ manifest }) => taken.has(objectKey(manifest))),
    onApplied,
  );
  let left = again;
  const deadline = performance.now() + DEFAULT_MS;
  const refused = refusals.filter((refusal) => !again.some((one) => isOf(refusal, one)));
  for (let failures = 1; left.length > 0; failures += 1) {
    const sent = await applyAll(
      access,
      await planning.applies(left.map(({ manifest }) => manifest)),
      onApplied,
    );
    const late = refusedAs(sent, 'AlreadyAllocated');
    left = left.filter(({ manifest }) => isPriorityClass(manifest) && late.has(objectKey(manifest)));
    if (performance.now() >= deadline) left = [];
    refused.push(...sent.filter((refusal) => !left.some((one) => isOf(refusal, one))));
    const pause = backoffMs({ ...DEFAULT_RETRY, failures, jitter: 'None' });
    if (left.length > 0) await sleep(pause, undefined, { signal });
  }
  return refused;
}

function isOf({ error }: Refusal, { manifest }: PlannedApply): boolean {
  const key = objectKey(manifest);
  return error.details.some(({ object }) => object !== undefined && objectKey(object) === key);
}

/** Has what the refused ones ask for given up; returns those that may be sent again. */
async function free(
  context: DeployContext,
  planning: Planning,
  refused: readonly PlannedApply[],
  onApplied: (applied: AppliedObject) => void,
): Promise<PlannedApply[]> {
  const plan = await planning.planPruning();
  let all = await givingIn(context, plan);
  const avoid = new Set(plan.apply.flatMap(({ manifest }) => [...askedFor(manifest)]));
  const again: PlannedApply[] = [];
  for (const one of refused) {
    const giving = givingTo(one, all);
    const others = giving.length === 0 ? [] : await refusedWithout(context, one, giving);
    // What a dry-run cannot tell, the apply does.
    if (others.some(({ verdict }) => verdict !== 'Undecided')) continue;
    for (const holder of giving) {
      const left = await makeGiveUp(context, holder, { contested: askedFor(one.manifest), avoid });
      // A Service's address, too, is free when all of it is as Git has it.
      if (left.size > 0 && holder.planned !== undefined)
        await applyAll(context.access, [holder.planned], onApplied);
    }
    // What was pruned is not pruned once more for the next one.
    all = all.filter((holder) => holder.planned !== undefined || !giving.includes(holder));
    // One that stays was sent beside it, and may have given up what it held.
    again.push(one);
  }
  return again;
}

/** Returns what it has still of what another one asks for. */
async function makeGiveUp(
  { access, unreported, signal }: DeployContext,
  { live, planned }: Giving,
  { contested, avoid }: { contested: ReadonlySet<string>; avoid: ReadonlySet<string> },
): Promise<Set<string>> {
  try {
    // A class that leaves Git goes when all is applied, as everything does: by then it is the default no more.
    if (planned !== undefined || isPriorityClass(live))
      return await giveUp(access, live, contested, { manifest: planned?.manifest, avoid });
    unreported.deleting('pruned', [live]);
    await pruneAndAwait(access, live);
    unreported.deleted('pruned', [live]);
    return new Set();
  } catch (error) {
    signal.throwIfAborted();
    throw classify(error, planned === undefined ? 'prune' : 'apply', live).error;
  }
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
  const sentence = fitBetween(
    '',
    message.slice(0, message.length - next.length).trimEnd(),
    ` ${instead}`,
    60,
  );
  const error = new TowpathError(remedy, reason, sentence, {
    cause: refusal.error,
    details: [{ object, message: sentence }],
    next: instead,
  });
  return { ...refusal, error };
}
