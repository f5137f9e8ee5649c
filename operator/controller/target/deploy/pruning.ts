import type { LiveObject } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import { keepReason } from '../../../manifest/never-pruned.ts';
import type { Plan } from '../../../plan/plan.ts';
import { lossesOf } from '../../../plan/prune-budget.ts';
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
export type Consent =
  | { state: 'NotNeeded' }
  /** With the uids of all that it holds for. */
  | { state: 'Given'; to: string[] }
  | PruneHeld;

/** What counts of the deployment that prunes, or is to be gone on with. */
type Begun = Partial<Pick<Deployment, 'baseline' | 'consented' | 'trigger'>>;

/**
 * Whether a person has to consent before a candidate is begun with (D2, D3). Others are waited for, which may take over
 * what leaves, only where all of it would be too much.
 */
export async function consentTo(
  context: DeployContext,
  planning: Planning,
  begun: Begun = {},
): Promise<Consent> {
  const atMost = planning.leaving();
  if (reasonToHold(context, planning, atMost, begun) === undefined) return { state: 'NotNeeded' };
  return consentToPlan(context, planning, await planning.planPruning(), begun);
}

/** The same for exactly what is to be deleted. Of what began with consent the rest needs none. */
function consentToPlan(
  context: DeployContext,
  planning: Planning,
  { prune, pruneDigest }: Pick<Plan, 'prune' | 'pruneDigest'>,
  begun: Begun,
): Consent {
  const held = reasonToHold(context, planning, prune, begun);
  if (held === undefined) return { state: 'NotNeeded' };
  const consented = new Set(begun.consented);
  if (prune.every(({ uid }) => consented.has(uid))) return { state: 'NotNeeded' };
  if (context.settings.consent === pruneDigest) return { state: 'Given', to: prune.map(({ uid }) => uid) };
  return { state: 'PruneHeld', digest: pruneDigest, objects: prune.map(idOf), ...held };
}

function reasonToHold(
  { settings }: DeployContext,
  planning: Planning,
  prune: readonly LiveObject[],
  { trigger, baseline = planning.baseline() }: Begun,
): Pick<PruneHeld, 'exceeds'> | undefined {
  if (prune.length === 0) return undefined;
  // Whatever the budget is: nobody means to have an Application of nothing without a word.
  if (planning.objects.length === 0) return {};
  // What goes is what came with that which is gone back from.
  if (trigger === 'Rollback') return undefined;
  const budget = settings.pruneBudget;
  const losses = lossesOf(prune, baseline, budget);
  return losses.lost > losses.allowed ? { exceeds: { ...losses, budget } } : undefined;
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
  const consent = consentToPlan(context, planning, planned, deployment);
  if (consent.state === 'PruneHeld') return consent;
  if (planned.prune.length > 0) await context.accessChecked();
  const desired = new Set(planning.objects.map(objectKey));
  const leaving = [...planned.prune, ...goingOf(context, desired)];
  if (consent.state === 'Given') await noteConsent(context, deployment, consent.to);
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
async function noteConsent(
  { record, store, signal }: DeployContext,
  deployment: Deployment,
  to: string[],
): Promise<void> {
  const { consented: before } = deployment;
  deployment.consented = to;
  store.changed(record);
  try {
    await store.save(record, { signal });
  } catch (error) {
    // Nothing is deleted by what is not written down.
    if (before === undefined) delete deployment.consented;
    else deployment.consented = before;
    throw error;
  }
}
