import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_OWNER, ANNOTATION_REPLACE, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import type { KubeObject, Resource } from '../kube/client.ts';
import { ApiError, isConflict, isNotFound, isTransient } from '../kube/errors.ts';
import { type AppliedObject, appliedDigest, type PlannedApply } from '../manifest/applied.ts';
import { isAtRest } from '../manifest/at-rest.ts';
import { decidedPaths } from '../manifest/decided.ts';
import { withoutPaths } from '../manifest/exact-json.ts';
import { holdsMore } from '../manifest/keep.ts';
import {
  fieldManager,
  HOOK_MANAGER,
  ignoredFieldManager,
  isOurHook,
  isOurs,
  type LiveObject,
  liveObject,
  ownerAnnotation,
} from '../manifest/live.ts';
import { describeObject, idOf, type Manifest } from '../manifest/manifest.ts';
import { withMetadata } from '../manifest/metadata-text.ts';
import { type ManagedFields, mergedManagedFields } from './adopt.ts';
import { asLargeAs, isShrunk } from './claims.ts';
import { handOver, takeBack, textWithout } from './ignored.ts';
import { setManagedFields } from './managed-fields.ts';
import { deleteAndAwait } from './prune.ts';
import { changedFields, isForTrial, isImmutable, RefusedChange } from './refused-change.ts';
import { asMergePatch, mayShareFields, withForeignItems, withSharedFields } from './take-over.ts';
import { adopts, callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';
import { allUnknownFields, canBeTried, dryRunAsNew, isUnknownField } from './trial.ts';

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
  if (sent.isNew && planned.ignore.length > 0) {
    // What others decide was sent once, as its first value; from now on it is left to them.
    const isHanded = await handOver(access, resource, planned.manifest, planned.ignore, object);
    if (isHanded) object = await applyOwn(attempt, { uid: object.metadata.uid }, object);
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
  const resource = await resourceOf(access, planned.manifest);
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

/**
 * What a refusal is, after a look at what is there: a RefusedChange where the API server would take the object as
 * a new one. Kubernetes has no code for fields that cannot change, and many words.
 */
async function afterTrial(attempt: Attempt, failure: unknown): Promise<unknown> {
  const { access, planned, resource } = attempt;
  if (!isForTrial(failure) || isOtherUid(failure)) return failure;
  try {
    const existing = await find(attempt);
    if (existing === undefined) return failure;
    if (!isImmutable(failure)) {
      if (!canBeTried(planned.manifest)) return failure;
      await dryRunAsNew(access, resource, planned.manifest);
    }
    return new RefusedChange(
      failure,
      changedFields(failure, planned.manifest.text, existing, access.targetId),
      planned.reason === 'Drift' ? 'Somebody' : 'Git',
    );
  } catch (error) {
    access.signal.throwIfAborted();
    if (error instanceof ApiError || isTransient(error)) return failure;
    throw error;
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
      // A write that a former leader had under way finds another version and changes nothing (D8). Handing
      // fields over has just changed it, and a dry-run does no harm.
      const isAsSeen = planned.ignore.length === 0 && !attempt.dryRun;
      const { resourceVersion = live.resourceVersion } = current?.metadata ?? {};
      const preconditions = { uid: live.uid, ...(isAsSeen ? { resourceVersion } : {}) };
      const object = await applyOwn(attempt, preconditions, current);
      return { object: attempt.dryRun ? object : await release(attempt, object), isNew: false };
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

/** What the object is now, where that decides what is sent, after what is to be ours alone was made so. */
async function lookAtOwn(attempt: Attempt, live: LiveObject): Promise<KubeObject | undefined> {
  const { access, planned, resource, dryRun } = attempt;
  // What was changed since the apply is put back by force; what it named was made ours before.
  const isShared = !dryRun && planned.reason !== 'Drift' && mayShareFields(live);
  if (planned.ignore.length === 0 && !isShared) return undefined;
  const found = await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
  if (dryRun || found.metadata.uid !== live.uid) return found;
  const current = await takeShared(attempt, found);
  if (planned.ignore.length > 0) await handOver(access, resource, planned.manifest, planned.ignore, current);
  return current;
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

interface Preconditions {
  uid: string;
  resourceVersion?: string;
}

/**
 * Applies onto an object that is ours; `uid` makes sure that it is still the same one. `current` is what it is
 * now, where others decide some of its fields.
 */
async function applyOwn(
  attempt: Attempt,
  preconditions: Preconditions,
  current: KubeObject | undefined,
): Promise<KubeObject> {
  try {
    return await applyOnto(attempt, preconditions, current);
  } catch (error) {
    const isOfContent = error instanceof ApiError && error.code === 422 && !isOtherUid(error);
    if (!isOfContent) throw error;
    return applyAlone(attempt, preconditions.uid, error);
  }
}

async function applyOnto(
  { access, planned, resource, dryRun }: Attempt,
  preconditions: Preconditions,
  current: KubeObject | undefined,
): Promise<KubeObject> {
  const { manifest, ignore } = planned;
  const text = current === undefined ? manifest.text : textWithout(manifest, ignore, current);
  return access.client.apply(
    pathOf(resource, manifest),
    withMetadata(text, { ...preconditions }),
    { fieldManager: fieldManager(access.targetId), force: true, dryRun, fieldValidation: 'Strict' },
    callOptions(access),
  );
}

/**
 * What is refused may be right but for what others put into the lists beside it: a Service's port of the same name,
 * what is left of a container. If the API server takes the object with exactly Git's lists, these items are made
 * ours, and so go with the next apply. Throws what is wrong with Git's, and `refusal` where that is all.
 */
async function applyAlone(attempt: Attempt, uid: string, refusal: ApiError): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const { manifest, ignore } = planned;
  const existing = await find(attempt);
  if (existing === undefined || existing.metadata.uid !== uid) throw refusal;
  const entries = withForeignItems(existing, planned, access.targetId);
  if (entries === undefined) throw refusal;
  const alone = asMergePatch(textWithout(manifest, ignore, existing), existing, access.targetId);
  const asked = await access.client.mergePatch(
    pathOf(resource, manifest),
    withMetadata(alone, { uid }),
    { fieldManager: fieldManager(access.targetId), dryRun: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
  if (attempt.dryRun) return asked;
  const taken = await setManagedFields(access, resource, manifest, existing, entries);
  return applyOnto(attempt, { uid, resourceVersion: taken.metadata.resourceVersion ?? '' }, taken);
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
  const owner = owningTarget(existing);
  // We applied this very object, and lost only what tells so: a label, or all managedFields at once. Whatever
  // another target put on it since weighs more.
  const isRestored =
    live.uid === planned.recordedUid &&
    (hasOurEntry(existing, access.targetId)
      ? owner === undefined || live.target === access.targetId
      : !isMarkedByAnother(existing, live, access));
  if (isOurs(live, access.targetId, access.targetName) || isRestored) return update(attempt, existing);
  // A hook of ours that became an ordinary object: what it was made with is ours too.
  if (isOurHook(live, access.targetId, access.targetName))
    return update(attempt, attempt.dryRun ? existing : await mergeOwnership(attempt, existing));
  const left = owner !== undefined && !access.isHeld(live);
  if (owner !== undefined && !left) throw heldBy(owner, live);
  if (!adopts(access, planned.manifest))
    throw left ? leftBy(owner, live) : foundThere(access, existing, live);
  return update(attempt, attempt.dryRun ? existing : await mergeOwnership(attempt, existing));
}

const ADOPT = 'towpath.dev/adopt: "true" on the object in Git or on the Application';

function heldBy(owner: string, live: LiveObject): TowpathError {
  return notOwned(
    live,
    `belongs to Application ${owner}, which has it in Git`,
    'Remove it from one of the two. To move it here as it is, take it out there and annotate it towpath.dev/adopt: "true" here.',
  );
}

function leftBy(owner: string, live: LiveObject): TowpathError {
  return notOwned(
    live,
    `was left by Application ${owner}, which has it no longer in Git`,
    `Take it over as it is with the annotation ${ADOPT}.`,
  );
}

/** The object is nobody's, or was another's that is gone. */
function foundThere(access: TargetAccess, existing: KubeObject, live: LiveObject): TowpathError {
  const [other] = live.others ?? [];
  const last = other === undefined ? '' : ` (last written by ${other.manager})`;
  const isMarked = live.target === access.targetId && live.owner === ownerAnnotation(access.targetName, live);
  let how = `exists and was not applied by Towpath${last}`;
  if (isMarked)
    how =
      'has the label and the annotation of this Application, but its metadata.managedFields do not name Towpath';
  else if (hasOurEntry(existing, access.targetId)) how = 'was left by this Application before';
  else if (hasEntryOfAnother(existing, access.targetId))
    how = 'was applied by another Application, which may be gone';
  const orDelete = holdsMore(live) ? '' : ', or delete it if nobody needs it';
  return notOwned(live, how, `Take it over with the annotation ${ADOPT}${orDelete}.`);
}

async function find({ access, planned, resource }: Attempt): Promise<KubeObject | undefined> {
  try {
    return await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Applies onto what is there, and leaves to others what they decide. */
async function update(attempt: Attempt, existing: KubeObject): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  // As in `lookAtOwn`; and where somebody writes without end, a write on condition would never succeed.
  const isForced = attempt.dryRun || planned.reason === 'Drift';
  const current = isForced ? existing : await takeShared(attempt, existing);
  if (planned.ignore.length > 0 && !attempt.dryRun)
    await handOver(access, resource, planned.manifest, planned.ignore, current);
  const object = await applyOwn(attempt, { uid: existing.metadata.uid }, current);
  if (attempt.dryRun) return object;
  const hadOwners = (existing.metadata.managedFields ?? []).length > 0;
  return release(attempt, hadOwners ? object : await withoutNobody(attempt, object));
}

/**
 * The first apply onto an object without managedFields leaves all that was there to `before-first-apply`, which is
 * nobody: as long as it shares our fields, one removed from Git would stay.
 */
async function withoutNobody(attempt: Attempt, object: KubeObject): Promise<KubeObject> {
  const entries = object.metadata.managedFields ?? [];
  const owners = entries.filter(({ manager }) => manager !== 'before-first-apply');
  if (owners.length === entries.length) return object;
  const { access, planned, resource } = attempt;
  return setManagedFields(access, resource, planned.manifest, object, owners);
}

/** What an earlier spec.sync.ignore had left to others, and the present one does not, is ours alone again. */
function release({ access, planned, resource }: Attempt, object: KubeObject): Promise<KubeObject> {
  return takeBack(access, resource, planned.manifest, planned.ignore, object);
}

/** Makes the fields of other deployment tools ours, so that one removed from Git goes (D13). */
function mergeOwnership(attempt: Attempt, existing: KubeObject): Promise<KubeObject> {
  return own(
    attempt,
    existing,
    mergedManagedFields(existing.metadata.managedFields ?? [], attempt.access.targetId),
  );
}

/** Makes the fields ours alone that Git names and that somebody set by hand, or with another tool (D16). */
function takeShared(attempt: Attempt, existing: KubeObject): Promise<KubeObject> {
  return own(attempt, existing, withSharedFields(existing, attempt.planned, attempt.access.targetId));
}

async function own(
  { access, planned, resource }: Attempt,
  existing: KubeObject,
  entries: ManagedFields | undefined,
): Promise<KubeObject> {
  if (entries === undefined) return existing;
  return setManagedFields(access, resource, planned.manifest, existing, entries);
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

/** Whether another target applied the object, now or once. */
function hasEntryOfAnother({ metadata }: KubeObject, targetId: string): boolean {
  const own = [fieldManager(targetId), ignoredFieldManager(targetId)];
  return (metadata.managedFields ?? []).some(
    ({ manager = '', operation }) =>
      operation === 'Apply' &&
      manager.startsWith(fieldManager('')) &&
      !manager.startsWith(HOOK_MANAGER) &&
      !own.includes(manager),
  );
}

/** Whether a label, an annotation or a field manager says that the object is another target's. */
function isMarkedByAnother(
  object: KubeObject,
  live: LiveObject,
  { targetId, targetName }: TargetAccess,
): boolean {
  return (
    !['', targetId].includes(live.target) ||
    !['', ownerAnnotation(targetName, live)].includes(live.owner) ||
    hasEntryOfAnother(object, targetId)
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
    ...(isAtRest(manifest, planned.ignore) ? { atRest: true } : {}),
    entry: live.entry,
  };
}
