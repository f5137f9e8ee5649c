import type { TowpathError } from '../../../api/errors.ts';
import type { Application, HealthState } from '../../../api/v1alpha1/application.ts';
import { classify } from '../../../apply/classify.ts';
import { releaseObject } from '../../../apply/prune.ts';
import type { TargetAccess } from '../../../apply/target.ts';
import { inParallel } from '../../../kube/in-parallel.ts';
import type { LiveObject } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import { isApplicationOf, isPassedOver, keepReason } from '../../../manifest/never-pruned.ts';
import { type KeptObject, takenReason } from '../../../plan/plan.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { TargetRecord } from '../../record/record.ts';
import { newRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import { endJobs } from '../checks/jobs.ts';
import { depart, describeDeparture } from '../deploy/delete-in-stages.ts';
import { endHooks } from '../deploy/run-hooks.ts';
import type { PruneHeld } from '../deploy-context.ts';
import type { Moving } from '../handover/moving.ts';
import { isBlank, toldDeployed } from '../lost-record.ts';
import type { Gone } from '../memory.ts';
import { accessOf, movingOf, type Parts } from '../run.ts';
import { worstHealth } from '../words/health.ts';
import type { Unreported } from '../words/unreported.ts';
import { isAbandoned } from './abandoned.ts';
import { type HookedDeletion, runDeleteHooks } from './delete-hooks.ts';
import { leftBehind } from './left-behind.ts';
import { recovered } from './recovered.ts';
import { refusalNow } from './refusal-now.ts';
import { whatLeaves } from './what-leaves.ts';

export interface Deletion extends HookedDeletion {
  parts: Parts;
  cluster: Cluster;
  unreported: Unreported;
  /** Told of all that may go; what stands against it now, `refusal` among it. Absent: nothing does. */
  ask?(
    objects: readonly LiveObject[],
    record: TargetRecord,
    refusal: HookedDeletion['refusal'],
  ): Promise<Hold | undefined>;
}

/** Why nothing of a target is deleted yet. */
export type Hold =
  | PruneHeld
  /** A person wants the objects left, by an annotation that counts no more: the message says what to do. */
  | { state: 'Outdated'; message: string }
  /** Another environment is to take over some of it. */
  | { state: 'HandingOver'; to: string }
  /** Nothing may be done as its account. */
  | { state: 'Refused'; refusal: TowpathError };

/** How long deletion without pruning may take to take our marks off the objects. */
const RELEASE_MS = 5_000;

/**
 * `Gone`: the finalizer may go. `Waiting`: the message says for what; changes in the cluster wake it. `kept`: what
 * is left although the deletion policy is Prune, and why (D4).
 */
export type Finalized =
  | ({ state: 'Gone' } & Gone)
  /** For the time when the hook that failed may run again. */
  | { state: 'Resting' }
  | { state: 'Waiting'; message: string; kept: readonly KeptObject[] }
  | { state: 'Held'; hold: Hold; health: HealthState; kept: readonly KeptObject[] };

/**
 * Ends an Application's life in the cluster: objects are pruned in reverse order, or released, and the
 * record goes last. It never hangs for ever (D11): a namespace or a CRD that is going away takes the
 * Application along at once, and its objects are released as far as that is possible.
 */
export async function finalize(
  parts: Parts,
  application: Application,
  target: Target,
  signal: AbortSignal,
  options: Omit<Deletion, 'parts' | 'cluster' | 'access' | 'record' | 'timeoutMs' | 'refusal'>,
): Promise<Finalized> {
  const access = accessOf(parts, target, signal);
  const cluster = parts.clusterOf(target);
  const isLetGo = isAbandoned(parts.store, target);
  const leaving = isLetGo ? undefined : await whatLeaves(parts, application, target, signal);
  const isLeft = isLetGo || leaving !== undefined;
  const refusal = isLeft ? target.refusal : await refusalBefore(parts, application, target, signal);
  const known = parts.store.get(target);
  const isFound = isLeft || (known !== undefined && !isBlank(known));
  const record = isFound
    ? known
    : ((await recovered(parts, application, { ...target, refusal }, access)) ?? known);
  const isOver = () => noteEnd(parts, application, target, record);
  if (record === undefined) {
    await isOver();
    // A first write of it without an answer may have left something.
    await parts.store.remove(newRecord(target), signal);
    return { state: 'Gone', kept: [] };
  }
  if (isLeft) {
    const behind = leftBehind(isLetGo ? 'Abandoned' : 'Leaving', record, leaving?.namespace);
    await releaseWhatCanBe(cluster, access, record, leaving?.namespace);
    await isOver();
    await parts.store.remove(record, signal);
    return { state: 'Gone', kept: [], behind };
  }
  const deletion = {
    ...{ parts, cluster, access, record },
    timeoutMs: target.settings.timeoutMs,
    refusal: async () => refusal ?? refusalNow(parts, target, signal),
    ...options,
  };
  return endBy(deletion, application, target, isOver);
}

/** Deletes, or lets go of, all that its record has, and the record at the end. */
async function endBy(
  deletion: Deletion,
  application: Application,
  target: Target,
  isOver: () => Promise<void>,
): Promise<Finalized> {
  const { parts, cluster, access, record } = deletion;
  const { signal } = access;
  await watchAll(cluster, application, access, record);
  const moving = movingOf(parts, target, access);
  const isPruned = application.spec.deletionPolicy === 'Prune';
  const held = await heldBy(deletion, moving);
  if (held !== undefined) return held;
  const deleted = isPruned ? await deleteAll(deletion, moving) : NOTHING_DELETED;
  if (deleted.state !== 'Done') return deleted;
  const { kept, takers } = deleted;
  // A write of a sync that this deletion broke off may land a moment later, and would belong to nobody.
  await cluster.client.writesEnded({ signal, ...(access.as === undefined ? {} : { as: access.as }) });
  const late = await cluster.inventory.lookAgain(record.kinds, access, takers);
  if (late && isPruned)
    return { state: 'Waiting', message: 'Deleting: an object came a moment too late, and goes too.', kept };
  await releaseAll(cluster, access);
  await isOver();
  await parts.store.remove(record, signal);
  moving.leave(kept);
  moving.tellLeft();
  return { state: 'Gone', kept };
}

/**
 * What `refusalNow` answers before anything is looked for or deleted there, where its access is in doubt, or nothing is recorded of
 * what was deployed. For what never was, nobody needs one.
 */
async function refusalBefore(
  parts: Parts,
  application: Application,
  target: Target,
  signal: AbortSignal,
): Promise<TowpathError | undefined> {
  const { access, store } = parts;
  const record = store.get(target);
  const isNothing = record === undefined || isBlank(record);
  const isAsked = isNothing ? toldDeployed(application, target) : access.isInDoubt(target);
  return isAsked ? refusalNow(parts, target, signal) : target.refusal;
}

/** Before the record goes: who is killed in between comes to it again. Its record may be lost, and the status tell of it. */
async function noteEnd(
  { ledger }: Parts,
  application: Application,
  target: Target,
  record: TargetRecord | undefined,
): Promise<void> {
  if (record?.deployment !== undefined || toldDeployed(application, target))
    await ledger.gone(target, application.metadata.uid, record);
}

interface Deleted {
  state: 'Done';
  kept: readonly KeptObject[];
  takers: ReadonlyMap<string, string>;
}

const NOTHING_DELETED: Deleted = { state: 'Done', kept: [], takers: new Map() };

async function heldBy(
  { cluster, access, record, refusal, ask }: Deletion,
  moving: Moving,
): Promise<Extract<Finalized, { state: 'Held' }> | undefined> {
  if (ask === undefined) return undefined;
  const takers = await takersOf(cluster, access, moving);
  const hold = await ask(goingOf(cluster, access, takers), record, refusal);
  if (hold === undefined) return undefined;
  return {
    state: 'Held',
    hold,
    health: healthOf(cluster, access, takers),
    kept: keptOf(cluster, access, takers),
  };
}

/** Deletes all that may go, between the hooks for that. */
async function deleteAll(
  deletion: Deletion,
  moving: Moving,
): Promise<Deleted | Exclude<Finalized, { state: 'Gone' }>> {
  const { cluster, access, unreported } = deletion;
  await endHooks({ access, inventory: cluster.inventory, unreported }, isOfDeletion);
  await endJobs({ access, inventory: cluster.inventory }, () => true);
  if ((await runDeleteHooks(deletion, 'pre-delete')) === 'Resting') return { state: 'Resting' };
  const takers = await takersOf(cluster, access, moving);
  const kept = keptOf(cluster, access, takers);
  const pruned = await pruneAll(cluster, access, takers);
  if (pruned.state === 'Waiting') return { ...pruned, kept };
  if ((await runDeleteHooks(deletion, 'post-delete')) === 'Resting') return { state: 'Resting' };
  return { state: 'Done', kept, takers };
}

async function watchAll(
  { inventory }: Cluster,
  application: Application,
  access: TargetAccess,
  { kinds }: TargetRecord,
): Promise<void> {
  await inventory.watches.ensure(kinds, access).catch((error: unknown) => {
    access.signal.throwIfAborted();
    throw classify(error, 'look at', { group: '', kind: 'Application', ...targetNameOf(application) }).error;
  });
}

/** What is there still stays, without our marks. */
async function releaseAll({ inventory }: Cluster, access: TargetAccess): Promise<void> {
  await inParallel([...inventory.of(access.targetId).values()], async (live) => {
    try {
      await releaseObject(access, live);
    } catch (error) {
      access.signal.throwIfAborted();
      throw classify(error, 'release', live).error;
    }
  });
}

/** Who takes over what would be deleted, by object key; found out when all others told what they want. */
async function takersOf(
  { inventory }: Cluster,
  access: TargetAccess,
  moving: Moving,
): Promise<ReadonlyMap<string, string>> {
  const objects = [...inventory.of(access.targetId).values()].filter((live) => !isPassedOver(live));
  if (objects.length > 0) await moving.othersTold();
  return moving.takersOf(objects);
}

function isOfDeletion({ madeFor }: { madeFor: readonly string[] }): boolean {
  return madeFor.includes('pre-delete') || madeFor.includes('post-delete');
}

function keptOf(
  { inventory }: Cluster,
  access: TargetAccess,
  takers: ReadonlyMap<string, string>,
): KeptObject[] {
  return [...inventory.of(access.targetId).values()].flatMap((object) => {
    // The Application itself goes with its finalizer.
    if (isPassedOver(object) || isApplicationOf(object, access.targetName)) return [];
    const reason = keepReason(object, { ...access, prune: true }) ?? takenReason(objectKey(object), takers);
    return reason === undefined ? [] : [{ object: idOf(object), reason }];
  });
}

/**
 * Nobody is held up by this: what cannot be reached in time keeps its marks, and is taken over as it is by who is
 * annotated for that (`holderOf`); so does what goes with its namespace.
 */
async function releaseWhatCanBe(
  { inventory }: Cluster,
  access: TargetAccess,
  record: TargetRecord,
  goingNamespace: string | undefined,
): Promise<void> {
  const signal = AbortSignal.any([access.signal, AbortSignal.timeout(RELEASE_MS)]);
  await Promise.allSettled(
    record.kinds.map((kind) => inventory.watches.ensure([kind], { ...access, signal })),
  );
  const staying = [...inventory.of(access.targetId).values()].filter(
    ({ namespace }) => namespace !== goingNamespace,
  );
  await inParallel(staying, (live) => releaseObject({ ...access, signal }, live).catch(() => undefined));
  access.signal.throwIfAborted();
}

function targetNameOf(application: Application) {
  return { namespace: application.metadata.namespace, name: application.metadata.name };
}

/** How all is that is there still, and that no other takes over. */
export function healthOf(
  { inventory }: Pick<Cluster, 'inventory'>,
  { targetId }: Pick<TargetAccess, 'targetId'>,
  takers: ReadonlyMap<string, string> = new Map(),
): HealthState {
  const staying = [...inventory.of(targetId).values()].filter(
    (object) => !isPassedOver(object) && !takers.has(objectKey(object)),
  );
  return worstHealth(staying).state;
}

/** All that is there and may go. */
function goingOf(
  { inventory }: Cluster,
  access: TargetAccess,
  takers: ReadonlyMap<string, string>,
): LiveObject[] {
  return [...inventory.of(access.targetId).values()].filter(
    (object) =>
      !object.hook &&
      !takers.has(objectKey(object)) &&
      keepReason(object, { ...access, prune: true }) === undefined,
  );
}

/** Prunes one stage after the other, the next when the one before is gone. */
async function pruneAll(
  cluster: Cluster,
  access: TargetAccess,
  takers: ReadonlyMap<string, string>,
): Promise<{ state: 'Done' } | { state: 'Waiting'; message: string }> {
  const all = goingOf(cluster, access, takers);
  const { deleted, refusal, goingNow, left } = await depart(access, all, 'delete');
  if (refusal !== undefined) throw refusal;
  // The watches tell that they are gone, and wake the next look.
  const [first] = goingNow === undefined ? deleted : [goingNow];
  if (first === undefined) return { state: 'Done' };
  const size = goingNow === undefined ? deleted.length : left.size;
  return { state: 'Waiting', message: `Deleting: ${describeDeparture(first, { size })}` };
}
