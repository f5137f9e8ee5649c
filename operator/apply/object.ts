import { TowpathError } from '../api/errors.ts';
import {
  ANNOTATION_ADOPT,
  ANNOTATION_OWNER,
  ANNOTATION_REPLACE,
  LABEL_TARGET,
} from '../api/v1alpha1/names.ts';
import type { KubeObject, Resource } from '../kube/client.ts';
import { ApiError, isConflict, isNotFound } from '../kube/errors.ts';
import { withoutPaths } from '../manifest/exact-json.ts';
import { describeObject, type Manifest } from '../manifest/manifest.ts';
import { withMetadata, withName } from '../manifest/metadata-text.ts';
import { fieldManager, isOurs, type LiveObject, liveObject } from '../plan/live.ts';
import { type AppliedObject, appliedDigest, idOf, type PlannedApply } from '../plan/plan.ts';
import { mergedManagedFields } from './adopt.ts';
import { handOver } from './ignored.ts';
import { deleteAndAwait } from './prune.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/**
 * A resourceVersion that no object has: an apply that carries it creates, and gets 409 from an object that
 * exists, also from one that appeared a moment ago. Server-side apply knows no other create-only.
 */
const NO_OBJECT = '1';

interface Attempt {
  access: TargetAccess;
  resource: Resource;
  planned: PlannedApply;
  dryRun: boolean;
}

/** Applies one planned object; returns what the record keeps of it. Throws ApiError or TowpathError. */
export async function applyObject(access: TargetAccess, planned: PlannedApply): Promise<AppliedObject> {
  const resource = await resourceOf(access, planned.manifest);
  const attempt: Attempt = { access, resource, planned, dryRun: false };
  let object: KubeObject;
  try {
    object = await send(attempt);
  } catch (error) {
    if (!isReplaceable(planned.manifest, error)) throw error;
    object = await replace(attempt);
  }
  if (planned.ignore.length > 0 && planned.live === undefined) {
    await handOver(access, resource, planned.manifest, planned.ignore, object);
    object = await applyOwn(attempt, { uid: object.metadata.uid });
  }
  return applied(access, resource, planned, object);
}

/** Sends the object as a server-side dry-run; returns the server's warnings. Throws as applyObject does. */
export async function dryRunObject(access: TargetAccess, planned: PlannedApply): Promise<void> {
  const resource = await resourceOf(access, planned.manifest);
  const attempt: Attempt = { access, resource, planned, dryRun: true };
  try {
    await send(attempt);
  } catch (error) {
    if (!isReplaceable(planned.manifest, error)) throw error;
    const { manifest } = planned;
    const name = `${manifest.name.slice(0, 40)}-towpath-dry-run`;
    await access.client.apply(
      pathOf(resource, { ...manifest, name }),
      withName(manifest.text, name),
      {
        fieldManager: fieldManager(access.targetId),
        force: false,
        dryRun: true,
        fieldValidation: 'Strict',
      },
      callOptions(access),
    );
  }
}

async function send(attempt: Attempt): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  if (planned.live !== undefined && !planned.live.deleting) {
    if (planned.ignore.length > 0 && !attempt.dryRun) {
      const current = await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
      await handOver(access, resource, planned.manifest, planned.ignore, current);
    }
    try {
      return await applyOwn(attempt, { uid: planned.live.uid });
    } catch (error) {
      // Gone, or another object under the same name: look again instead of trusting what we remembered.
      if (!isConflict(error) && !isNotFound(error) && !isOtherUid(error)) throw error;
    }
  }
  try {
    return await create(attempt);
  } catch (error) {
    if (!isConflict(error)) throw error;
    return await takeExisting(attempt);
  }
}

async function create(attempt: Attempt): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const { object } = await access.client.apply(
    pathOf(resource, planned.manifest),
    withMetadata(planned.manifest.text, { resourceVersion: NO_OBJECT }),
    {
      fieldManager: fieldManager(access.targetId),
      force: false,
      dryRun: attempt.dryRun,
      fieldValidation: 'Strict',
    },
    callOptions(access),
  );
  return object;
}

/** Applies onto an object that is ours; `uid` makes sure that it is still the same one. */
async function applyOwn(attempt: Attempt, preconditions: { uid: string }): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const text = withoutPaths(planned.manifest.text, planned.ignore);
  const { object } = await access.client.apply(
    pathOf(resource, planned.manifest),
    withMetadata(text, preconditions),
    {
      fieldManager: fieldManager(access.targetId),
      force: true,
      dryRun: attempt.dryRun,
      fieldValidation: 'Strict',
    },
    callOptions(access),
  );
  return object;
}

