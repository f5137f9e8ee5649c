import type { LiveObject } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import { pruneDigest } from '../../../plan/plan.ts';
import type { TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import type { Parts } from '../run.ts';
import type { TargetUpdate } from '../words/target-update.ts';
import type { Hold } from './finalize.ts';
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
  const { target, successors } = left;
  const obstacle = target.settings.abandoned ? undefined : obstacleOf(parts, left);
  if (obstacle !== undefined) {
    await speaker.tell(obstacle, signal);
    return 'Held';
  }
  return removeTarget(parts, left, speaker, signal, {
    ask: (objects, record) => holdOf(parts, left, objects, record, signal),
    // What they would clear away is another environment's by now.
    hooks: successors.length > 0 ? 'Leave' : 'Run',
  });
}

/** What stands in the way before anything of the target is looked at. */
function obstacleOf({ store }: Parts, { target, successors }: Left): LeavingUpdate | undefined {
  const { environment, settings, refusal } = target;
  if (settings.suspended !== undefined) {
    const message = `It left spec.environments, and waits. ${settings.suspended}`;
    return { kind: 'Leaving', reason: 'Suspended', message, isStalled: false };
  }
  if (refusal !== undefined) return refusedRemoval(environment, refusal);
  const taking = successors.find((one) => store.get(one)?.deployment?.applied !== true);
  return taking && whyHeld(environment, { state: 'HandingOver', to: taking.environment });
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
  const taker = successors.find((one) => {
    const applied = store.get(one)?.applied;
    return going.some((object) => applied?.has(objectKey(object)));
  });
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
