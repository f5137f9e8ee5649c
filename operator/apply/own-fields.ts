import type { KubeObject } from '../kube/client.ts';
import { ApiError } from '../kube/errors.ts';
import { withValues } from '../manifest/exact-json.ts';
import { fieldManager, type LiveObject, liveObject } from '../manifest/live.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { withMetadata } from '../manifest/metadata-text.ts';
import { type ManagedFields, mergedManagedFields } from './adopt.ts';
import { type Attempt, find, isOtherUid } from './attempt.ts';
import { handOver, textOnto } from './ignored.ts';
import { setManagedFields } from './managed-fields.ts';
import { excluding, withExcluded } from './siblings.ts';
import { asMergePatch, withForeignItems, withSharedFields } from './take-over.ts';
import { callOptions, pathOf } from './target.ts';

interface Preconditions {
  uid: string;
  resourceVersion?: string;
}

/**
 * Applies onto an object that is ours; `uid` makes sure that it is still the same one. `current` is what it is
 * now, where others decide some of its fields.
 */
export async function applyOwn(
  attempt: Attempt,
  preconditions: Preconditions,
  current: KubeObject | undefined,
): Promise<KubeObject> {
  const { manifest, ignore } = attempt.planned;
  try {
    if (current === undefined) return await applyOnto(attempt, preconditions, manifest.text);
    const { text, hasTheirs } = textOnto(current, manifest, ignore);
    const version = hasTheirs && !attempt.dryRun ? versionOf(current) : {};
    return await applyOnto(attempt, { ...preconditions, ...version }, text);
  } catch (error) {
    if (!isOfContent(error)) throw error;
    try {
      return await applyAlone(attempt, preconditions, error);
    } catch (failure) {
      if (!isOfContent(failure)) throw failure;
      return applyExcluding(attempt, preconditions, error, failure);
    }
  }
}

function versionOf({ metadata: { resourceVersion = '' } }: KubeObject): { resourceVersion: string } {
  return { resourceVersion };
}

function isOfContent(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 422 && !isOtherUid(error);
}

