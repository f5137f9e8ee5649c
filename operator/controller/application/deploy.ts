import { createHash } from 'node:crypto';
import { TowpathError } from '../../api/errors.ts';
import type { HealthState } from '../../api/v1alpha1/application.ts';
import { classify, type Refusal } from '../../apply/classify.ts';
import { pruneObject } from '../../apply/prune.ts';
import { applyAll, dryRunDeferred, inParallel } from '../../apply/run.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { TokenBucket } from '../../kube/token-bucket.ts';
import type { PlannedApply } from '../../manifest/applied.ts';
import { describeObject, idOf, type Manifest, type ObjectId, objectKey } from '../../manifest/manifest.ts';
import { type IgnoreRule, ignoredPaths } from '../../plan/ignore.ts';
import { deletionWaves, waves } from '../../plan/order.ts';
import { type KeptObject, type Plan, plan } from '../../plan/plan.ts';
import type { Inventory, ObservedObject, WatchedKind } from '../inventory.ts';
import type { Deployment, Manifests, TargetRecord } from '../record.ts';
import type { RecordStore } from '../record-store.ts';
import type { Drift } from './facts.ts';
import { finalFailure, worstHealth } from './health.ts';
import { runHooks } from './run-hooks.ts';

/** What of the spec decides how objects are sent. */
export interface DeploySettings {
  prune: boolean;
  /** False in mode Manual without a request: differences are told, and nothing is sent. */
  mayWrite: boolean;
  repair: boolean;
  adopt: boolean;
  ignore: readonly IgnoreRule[];
  /** Digest that a person consented to prune; undefined: none. */
  consent: string | undefined;
  timeoutMs: number;
}

export interface DeployContext {
  access: TargetAccess;
  store: RecordStore;
  inventory: Inventory;
  record: TargetRecord;
  settings: DeploySettings;
  /** Repairs of drift that the target may still make: what somebody changes all the time must not flood etcd (A14). */
  repairs: Pick<TokenBucket, 'take' | 'waitMs'>;
  now(): Date;
  signal: AbortSignal;
}

/** How far a deployment is. */
export type Progress =
  | { state: 'Done' }
  /** Everything was sent; health decides. */
  | { state: 'Waiting'; health: HealthState; message: string; deadline: Date }
  | { state: 'TimedOut'; message: string }
  /** An object failed for good, as its own controller says. */
  | { state: 'Degraded'; message: string }
  | PruneHeld
  /** Differences that nobody asked to apply (mode Manual). */
  | { state: 'AwaitingSync'; objects: ObjectId[] }
  | { state: 'Drifted' }
  /** Drift that was repaired too often of late; it is left for so long. */
  | { state: 'RepairDelayed'; until: Date };

/** Everything would be deleted, and nobody consented to exactly that. */
export interface PruneHeld {
  state: 'PruneHeld';
  digest: string;
  objects: ObjectId[];
}

export interface Advance {
  progress: Progress;
  kept: KeptObject[];
  drift?: Drift;
  repaired: ObjectId[];
  pruned: ObjectId[];
  /** The record in memory is ahead of the one that is written. */
  isUnsaved: boolean;
}

/** Digest of the settings that decide what is sent; another one asks for a new look at every object. */
export function settingsDigest(settings: DeploySettings): string {
  return createHash('sha256')
    .update(JSON.stringify([settings.prune, settings.adopt, settings.ignore]))
    .digest('hex')
    .slice(0, 16);
}

export function planFor(context: DeployContext, desired: readonly Manifest[]): Plan {
  const { record, settings } = context;
  return plan({
    targetId: context.access.targetId,
    targetName: context.access.targetName,
    desired,
    applied: record.applied,
    live: context.inventory.of(context.access.targetId),
    prune: settings.prune,
    ignorePaths: ignoredPaths(settings.ignore, desired, record.target.namespace),
  });
}

/** The kinds a candidate has, with their namespaces. */
export function kindsOf(objects: Iterable<ObjectId>): WatchedKind[] {
  const kinds = new Map<string, WatchedKind>();
  for (const { group, kind, namespace } of objects)
    kinds.set(`${group}/${kind}/${namespace}`, { group, kind, namespace });
  return [...kinds.values()];
}

/**
 * Whether everything is as it was last applied, told from the record and the watches alone: no manifest is
 * read, nothing is asked of the API server.
 */
