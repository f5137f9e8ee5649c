import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_REPLACE } from '../api/v1alpha1/names.ts';
import type { KubeObject, Resource } from '../kube/client.ts';
import type { ApiError } from '../kube/errors.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { type AppliedObject, appliedDigest, type PlannedApply } from '../manifest/applied.ts';
import { isAtRest } from '../manifest/at-rest.ts';
import { decidedPaths } from '../manifest/decided.ts';
import { withoutPaths } from '../manifest/exact-json.ts';
import { fieldManager, isOurs, liveObject } from '../manifest/live.ts';
import { describeObject, idOf, type Manifest } from '../manifest/manifest.ts';
import { withMetadata } from '../manifest/metadata-text.ts';
import { type Attempt, find, isOtherUid } from './attempt.ts';
import { asLargeAs, isShrunk } from './claims.ts';
import { handOver, takeBack } from './ignored.ts';
import { applyOwn, lookAtOwn, mergeOwnership, takeShared, withoutNobody } from './own-fields.ts';
import { mustMerge, notOwned } from './owner.ts';
import { deleteAndAwait } from './prune.ts';
import { isImmutable, RefusedChange } from './refused-change.ts';
import { callOptions, pathOf, resourceToWrite, type TargetAccess } from './target.ts';
import { afterTrial, allUnknownFields, dryRunAsNew, isUnknownField } from './trial.ts';

/**
 * A resourceVersion that no object has: an apply that carries it creates, and gets 409 from an object that
 * exists, also from one that appeared a moment ago. Server-side apply knows no other create-only.
 */
const NO_OBJECT = '1';

/** Applies one planned object; returns what the record keeps of it. Throws ApiError or TowpathError. */
export async function applyObject(access: TargetAccess, planned: PlannedApply): Promise<AppliedObject> {
  const resource = await resourceToWrite(access, planned.manifest);
  const attempt: Attempt = { access, resource, planned, dryRun: false };
  let sent: Sent;
  let large: ReturnType<typeof asLargeAs>;
  try {
    sent = await send(attempt);
  } catch (failure) {
    large = await largeEnough(attempt, failure);
    if (large !== undefined) sent = await send({ ...attempt, planned: large.planned });
    else {
      const error = await afterTrial(attempt, failure);
      if (!isReplaceable(planned.manifest, error)) throw error;
      sent = await replace(attempt);
    }
  }
  let { object } = sent;
  if (sent.isNew) {
    // What others decide was sent once, as its first value; from now on it is left to them.
    const handed = await handOver(attempt, object);
    if (handed !== object) object = await applyOwn(attempt, { uid: handed.metadata.uid }, handed);
  }
  const kept = applied(access, resource, planned, object);
  return large === undefined ? kept : { ...kept, larger: large.larger };
}

/** A claim that Git wants smaller is left as large as it is; undefined: it is not refused for that. */
async function largeEnough(attempt: Attempt, failure: unknown): Promise<ReturnType<typeof asLargeAs>> {
  if (!isShrunk(failure, attempt.planned)) return undefined;
  const existing = await find(attempt);
  return existing === undefined ? undefined : asLargeAs(attempt.planned, existing);
}

/** Asks about the object by a server-side dry-run. Throws as applyObject does. */
export async function dryRunObject(access: TargetAccess, planned: PlannedApply): Promise<void> {
  const resource = await resourceToWrite(access, planned.manifest);
  const attempt: Attempt = { access, resource, planned, dryRun: true };
  try {
    await send(attempt);
  } catch (failure) {
    if (isUnknownField(failure)) throw await allUnknownFields(access, resource, planned.manifest, failure);
    const large = await largeEnough(attempt, failure);
    if (large !== undefined) {
      await send({ ...attempt, planned: large.planned });
      return;
    }
    const error = await afterTrial(attempt, failure);
    if (!isReplaceable(planned.manifest, error)) throw error;
    await dryRunAsNew(access, resource, planned.manifest);
  }
}

interface Sent {
  object: KubeObject;
  /** Made by this request, with all its fields. */
  isNew: boolean;
}

