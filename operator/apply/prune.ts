import { setTimeout as sleep } from 'node:timers/promises';
import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import type { Resource } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { isOurCheck, isOurHook, isOurs, type LiveObject, liveObject } from '../manifest/live.ts';
import { describeObject } from '../manifest/manifest.ts';
import { keepReason } from '../manifest/never-pruned.ts';
import { backoffMs } from '../retry/backoff.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/** How often an object that changes all the time is looked at, until this try is given up. */
const LOOKS = 5;
/** Between looks at one that is going. */
const GOING = { firstMs: 20, longestMs: 2_000 };

/** How a deletion ended; `Going`: what holds it, a finalizer or its grace period, is not through. `Kept`: it may not go, or is another one by now. */
export type End = 'Gone' | 'Going' | 'Kept';

/**
 * Deletes exactly the object that was looked at: uid and resourceVersion are preconditions (D1). One that
 * changed meanwhile (most often its status) is judged again as it is now. Throws the conflict where it never stands
 * still.
 */
async function deleteExactly(
  access: TargetAccess,
  resource: Resource,
  planned: LiveObject,
  mayGo: (now: LiveObject) => boolean,
): Promise<End> {
  const path = pathOf(resource, planned);
  let live = planned;
  try {
    for (let look = 1; ; look += 1) {
      try {
        const { uid, resourceVersion } = live;
        const left = await access.client.delete(
          path,
          { uid, resourceVersion, propagationPolicy: 'Background' },
          callOptions(access),
        );
        return left?.metadata.deletionTimestamp === undefined ? 'Gone' : 'Going';
      } catch (error) {
        if (!isConflict(error) || look === LOOKS) throw error;
      }
      live = access.observe(await access.client.getMetadata(path, callOptions(access)), resource);
      if (live.uid !== planned.uid || !mayGo(live)) return 'Kept';
    }
  } catch (error) {
    if (isNotFound(error)) return 'Gone';
    throw error;
  }
}

const mayBePruned = (access: TargetAccess) => (now: LiveObject) =>
  keepReason(now, { ...access, prune: true }) === undefined;

/** Deletes an object of ours that nothing asks for. */
export async function pruneObject(access: TargetAccess, planned: LiveObject): Promise<End> {
  return deleteExactly(access, await resourceOf(access, planned), planned, mayBePruned(access));
}

/** The same, and waits until it is gone, and with it what only it could have: for a minute at most. Throws where it may not go. */
export async function pruneAndAwait(access: TargetAccess, planned: LiveObject): Promise<void> {
  await deleteAndAwait(access, await resourceOf(access, planned), planned, mayBePruned(access));
}

/** Deletes the object of a hook; one that is not ours any more is left. */
export async function deleteHookObject(
  access: TargetAccess,
  resource: Resource,
  live: LiveObject,
): Promise<void> {
  await deleteExactly(access, resource, live, (now) => isOurHook(now, access.targetId, access.targetName));
}

/** Deletes the Job of a check; one that is not ours any more is left. */
export async function deleteCheckJob(
  access: TargetAccess,
  resource: Resource,
  live: LiveObject,
): Promise<void> {
  await deleteExactly(access, resource, live, (now) => isOurCheck(now, access.targetId, access.targetName));
}

/** Deletes an object and waits, for a minute at most, until its name is free. Throws where it may not go. */
export async function deleteAndAwait(
  access: TargetAccess,
  resource: Resource,
  live: LiveObject,
  mayGo: (now: LiveObject) => boolean,
): Promise<void> {
  const path = pathOf(resource, live);
  const limit = performance.now() + 60_000;
  if ((await deleteExactly(access, resource, live, mayGo)) === 'Kept') {
    throw new TowpathError(
      'Time',
      'Conflict',
      `${describeObject(live)} was changed by someone while it was to be deleted; it is looked at again.`,
    );
  }
  try {
    for (let looks = 1; performance.now() < limit; looks += 1) {
      const current = await access.client.getMetadata(path, callOptions(access));
      if (current.metadata.uid !== live.uid) return;
      await sleep(backoffMs({ ...GOING, failures: looks, jitter: 'None' }), undefined, {
        signal: access.signal,
      });
    }
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  throw new TowpathError(
    'Resource',
    'BeingDeleted',
    `${describeObject(live)} is still there a minute after its deletion: look at its finalizers; it is tried again.`,
  );
}

/** Takes our label and annotation off an object, so that whoever adopts it may; its fields stay as they are. */
export async function releaseObject(access: TargetAccess, live: LiveObject): Promise<void> {
  const resource = await resourceOf(access, live);
  try {
    const current = await access.client.getMetadata(pathOf(resource, live), callOptions(access));
    const now = liveObject(resource, current.metadata);
    if (
      !isOurs(now, access.targetId, access.targetName) &&
      !isOurHook(now, access.targetId, access.targetName) &&
      !isOurCheck(now, access.targetId, access.targetName)
    )
      return;
    await access.client.mergePatch(
      pathOf(resource, live),
      {
        metadata: {
          uid: current.metadata.uid,
          labels: { [LABEL_TARGET]: null },
          annotations: { [ANNOTATION_OWNER]: null },
        },
      },
      {},
      callOptions(access),
    );
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
