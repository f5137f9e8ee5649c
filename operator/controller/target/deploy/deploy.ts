import { TowpathError } from '../../../api/errors.ts';
import { isWaitedFor } from '../../../apply/hooks.ts';
import { dryRunDeferred } from '../../../apply/run.ts';
import { asWanted } from '../../../health/health.ts';
import type { AppliedObject, PlannedApply } from '../../../manifest/applied.ts';
import {
  groupKind,
  type HookEvent,
  idOf,
  type Manifest,
  type ObjectId,
  objectKey,
} from '../../../manifest/manifest.ts';
import { verifyFrom } from '../../../promote/verify.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { ObservedObject } from '../../cluster/inventory.ts';
import { candidateKey, type Deployment, type Manifests } from '../../record/record.ts';
import {
  type Advance,
  type DeployContext,
  deadlineOf,
  kindsOf,
  type Progress,
  saveChanges,
  settingsDigest,
} from '../deploy-context.ts';
import { leaveAlone, repairedOf } from '../drift/drift.ts';
import { applyingOf, Planning } from '../planning.ts';
import { finalFailure, worstHealth } from '../words/health.ts';
import { partly } from '../words/refusals.ts';
import { applyFreeing } from './free-allocations.ts';
import { prune } from './pruning.ts';
import { haveRun, runHooks } from './run-hooks.ts';

function newAdvance(): Advance {
  return { progress: { state: 'Done' }, kept: [] };
}

/** Brings the cluster to the deployment's manifests, as far as it gets without waiting for health. */
export async function advance(
  context: DeployContext,
  deployment: Deployment,
  manifests: Manifests,
): Promise<Advance> {
  const result = newAdvance();
  const isFirst = !deployment.applied;
  const planning = await Planning.of(context, manifests.objects, applyingOf(deployment));
  if (!isFirst && leaveAlone(context, await planning.plan(), result)) return result;
  const hooks = { ...context, timeoutMs: context.settings.timeoutMs };
  const [before, after] = hookEventsOf(deployment);
  const tell = (waiting: string, hook: Manifest) =>
    context.say(`Waiting ${waiting}`, { atOnce: isWaitedFor(hook) });
  const run = async (event: HookEvent) => {
    if (!haveRun(deployment, manifests.hooks, event)) await context.accessChecked();
    await runHooks(hooks, deployment, manifests.hooks, event, tell);
  };
  if (isFirst) {
    await run(before);
    const { revision, ref } = deployment.candidate;
    context.say(`Applying revision ${shortRevision(revision, ref)}.`);
  }
  result.progress = await applyWaves(context, deployment, planning);
  if (result.progress.state !== 'Done') return result;
  result.progress = await prune(context, deployment, planning, result);
  if (result.progress.state !== 'Done') {
    await saveChanges(context);
    return result;
  }
  result.kept.push(...planning.leftAlone());
  if (isFirst) await run(after);
  await complete(context, deployment, manifests, result);
  return result;
}

/** Those of Helm that run before and after. */
function hookEventsOf({ install, trigger }: Deployment): readonly [HookEvent, HookEvent] {
  if (trigger === 'Rollback') return ['pre-rollback', 'post-rollback'];
  return install ? ['pre-install', 'post-install'] : ['pre-upgrade', 'post-upgrade'];
}

/**
 * Of a deployment that failed: puts back what was applied and changed since, and goes no further, because what
 * is missing is what failed. What it notes in the record is the caller's to save.
 */
export async function repair(
  context: DeployContext,
  deployment: Deployment,
  manifests: Manifests,
): Promise<Advance> {
  const result = newAdvance();
  const planning = await Planning.of(context, manifests.objects, applyingOf(deployment));
  const planned = await planning.plan();
  const changed = planned.apply.filter((one) => one.reason === 'Drift');
  if (leaveAlone(context, { ...planned, apply: changed, prune: [] }, result)) return result;
  const byKey = new Map(changed.map((one) => [objectKey(one.manifest), one]));
  for (const stage of planning.waves.flat()) {
    const inStage = stage.flatMap((manifest) => byKey.get(objectKey(manifest)) ?? []);
    await send(context, inStage, planning);
  }
  return result;
}