export function isUndisturbed(context: DeployContext): boolean {
  const { record, settings } = context;
  if (record.deployment?.applied !== true || record.settings !== settingsDigest(settings)) return false;
  if (!isAsApplied(context)) return false;
  for (const [key, observed] of context.inventory.of(context.access.targetId))
    if (!record.applied.has(key) && !observed.deleting && !observed.hook) return false;
  return true;
}

/** Whether every object that was applied is there and has our fields as we sent them. */
export function isAsApplied({ record, inventory, access }: DeployContext): boolean {
  const live = inventory.of(access.targetId);
  for (const [key, applied] of record.applied) {
    const observed = live.get(key);
    if (observed === undefined || observed.deleting || observed.uid !== applied.uid) return false;
    if (observed.entry?.hash !== applied.entry.hash || observed.entry.time !== applied.entry.time)
      return false;
  }
  return true;
}

function newAdvance(): Advance {
  return { progress: { state: 'Done' }, kept: [], repaired: [], pruned: [], isUnsaved: false };
}

/** Brings the cluster to the deployment's manifests, as far as it gets without waiting for health. */
export async function advance(
  context: DeployContext,
  deployment: Deployment,
  manifests: Manifests,
): Promise<Advance> {
  const result = newAdvance();
  const isFirst = !deployment.applied;
  if (!isFirst && leaveAlone(context, planFor(context, manifests.objects), result)) return result;
  const hooks = { ...context, timeoutMs: context.settings.timeoutMs };
  const [before, after] = deployment.install
    ? (['pre-install', 'post-install'] as const)
    : (['pre-upgrade', 'post-upgrade'] as const);
  if (isFirst) await runHooks(hooks, deployment, manifests.hooks, before);
  const waiting = await applyWaves(context, deployment, manifests, result);
  if (waiting !== undefined) {
    result.progress = waiting;
    return result;
  }
  const held = await prune(context, manifests, result);
  if (held !== undefined) {
    result.progress = held;
    return result;
  }
  if (isFirst) await runHooks(hooks, deployment, manifests.hooks, after);
  await complete(context, deployment, result);
  return result;
}

/**
 * Of a deployment that failed: puts back what was applied and changed since, and goes no further, because what
 * is missing is what failed.
 */
export async function repair(context: DeployContext, manifests: Manifests): Promise<Advance> {
  const result = newAdvance();
  const planned = planFor(context, manifests.objects);
  const changed = planned.apply.filter((one) => one.reason === 'Drift');
  if (leaveAlone(context, { ...planned, apply: changed, prune: [] }, result)) return result;
  for (const stage of waves(manifests.objects).flat()) {
    const keys = new Set(stage.map(objectKey));
    await send(
      context,
      changed.filter((one) => keys.has(objectKey(one.manifest))),
      result,
    );
  }
  await saveChanges(context, result);
  return result;
}

/** Notes the drift, and whether what differs is to be left as it is for now: then `result` says why. */
function leaveAlone(context: DeployContext, planned: Plan, result: Advance): boolean {
  const { settings, repairs, now } = context;
  const drift = driftIn(context, planned);
  if (drift !== undefined) result.drift = drift;
  const differing = [...planned.apply.map((one) => idOf(one.manifest)), ...planned.prune.map(idOf)];
  if (!settings.mayWrite && differing.length > 0)
    result.progress = { state: 'AwaitingSync', objects: differing };
  else if (drift === undefined) return false;
  else if (!settings.repair) result.progress = { state: 'Drifted' };
  else if (repairs.take(performance.now())) return false;
  else {
    const until = new Date(now().getTime() + repairs.waitMs(performance.now()));
    result.progress = { state: 'RepairDelayed', until };
  }
  result.kept = planned.kept;
  return true;
}

/** Sends objects that do not need each other, and notes what was applied; throws what was refused. */
async function send(
  context: DeployContext,
  planned: readonly PlannedApply[],
  result: Advance,
): Promise<void> {
  const refusals = await applyAll(context.access, planned, (applied) => {
    context.record.applied.set(objectKey(applied), applied);
    result.isUnsaved = true;
  });
  for (const one of planned) if (one.reason === 'Drift') result.repaired.push(idOf(one.manifest));
  if (refusals.length === 0) return;
  await saveChanges(context, result);
  throw partly(refusals, planned.length);
}