async function send(attempt: Attempt): Promise<Sent> {
  const { planned } = attempt;
  const { live } = planned;
  if (live !== undefined && !live.deleting) {
    try {
      const current = await lookAtOwn(attempt, live);
      // A write that a former leader had under way finds another version and changes nothing (D8). What is left to
      // others changes all the time, and a dry-run does no harm.
      const isAsSeen = planned.ignore.length === 0 && !attempt.dryRun;
      const { resourceVersion = live.resourceVersion } = current?.metadata ?? {};
      const preconditions = { uid: live.uid, ...(isAsSeen ? { resourceVersion } : {}) };
      const object = await applyOwn(attempt, preconditions, current);
      return { object: attempt.dryRun ? object : await takeBack(attempt, object), isNew: false };
    } catch (error) {
      // Gone, or another object under the same name: look again instead of trusting what we remembered.
      if (!isConflict(error) && !isNotFound(error) && !isOtherUid(error)) throw error;
    }
  }
  try {
    return { object: await create(attempt), isNew: true };
  } catch (error) {
    if (!isConflict(error)) throw error;
    return { object: await takeExisting(attempt, error), isNew: false };
  }
}

async function create(attempt: Attempt): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  return access.client.apply(
    pathOf(resource, planned.manifest),
    // What the control plane decides is not even a first value: it may have decided before that is left to it.
    withMetadata(withoutPaths(planned.manifest.text, decidedPaths(planned.manifest)), {
      resourceVersion: NO_OBJECT,
    }),
    {
      fieldManager: fieldManager(access.targetId),
      force: false,
      dryRun: attempt.dryRun,
      fieldValidation: 'Strict',
    },
    callOptions(access),
  );
}

/** The object exists and does not show as ours: ours after all, adoptable, or refused (D5). */
async function takeExisting(attempt: Attempt, conflict: ApiError): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const existing = await find(attempt);
  // Gone again, or the conflict was about something else (a quota's counter): the next try tells.
  if (existing === undefined) throw conflict;
  const live = liveObject(resource, existing.metadata);
  if (live.deleting) {
    throw new TowpathError(
      'Resource',
      'BeingDeleted',
      `${describeObject(live)} is being deleted: it is created anew when it is gone. Where it stays, look at its finalizers.`,
      { details: [{ object: idOf(live), message: 'The object is being deleted.' }] },
    );
  }
  const isMerged = mustMerge(access, planned, existing, live);
  return update(attempt, isMerged && !attempt.dryRun ? await mergeOwnership(attempt, existing) : existing);
}

/** Applies onto what is there, and leaves to others what they decide. */
async function update(attempt: Attempt, existing: KubeObject): Promise<KubeObject> {
  const { planned } = attempt;
  // As in `lookAtOwn`; and where somebody writes without end, a write on condition would never succeed.
  const isForced = attempt.dryRun || planned.reason === 'Drift';
  const shared = isForced ? existing : await takeShared(attempt, existing);
  const current = attempt.dryRun ? shared : await handOver(attempt, shared);
  const object = await applyOwn(attempt, { uid: existing.metadata.uid }, current);
  if (attempt.dryRun) return object;
  const hadOwners = (existing.metadata.managedFields ?? []).length > 0;
  return takeBack(attempt, hadOwners ? object : await withoutNobody(attempt, object));
}

/** Deletes our object and makes it anew, if the API server would take the new one. */
async function replace(attempt: Attempt): Promise<Sent> {
  const { access, planned, resource } = attempt;
  const existing = await find(attempt);
  if (existing !== undefined) {
    const live = liveObject(resource, existing.metadata);
    if (!isOurs(live, access.targetId, access.targetName))
      throw notOwned(live, 'is not ours to replace', 'Look at who changed its labels.');
    await dryRunAsNew(access, resource, planned.manifest);
    await deleteAndAwait(access, resource, live, (now) => isOurs(now, access.targetId, access.targetName));
  }
  return { object: await create(attempt), isNew: true };
}

function isReplaceable(manifest: Manifest, error: unknown): boolean {
  if (manifest.annotations[ANNOTATION_REPLACE] !== 'true' || isOtherUid(error)) return false;
  return error instanceof RefusedChange || isImmutable(error);
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
    ...(isAtRest(manifest, planned.ignore) ? { atRest: true } : {}),
    entry: live.entry,
  };
}