/** Sends objects that do not need each other, and notes what was applied; throws what was refused. */
async function send(
  context: DeployContext,
  plannedBefore: readonly PlannedApply[],
  planning: Planning,
): Promise<void> {
  const planned = await planning.sparingScaled(plannedBefore);
  if (planned.length > 0) await context.accessChecked();
  const drifted = new Map(
    planned
      .filter(({ reason }) => reason === 'Drift')
      .map((one) => [objectKey(one.manifest), repairedOf(context, one)]),
  );
  const onApplied = (applied: AppliedObject) => {
    const key = objectKey(applied);
    context.record.applied.set(key, applied);
    context.store.changed(context.record);
    const repaired = drifted.get(key);
    // A claim that stays as large as somebody made it was not put back.
    if (repaired !== undefined && applied.larger === undefined) context.unreported.repaired([repaired]);
  };
  const refusals = await applyFreeing(context, planning, planned, onApplied);
  if (refusals.length === 0) return;
  await saveChanges(context);
  throw partly(refusals, await appliedOf(planning), planning.objects.length);
}

/** How many of the objects are as they are to be. */
async function appliedOf(planning: Planning): Promise<number> {
  return planning.objects.length - (await planning.applies(planning.objects)).length;
}

/** Done: all was sent, and what is healthy of it or not nobody waits for any more. */
async function applyWaves(
  context: DeployContext,
  deployment: Deployment,
  planning: Planning,
): Promise<Progress> {
  // Before it was through, nobody asked yet whether what changed underneath may be put back once more.
  const repairs = deployment.applied || (await mayRepair(context, planning));
  const all = planning.waves;
  for (const stages of all) {
    for (const stage of stages) {
      const planned = (await planning.applies(stage)).filter((one) => repairs || one.reason !== 'Drift');
      if (planned.length === 0) continue;
      await askDeferred(context, planned, planning);
      await context.inventory.watches.ensure(kindsOf(stage), context.access);
      await send(context, planned, planning);
      await awaitEstablished(context, stage);
    }
    if (!deployment.applied) {
      const wave = { objects: stages.flat(), isLast: stages === all.at(-1) };
      const progress = healthOf(context, deployment, wave);
      if (progress.state !== 'Done') {
        await saveChanges(context);
        return progress;
      }
    }
  }
  return { state: 'Done' };
}

async function mayRepair(context: DeployContext, planning: Planning): Promise<boolean> {
  const isDrifted = (await planning.applies(planning.objects)).some(({ reason }) => reason === 'Drift');
  return !isDrifted || context.repairs.take(performance.now());
}

/** Objects whose prerequisites came with the candidate are asked about now, just before they are sent. */
async function askDeferred(
  context: DeployContext,
  planned: PlannedApply[],
  planning: Planning,
): Promise<void> {
  const { deferred: keys = [] } = context.record.deployment ?? {};
  if (keys.length === 0) return;
  const isDeferred = new Set(keys);
  const deferred = planned.filter((one) => isDeferred.has(objectKey(one.manifest)));
  if (deferred.length === 0) return;
  const refusals = await dryRunDeferred(context.access, deferred, planning.objects);
  const decided = refusals.filter((refusal) => refusal.verdict !== 'Undecided');
  if (decided.length > 0) throw partly(decided, await appliedOf(planning), planning.objects.length);
}

