import { setTimeout as sleep } from 'node:timers/promises';
import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import type { Resource } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { keepReason } from '../manifest/keep.ts';
import { isOurs, type LiveObject, liveObject } from '../manifest/live.ts';
import { describeObject } from '../manifest/manifest.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/** How often an object that changes all the time is looked at, until this try is given up. */
const LOOKS = 5;

/**
 * Deletes exactly the object that was looked at: uid and resourceVersion are preconditions (D1). One that
 * changed meanwhile (most often its status) is judged again as it is now. Returns false where it may not go
 * any more, true when it is deleted or gone. Throws the conflict where it never stands still.
 */
export async function pruneObject(access: TargetAccess, planned: LiveObject): Promise<boolean> {
  const resource = await resourceOf(access, planned);
  const path = pathOf(resource, planned);
  let live = planned;
  try {
    for (let look = 1; ; look += 1) {
      try {
        const { uid, resourceVersion } = live;
        await access.client.delete(
          path,
          { uid, resourceVersion, propagationPolicy: 'Background' },
          callOptions(access),
        );
        return true;
      } catch (error) {
        if (!isConflict(error) || look === LOOKS) throw error;
      }
      live = access.observe(await access.client.getMetadata(path, callOptions(access)), resource);
      if (live.uid !== planned.uid || keepReason(live, { ...access, prune: true }) !== undefined)
        return false;
    }
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

/** Deletes an object of ours and waits, for a minute at most, until its name is free. */
export async function deleteAndAwait(
  access: TargetAccess,
  resource: Resource,
  live: LiveObject,
): Promise<void> {
  const path = pathOf(resource, live);
  const limit = performance.now() + 60_000;
  try {
    await access.client.delete(path, { uid: live.uid, propagationPolicy: 'Background' }, callOptions(access));
    for (let pause = 20; performance.now() < limit; pause = Math.min(pause * 2, 2_000)) {
      const current = await access.client.getMetadata(path, callOptions(access));
      if (current.metadata.uid !== live.uid) return;
      await sleep(pause, undefined, { signal: access.signal });
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
    if (!isOurs(liveObject(resource, current.metadata), access.targetId, access.targetName)) return;
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