/** There is an object that the inventory does not show as ours: ours after all, adoptable, or refused (D5). */
async function takeExisting(attempt: Attempt): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const existing = await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
  const live = liveObject(resource, existing.metadata);
  const restored = existing.metadata.uid === planned.recordedUid && hasOurEntry(existing, access.targetId);
  if (live.deleting) {
    throw new TowpathError(
      'Time',
      'BeingDeleted',
      `${describeObject(live)} is being deleted: it is created anew when it is gone. Where it stays, look at its finalizers.`,
      { details: [{ object: idOf(live), message: 'The object is being deleted.' }] },
    );
  }
  if (isOurs(live, access.targetId, access.targetName) || restored) {
    return applyOwn(attempt, { uid: live.uid });
  }
  const owner = owningTarget(existing);
  if (owner !== undefined)
    throw notOwned(live, `belongs to Application ${owner}`, 'Remove it from one of the two.');
  if (!access.adopt && planned.manifest.annotations[ANNOTATION_ADOPT] !== 'true') {
    const last = live.lastOther === undefined ? '' : ` (last written by ${live.lastOther.manager})`;
    throw notOwned(
      live,
      `exists and was not applied by Towpath${last}`,
      'Delete it, or take it over with the annotation towpath.dev/adopt: "true" on the object in Git or on the Application.',
    );
  }
  if (!attempt.dryRun) await mergeOwnership(attempt, existing);
  return applyOwn(attempt, { uid: live.uid });
}

async function mergeOwnership(attempt: Attempt, existing: KubeObject): Promise<void> {
  const { access, planned, resource } = attempt;
  const merged = mergedManagedFields(existing.metadata.managedFields ?? [], access.targetId);
  if (merged === undefined) return;
  await access.client.jsonPatch(
    pathOf(resource, planned.manifest),
    [
      { op: 'test', path: '/metadata/uid', value: existing.metadata.uid },
      { op: 'replace', path: '/metadata/resourceVersion', value: existing.metadata.resourceVersion },
      { op: 'replace', path: '/metadata/managedFields', value: merged },
    ],
    {},
    callOptions(access),
  );
}

async function replace(attempt: Attempt): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const existing = await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
  const live = liveObject(resource, existing.metadata);
  if (!isOurs(live, access.targetId, access.targetName)) return takeExisting(attempt);
  await deleteAndAwait(access, resource, live);
  return create(attempt);
}

function isReplaceable(manifest: Manifest, error: unknown): boolean {
  return (
    manifest.annotations[ANNOTATION_REPLACE] === 'true' &&
    error instanceof ApiError &&
    error.code === 422 &&
    /immutable|forbidden/i.test(error.message)
  );
}

/** The answer to an apply whose uid is that of an object that was deleted and made again by someone else. */
function isOtherUid(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.code === 422 &&
    error.causes.some((cause) => cause.field === 'metadata.uid')
  );
}

function hasOurEntry(object: KubeObject, targetId: string): boolean {
  return (object.metadata.managedFields ?? []).some(
    (entry) => entry.manager === fieldManager(targetId) && entry.operation === 'Apply',
  );
}

/** `<namespace>/<name>` of the Application whose target applied the object; undefined where none did. */
function owningTarget(object: KubeObject): string | undefined {
  const target = object.metadata.labels?.[LABEL_TARGET];
  const owner = object.metadata.annotations?.[ANNOTATION_OWNER];
  if (target === undefined || owner === undefined || !hasOurEntry(object, target)) return undefined;
  return owner.split(' ')[0]?.split('/').slice(0, 2).join('/');
}

function notOwned(live: LiveObject, how: string, next: string): TowpathError {
  const message = `${describeObject(live)} ${how}. ${next}`;
  return new TowpathError('Person', 'NotOwned', message, { details: [{ object: idOf(live), message }] });
}

function applied(
  access: TargetAccess,
  resource: Resource,
  planned: PlannedApply,
  object: KubeObject,
): AppliedObject {
  const live = access.observe(object, resource);
  const { manifest } = planned;
  if (live.entry === undefined) {
    throw new TowpathError(
      'Time',
      'ApplyFailed',
      `The API server did not record who applied ${describeObject(manifest)}; it is tried again.`,
    );
  }
  return {
    ...idOf(manifest),
    apiVersion: manifest.apiVersion,
    uid: live.uid,
    digest: appliedDigest(manifest, planned.ignore),
    entry: live.entry,
  };
}