/** A namespace that exists and a kind that is served: what the next stage needs, waited for at most 30 s. */
async function awaitEstablished(context: DeployContext, stage: readonly Manifest[]): Promise<void> {
  const definitions = stage.filter((manifest) => manifest.kind === 'CustomResourceDefinition');
  if (definitions.length === 0) return;
  const id = context.access.targetId;
  const pending = () =>
    definitions.filter((one) => context.inventory.of(id).get(objectKey(one))?.health.state !== 'Healthy');
  const limit = AbortSignal.timeout(30_000);
  const signal = AbortSignal.any([context.signal, limit]);
  try {
    await context.inventory.until(id, () => pending().length === 0, signal);
  } catch (error) {
    if (!limit.aborted || context.signal.aborted) throw error;
    const name = pending()[0]?.name ?? '';
    throw new TowpathError(
      'Time',
      'KindMissing',
      `CustomResourceDefinition ${name} is not established after 30 s: look at its conditions; it is tried again.`,
    );
  }
  context.access.discovery.invalidate();
  for (const { text } of definitions) {
    const { spec } = JSON.parse(text) as { spec?: { group?: string; names?: { kind?: string } } };
    await context.access.discovery.ensure(spec?.group ?? '', spec?.names?.kind ?? '', undefined, {
      waitMs: 10_000,
      signal: context.signal,
    });
  }
}

/**
 * Done: the objects are healthy and the next wave may begin. A suspended Job has not done what the next wave
 * waits for; for what else is suspended that is a state to rest in. After the last wave nobody waits.
 */
function healthOf(
  context: DeployContext,
  deployment: Deployment,
  { objects, isLast }: { objects: readonly Manifest[]; isLast: boolean },
): Progress {
  const live = context.inventory.of(context.access.targetId);
  const observed = objects.map((manifest) => {
    const key = objectKey(manifest);
    const object = live.get(key) ?? missing(manifest);
    const isAtRest = context.record.applied.get(key)?.atRest === true;
    return isAtRest ? { ...idOf(manifest), health: asWanted(object) } : object;
  });
  const worst = worstHealth(
    observed.filter(
      (object) => object.health.state !== 'Suspended' || (!isLast && groupKind(object) === 'batch/Job'),
    ),
  );
  if (worst.state === 'Healthy') return { state: 'Done' };
  const deadline = deadlineOf(deployment, context.settings);
  const failed = finalFailure(observed, deployment.clusterStartedAt);
  if (failed !== undefined) return { state: 'Degraded', message: failed };
  const message = worst.message ?? `Waiting for ${observed.length} objects to become healthy.`;
  if (context.now() < deadline)
    return { state: 'Waiting', health: worst.state, message, deadline, isPart: !isLast };
  return { state: 'TimedOut', message };
}

function missing(manifest: Manifest): Pick<ObservedObject, 'health' | 'deleting'> & ObjectId {
  return { ...idOf(manifest), deleting: false, health: { state: 'Missing' } };
}

/** All was applied, what left was pruned, and the hooks ran: the deployment is through. */
async function complete(
  context: DeployContext,
  deployment: Deployment,
  { hooks }: Manifests,
  result: Advance,
): Promise<void> {
  const { record, store, inventory, access } = context;
  await context.slices.pause();
  // Hooks' objects, of earlier candidates too, and Jobs of checks: what they left is let go with the Application.
  const left = [...inventory.of(access.targetId).values()].filter(
    ({ hook, check }) => hook || check === true,
  );
  const kept = result.kept.map(({ object }) => object);
  record.kinds = kindsOf([...record.applied.values(), ...kept, ...hooks, ...left]);
  const settings = settingsDigest(context);
  if (record.settings !== settings) {
    record.settings = settings;
    store.changed(record);
  }
  const isNew = !deployment.applied;
  if (isNew) {
    deployment.applied = true;
    deployment.outcome ??= 'Succeeded';
    const now = context.now();
    deployment.finishedAt ??= now.toISOString();
    if (deployment.outcome === 'Succeeded') {
      // What is to be verified is not gone back to before it passed.
      if (deployment.verify === undefined) record.succeeded = candidateKey(deployment.candidate);
      else deployment.verify = verifyFrom(deployment.verify, now);
    }
    delete deployment.baseline;
    delete deployment.consented;
    store.changed(record);
  }
  await saveChanges(context);
  if (isNew) context.moving.tellLeft();
}
