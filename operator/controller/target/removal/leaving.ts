import type { TargetAccess } from '../../../apply/target.ts';
import { isOurs, type LiveObject } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import { pruneDigest } from '../../../plan/plan.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { TargetRecord } from '../../record/record.ts';
import { tookFrom } from '../../record/succession.ts';
import type { Target, TargetIdentity } from '../../record/target.ts';
import { isBlank, toldDeployed } from '../lost-record.ts';
import { accessOf, type Parts } from '../run.ts';
import type { TargetUpdate } from '../words/target-update.ts';
import { isAbandoned } from './abandoned.ts';
import { type Hold, healthOf } from './finalize.ts';
import {
  type Removal,
  type RemovalSpeaker,
  type Removed,
  refusedRemoval,
  removeTarget,
  whyHeld,
} from './removal.ts';

/** A target of an Application that no longer names its environment. */
export interface Left extends Removed {
  /** Targets that land where it did, and take its objects over. */
  successors: readonly Target[];
}

type LeavingUpdate = Extract<TargetUpdate, { kind: 'Leaving' }>;

/**
 * Ends a target that its Application left: first others take over what they have in Git, and what is left goes as the
 * deletion policy says, with consent to exactly that.
 */
export async function leaveTarget(
  parts: Parts,
  left: Left,
  speaker: RemovalSpeaker,
  signal: AbortSignal,
): Promise<Removal> {
  const { application, target, successors, memory } = left;
  const obstacle = isAbandoned(parts.store, target) ? undefined : await obstacleOf(parts, left, signal);
  if (obstacle === 'TakenOver') {
    await endTakenOver(parts, target, application.metadata.uid, signal);
    memory.gone = { kept: [] };
    return 'Gone';
  }
  if (obstacle !== undefined) {
    await speaker.tell(obstacle, signal);
    return 'Held';
  }
  return removeTarget(parts, left, speaker, signal, {
    ask: async (objects, record, refusalOf) => {
      // The platform may say by a label that the namespace is for others: nobody is asked then, and nothing deleted.
      const refusal = objects.length === 0 ? undefined : await refusalOf();
      if (refusal !== undefined) return { state: 'Refused', refusal };
      return holdOf(parts, left, objects, record, signal);
    },
    // What they would clear away is another environment's by now.
    hooks: successors.length > 0 ? 'Leave' : 'Run',
  });
}

/** What stands in the way before anything of the target is looked at; or nothing is left of it to look at. */
async function obstacleOf(
  parts: Parts,
  { target, successors }: Left,
  signal: AbortSignal,
): Promise<LeavingUpdate | 'TakenOver' | undefined> {
  const { environment, settings, refusal } = target;
  const seen = () =>
    healthSeen(parts.clusterOf(target), parts.store.get(target), accessOf(parts, target, signal));
  if (settings.suspended !== undefined) {
    const message = `It left spec.environments, and waits. ${settings.suspended}`;
    const health = refusal === undefined ? await seen() : {};
    return { kind: 'Leaving', reason: 'Suspended', message, isStalled: false, ...health };
  }
  if (refusal === undefined) {
    const taking = takingIn(parts, target, successors);
    if (taking === undefined) return undefined;
    return { ...whyHeld(environment, { state: 'HandingOver', to: taking.environment }), ...(await seen()) };
  }
  return (
    (await handoverOf(parts, target, successors, signal)) ??
    refusedRemoval(environment, refusal, parts.store.get(target))
  );
}

/**
 * Whether the hooks of a target are run that goes with its Application. Who has begun in its place has them, too, and what runs is
 * that one's: both would be in each other's way. Such a one may be gone by now. By their records it is known who has begun last where
 * names went back.
 */
export function hooksOfRemoval(
  { store }: { store: Pick<Parts['store'], 'get'> },
  { application, target, successors }: Pick<Left, 'application' | 'target' | 'successors'>,
): 'Run' | 'Leave' {
  const own = store.get(target);
  const hasBegun = (one: Target) => {
    const record = store.get(one);
    if (record === undefined || isBlank(record)) return toldDeployed(application, one);
    return record.deployment !== undefined && !(own !== undefined && tookFrom(own, record));
  };
  const hasIt = (one: TargetIdentity) => {
    const record = store.get(one);
    return record?.deployment !== undefined && own !== undefined && tookFrom(record, own);
  };
  return successors.some(hasBegun) || target.takesOver?.some(hasIt) === true ? 'Leave' : 'Run';
}