async function applyWaves(
  context: DeployContext,
  deployment: Deployment,
  manifests: Manifests,
  result: Advance,
): Promise<Progress | undefined> {
  // Before it was through, nobody asked yet whether what changed underneath may be put back once more.
  const repairs = deployment.applied || mayRepair(context, manifests);
  for (const stages of waves(manifests.objects)) {
    for (const stage of stages) {
      const keys = new Set(stage.map(objectKey));
      const planned = planFor(context, manifests.objects).apply.filter(
        (one) => keys.has(objectKey(one.manifest)) && (repairs || one.reason !== 'Drift'),
      );
      if (planned.length === 0) continue;
      await askDeferred(context, planned, manifests);
      await context.inventory.ensure(kindsOf(stage), context.access.as, context.signal);
      await send(context, planned, result);
      await awaitEstablished(context, stage);
    }
    if (!deployment.applied) {
      const waiting = awaitHealth(context, deployment, stages.flat());
      if (waiting !== undefined) {
        await saveChanges(context, result);
        return waiting;
      }
    }
  }
  return undefined;
}

function mayRepair(context: DeployContext, manifests: Manifests): boolean {
  const isDrifted = planFor(context, manifests.objects).apply.some(({ reason }) => reason === 'Drift');
  return !isDrifted || context.repairs.take(performance.now());
}

/** One write for all that changed since the last: the last one of a sync is that of its end. */
async function saveChanges(context: DeployContext, result: Advance): Promise<void> {
  if (!result.isUnsaved) return;
  await context.store.save(context.record, { signal: context.signal });
  result.isUnsaved = false;
}