async function applyOnto(
  { access, planned, resource, dryRun }: Attempt,
  preconditions: Preconditions,
  text: string,
): Promise<KubeObject> {
  return access.client.apply(
    pathOf(resource, planned.manifest),
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
async function applyAlone(
  attempt: Attempt,
  preconditions: Preconditions,
  refusal: ApiError,
): Promise<KubeObject> {
  const { access, planned } = attempt;
  const { manifest, ignore } = planned;
  const existing = await find(attempt);
  if (existing === undefined || existing.metadata.uid !== preconditions.uid) throw refusal;
  const entries = withForeignItems(existing, planned, access.targetId);
  if (entries === undefined) throw refusal;
  const alone = asMergePatch(textOnto(existing, manifest, ignore).text, existing, access.targetId);
  const trial = await askAlone(attempt, preconditions, alone);
  return attempt.dryRun ? trial : applyTaken(attempt, preconditions, existing, entries);
}

/**
 * The same of what the live object has beside what was refused, and Git does not name: what excludes Git's choice
 * gives way, whoever made it, a default included. Throws `failure` where that is not it.
 */
async function applyExcluding(
  attempt: Attempt,
  preconditions: Preconditions,
  refusal: ApiError,
  failure: ApiError,
): Promise<KubeObject> {
  const { access, planned } = attempt;
  const { manifest, ignore } = planned;
  const existing = await find(attempt);
  if (existing === undefined || existing.metadata.uid !== preconditions.uid) throw failure;
  const { text } = textOnto(existing, manifest, ignore);
  const excluded = excluding(refusal, text, existing).filter((pointer) => !ignore.includes(pointer));
  if (excluded.length === 0) throw failure;
  const nulls = new Map(excluded.map((pointer) => [pointer, null]));
  const alone = withValues(asMergePatch(text, existing, access.targetId), nulls);
  const trial = await askAlone(attempt, preconditions, alone).catch((error: unknown) => {
    throw isOfContent(error) ? failure : error;
  });
  if (attempt.dryRun) return trial;
  const entries = withExcluded(existing, text, excluded, access.targetId);
  return applyTaken(attempt, preconditions, existing, entries);
}

/** Asks whether the API server takes exactly Git's object, sent as a merge patch. */
function askAlone(
  { access, planned, resource }: Attempt,
  { uid }: Preconditions,
  patch: string,
): Promise<KubeObject> {
  return access.client.mergePatch(
    pathOf(resource, planned.manifest),
    withMetadata(patch, { uid }),
    { fieldManager: fieldManager(access.targetId), dryRun: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
}

/** Makes ours what `entries` say, and applies: what Git does not name of it goes. */
async function applyTaken(
  attempt: Attempt,
  { uid, resourceVersion }: Preconditions,
  existing: KubeObject,
  entries: ManagedFields,
): Promise<KubeObject> {
  const { access, planned, resource } = attempt;
  const { manifest, ignore } = planned;
  const taken = await setManagedFields(access, resource, manifest, existing, entries);
  // Whose the items were is forgotten by now: where whoever asks does without a version, none may make this fail.
  const { text, hasTheirs } = textOnto(taken, manifest, ignore);
  const isAsSeen = hasTheirs || resourceVersion !== undefined;
  return applyOnto(attempt, { uid, ...(isAsSeen ? versionOf(taken) : {}) }, text);
}

/** What the object is now, where that decides what is sent, after what is to be ours alone was made so. */
export async function lookAtOwn(attempt: Attempt, live: LiveObject): Promise<KubeObject | undefined> {
  const { access, planned, resource, dryRun } = attempt;
  // What was changed since the apply is put back by force; what it named was made ours before.
  const isShared = !dryRun && planned.reason !== 'Drift' && live.shared === true;
  if (planned.ignore.length === 0 && !isShared) return undefined;
  const found = await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
  if (dryRun || found.metadata.uid !== live.uid) return found;
  const current = await takeShared(attempt, found);
  return handOver(attempt, current);
}

/**
 * The first apply onto an object without managedFields leaves all that was there to `before-first-apply`, which is
 * nobody: as long as it shares our fields, one removed from Git would stay.
 */
export async function withoutNobody(attempt: Attempt, object: KubeObject): Promise<KubeObject> {
  const entries = object.metadata.managedFields ?? [];
  const owners = entries.filter(({ manager }) => manager !== 'before-first-apply');
  if (owners.length === entries.length) return object;
  const { access, planned, resource } = attempt;
  return setManagedFields(access, resource, planned.manifest, object, owners);
}

/** Makes the fields of other deployment tools ours, so that one removed from Git goes (D13). */
export function mergeOwnership(attempt: Attempt, existing: KubeObject): Promise<KubeObject> {
  return own(
    attempt,
    existing,
    mergedManagedFields(existing.metadata.managedFields ?? [], attempt.access.targetId),
  );
}

/** Makes the fields ours alone that Git names or named, and that somebody set by hand, or with another tool (D16). */
export async function takeShared(attempt: Attempt, existing: KubeObject): Promise<KubeObject> {
  const { access, planned } = attempt;
  const former = await formerOf(attempt, existing);
  return own(attempt, existing, withSharedFields(existing, planned, access.targetId, former));
}

/**
 * What the object was applied with, where our entry is another since: whoever changed a field by hand has taken it
 * from us, so that our entry does not tell any more that it was Git's.
 */
async function formerOf(
  { access, planned, resource }: Attempt,
  existing: KubeObject,
): Promise<Manifest | undefined> {
  const { recorded, ignore } = planned;
  if (recorded === undefined || recorded.uid !== existing.metadata.uid) return undefined;
  const { entry } = liveObject(resource, existing.metadata);
  return entry?.hash === recorded.entry.hash ? undefined : access.former(recorded, ignore);
}

async function own(
  { access, planned, resource }: Attempt,
  existing: KubeObject,
  entries: ManagedFields | undefined,
): Promise<KubeObject> {
  if (entries === undefined) return existing;
  return setManagedFields(access, resource, planned.manifest, existing, entries);
}