/** One of them that has not deployed everything yet; what it deployed before the former one had the place does not count. */
function takingIn(
  { store }: { store: Pick<Parts['store'], 'get'> },
  former: TargetIdentity,
  successors: readonly Target[],
): Target | undefined {
  const before = store.get(former);
  return successors.find((one) => {
    const record = store.get(one);
    return record?.deployment?.applied !== true || (before !== undefined && tookFrom(before, record));
  });
}

/**
 * How far others have taken over a target that nothing may be done in, or of which it is not known where it is: they look in its
 * place. Undefined: nobody does, or something is left that none of them has.
 */
export async function handoverOf(
  parts: Parts,
  former: TargetIdentity,
  successors: readonly Target[],
  signal: AbortSignal,
): Promise<LeavingUpdate | 'TakenOver' | undefined> {
  const record = parts.store.get(former);
  const [first] = successors;
  if (first === undefined || record === undefined) return undefined;
  const access = { ...accessOf(parts, first, signal), targetId: former.id, targetName: former.name };
  const cluster = parts.clusterOf(first);
  const health = await healthSeen(cluster, record, access);
  const handingOver = ({ environment }: Target) => ({
    ...whyHeld(former.environment, { state: 'HandingOver', to: environment }),
    ...health,
  });
  const taking = takingIn(parts, former, successors);
  if (taking !== undefined) return handingOver(taking);
  // What that account may not see it did not take over either.
  if (health.health === undefined) return undefined;
  const left = [...cluster.inventory.of(former.id).values()].filter((one) =>
    isOurs(one, former.id, former.name),
  );
  if (left.length === 0) return 'TakenOver';
  const taker = takerOf(parts, left, successors);
  return taker && handingOver(taker);
}

/** How all is that the target has still; nothing where that cannot be seen: it stays as it was told then. */
async function healthSeen(
  cluster: Cluster,
  record: TargetRecord | undefined,
  access: TargetAccess,
): Promise<Pick<LeavingUpdate, 'health'>> {
  if (record === undefined) return {};
  try {
    await cluster.inventory.watches.ensure(record.kinds, access);
  } catch {
    access.signal.throwIfAborted();
    return {};
  }
  return { health: healthOf(cluster, access) };
}

/** One that has one of these objects in what it applied. */
function takerOf(
  { store }: { store: Pick<Parts['store'], 'get'> },
  objects: readonly LiveObject[],
  successors: readonly Target[],
): Target | undefined {
  return successors.find((one) => {
    const applied = store.get(one)?.applied;
    return objects.some((object) => applied?.has(objectKey(object)));
  });
}

/** Nothing of it is left. */
export async function endTakenOver(
  { store, ledger }: Parts,
  target: TargetIdentity,
  applicationUID: string,
  signal: AbortSignal,
): Promise<void> {
  const record = store.get(target);
  if (record === undefined) return;
  if (record.deployment !== undefined) await ledger.gone(target, applicationUID, record);
  await store.remove(record, signal);
}

/** What stands against the end of the target: nothing where nothing of it is deleted. */
export async function holdOf(
  { store }: { store: Pick<Parts['store'], 'get' | 'isAhead' | 'save'> },
  { application, target, successors }: Pick<Left, 'application' | 'target' | 'successors'>,
  objects: readonly LiveObject[],
  record: TargetRecord,
  signal: AbortSignal,
): Promise<Hold | undefined> {
  const going = objects.filter(({ deleting }) => !deleting);
  const taker = takerOf({ store }, going, successors);
  if (taker !== undefined) return { state: 'HandingOver', to: taker.environment };
  const isPruned = application.spec.deletionPolicy === 'Prune';
  if (!isPruned || going.length === 0 || record.ending === true) return undefined;
  const digest = pruneDigest(going);
  if (target.settings.consent !== digest) {
    // A consent that was taken back, since its write failed, may be stored all the same: that answer was lost.
    if (store.isAhead(record)) await store.save(record, { signal });
    return { state: 'PruneHeld', digest, objects: going.map(idOf) };
  }
  // Ahead of the first deletion: what is left of the plan has another digest then, also for the next process.
  record.ending = true;
  try {
    await store.save(record, { signal });
  } catch (error) {
    // Nothing is deleted by what is not written down, nor when the person has changed their mind by the next look.
    delete record.ending;
    throw error;
  }
  return undefined;
}
