import { setTimeout as sleep } from 'node:timers/promises';
import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import type { Resource } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { describeObject } from '../manifest/manifest.ts';
import { isOurs, type LiveObject, liveObject } from '../plan/live.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/**
 * Deletes exactly the object that was looked at: uid and resourceVersion are preconditions (D1). Returns
 * false where it changed meanwhile and is to be looked at again; true when it is deleted or gone.
 */
export async function pruneObject(access: TargetAccess, live: LiveObject): Promise<boolean> {
  const resource = await resourceOf(access, live);
  try {
    await access.client.delete(
      pathOf(resource, live),
      { uid: live.uid, resourceVersion: live.resourceVersion, propagationPolicy: 'Background' },
      callOptions(access),
    );
    return true;
  } catch (error) {
    if (isNotFound(error)) return true;
    if (!isConflict(error)) throw error;
  }
  // Most conflicts are a status that moved on: judge what is there now, once.
  try {
    const current = await access.client.getMetadata(pathOf(resource, live), callOptions(access));
    const now = access.observe(current, resource);
    if (now.uid !== live.uid || !isOurs(now, access.targetId, access.targetName) || now.prune === 'disabled')
      return false;
    await access.client.delete(
      pathOf(resource, live),
      { uid: now.uid, resourceVersion: now.resourceVersion, propagationPolicy: 'Background' },
      callOptions(access),
    );
    return true;
  } catch (error) {
    if (isNotFound(error)) return true;
    if (isConflict(error)) return false;
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
    'Time',
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