/** Objects whose prerequisites came with the candidate are asked about now, just before they are sent. */
async function askDeferred(
  context: DeployContext,
  planned: PlannedApply[],
  manifests: Manifests,
): Promise<void> {
  const deferred = planned.filter((one) =>
    context.record.deployment?.deferred?.includes(objectKey(one.manifest)),
  );
  if (deferred.length === 0) return;
  const refusals = await dryRunDeferred(context.access, deferred, manifests.objects);
  const decided = refusals.filter((refusal) => refusal.verdict !== 'Undecided');
  if (decided.length > 0) throw combined(decided, 'nothing of this wave was applied');
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

/** Undefined: the objects are healthy and the next wave may begin. */
function awaitHealth(
  context: DeployContext,
  deployment: Deployment,
  objects: readonly Manifest[],
): Progress | undefined {
  const live = context.inventory.of(context.access.targetId);
  const observed = objects.map((manifest) => live.get(objectKey(manifest)) ?? missing(manifest));
  const worst = worstHealth(observed);
  if (worst.state === 'Healthy' || worst.state === 'Suspended') return undefined;
  const deadline = deadlineOf(deployment, context.settings);
  const failed = finalFailure(observed, deployment.startedAt);
  if (failed !== undefined) return { state: 'Degraded', message: failed };
  const message = worst.message ?? `Waiting for ${observed.length} objects to become healthy.`;
  if (context.now() < deadline) return { state: 'Waiting', health: worst.state, message, deadline };
  return { state: 'TimedOut', message };
}

/** spec.sync.timeout runs from the first write to health; while the Application is suspended it stands still. */
function deadlineOf({ startedAt, pausedMs = 0 }: Deployment, { timeoutMs }: DeploySettings): Date {
  return new Date(Date.parse(startedAt) + pausedMs + timeoutMs);
}

/** Stops the clock of a deployment under way. */
export async function pause({ record, store, now, signal }: DeployContext): Promise<void> {
  const { deployment } = record;
  if (deployment === undefined || deployment.outcome !== undefined || deployment.pausedAt !== undefined)
    return;
  deployment.pausedAt = now().toISOString();
  await store.save(record, { signal });
}

/** Lets it run again. */
export async function resume({ record, store, now, signal }: DeployContext): Promise<void> {
  const { deployment } = record;
  if (deployment?.pausedAt === undefined) return;
  const paused = now().getTime() - Date.parse(deployment.pausedAt);
  deployment.pausedMs = (deployment.pausedMs ?? 0) + Math.max(0, paused);
  delete deployment.pausedAt;
  await store.save(record, { signal });
}

function missing(manifest: Manifest): Pick<ObservedObject, 'health'> & ObjectId {
  return { ...idOf(manifest), health: { state: 'Missing' } };
}

/** What may not be deleted before a person consents to exactly this; undefined: pruning may go on (D2). */
export function heldPrune(context: DeployContext, manifests: Manifests): PruneHeld | undefined {
  const planned = planFor(context, manifests.objects);
  const isEverything = planned.prune.length > 0 && manifests.objects.length === 0;
  if (!isEverything || context.settings.consent === planned.pruneDigest) return undefined;
  return { state: 'PruneHeld', digest: planned.pruneDigest, objects: planned.prune.map(idOf) };
}

/** Deletes what is no longer desired, as Helm does: before the hooks that come after an upgrade. */
async function prune(
  context: DeployContext,
  manifests: Manifests,
  result: Advance,
): Promise<PruneHeld | undefined> {
  const { record } = context;
  const planned = planFor(context, manifests.objects);
  result.kept = planned.kept;
  const held = heldPrune(context, manifests);
  if (held !== undefined) return held;
  const { deleted, refusal } = await deleteInOrder(context, planned.prune);
  const desired = new Set(manifests.objects.map(objectKey));
  if (planned.prune.length > 0) result.isUnsaved = true;
  result.pruned = deleted.map(idOf);
  // What was kept after all, because it changed in the meantime, says so.
  if (deleted.length < planned.prune.length) result.kept = planFor(context, manifests.objects).kept;
  for (const key of record.applied.keys()) {
    if (desired.has(key)) continue;
    record.applied.delete(key);
    result.isUnsaved = true;
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

/** All was applied, what left was pruned, and the hooks ran: the deployment is through. */
async function complete(context: DeployContext, deployment: Deployment, result: Advance): Promise<void> {
  const { record } = context;
  record.kinds = kindsOf([...record.applied.values(), ...result.kept.map(({ object }) => object)]);
  const settings = settingsDigest(context.settings);
  if (record.settings !== settings) {
    record.settings = settings;
    result.isUnsaved = true;
  }
  if (!deployment.applied) {
    deployment.applied = true;
    deployment.outcome ??= 'Succeeded';
    deployment.finishedAt ??= context.now().toISOString();
    result.isUnsaved = true;
  }
  await saveChanges(context, result);
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

function driftIn(context: DeployContext, planned: Plan): Drift | undefined {
  const drifted = planned.apply.filter((one) => one.reason === 'Drift');
  // Who wrote before our last apply is not who changed it since.
  const since = ({ manifest, live }: PlannedApply) => {
    const applied = context.record.applied.get(objectKey(manifest))?.entry.time ?? '';
    return live?.lastOther !== undefined && live.lastOther.time >= applied ? live.lastOther : undefined;
  };
  const last = drifted
    .map((one) => ({ one, other: since(one) }))
    .sort((a, b) => ((a.other?.time ?? '') < (b.other?.time ?? '') ? 1 : -1))[0];
  if (last === undefined) return undefined;
  // A deletion, or a field taken away, leaves neither a time nor a name behind.
  const lastAt =
    last.other?.time === undefined || last.other.time === ''
      ? `${context.now().toISOString().slice(0, 19)}Z`
      : last.other.time;
  return {
    count: drifted.length,
    lastAt,
    ...(last.other === undefined ? {} : { lastBy: last.other.manager }),
    lastObject: idOf(last.one.manifest),
  };
}

/** One error of several refusals: that whose remedy asks most of people, with all details. */
export function combined(refusals: readonly Refusal[], how: string): TowpathError {
  const rank = { Person: 0, Resource: 1, Time: 2 };
  // In one order, however the answers arrived: what a person reads must not change from look to look.
  const sorted = refusals
    .map((refusal) => refusal.error)
    .sort((a, b) => rank[a.remedy] - rank[b.remedy] || (a.message < b.message ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) throw new Error('no refusal to tell of');
  const details = sorted.flatMap((error) => error.details);
  // First, because a long message is cut at its end.
  const count = sorted.length > 1 ? `${sorted.length} objects are refused, ${how}. First: ` : '';
  return new TowpathError(first.remedy, first.reason, `${count}${first.message}`, { cause: first, details });
}

/** Of a stage whose objects were not all refused: what was applied is told even beside a single refusal (D6). */
function partly(refusals: readonly Refusal[], planned: number): TowpathError {
  const how = `${planned - refusals.length} of ${planned} objects were applied`;
  const error = combined(refusals, how);
  if (refusals.length > 1 || planned === 1) return error;
  const { remedy, reason, message, details } = error;
  return new TowpathError(remedy, reason, `${how}; ${message}`, { cause: error, details });
}

export function describeAll(objects: readonly ObjectId[]): string {
  const [first] = objects;
  if (first === undefined) return 'nothing';
  return objects.length === 1
    ? describeObject(first)
    : `${describeObject(first)} and ${objects.length - 1} more`;
}
