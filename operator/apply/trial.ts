import type { Resource } from '../kube/client.ts';
import { ApiError, isTransient } from '../kube/errors.ts';
import { fieldManager } from '../manifest/live.ts';
import { type GroupKind, groupKind, type Manifest } from '../manifest/manifest.ts';
import { TRIAL_SUFFIX, withName } from '../manifest/metadata-text.ts';
import { askedFor, withoutHeld } from './allocations.ts';
import { type Attempt, find, isOtherUid } from './attempt.ts';
import { changedFields, isForTrial, isImmutable, RefusedChange } from './refused-change.ts';
import { callOptions, pathOf, type TargetAccess } from './target.ts';

/** An apply is refused for the first field that its kind does not have; strict decoding tells of all of them. */
export async function allUnknownFields(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  first: ApiError,
): Promise<unknown> {
  const { name: _, ...collection } = pathOf(resource, manifest);
  const text = withName(manifest.text, trialName(manifest));
  try {
    await access.client.create(
      collection,
      text,
      { dryRun: true, fieldValidation: 'Strict' },
      callOptions(access),
    );
    return first;
  } catch (error) {
    access.signal.throwIfAborted();
    return error instanceof ApiError && error.message.includes('strict decoding error') ? error : first;
  }
}

/** Whether server-side apply met a field that the kind does not have. */
export function isUnknownField(error: unknown): error is ApiError {
  return (
    error instanceof ApiError &&
    error.causes.some(({ message }) => message.startsWith('field not declared in schema'))
  );
}

/** Kinds whose name follows from their content: another one would be refused. */
const NAMED_BY_CONTENT: ReadonlySet<GroupKind> = new Set([
  'apiextensions.k8s.io/CustomResourceDefinition',
  'apiregistration.k8s.io/APIService',
  'networking.k8s.io/IPAddress',
]);

/** Whether an object of its kind can be tried under another name. */
export function canBeTried(manifest: Manifest): boolean {
  return !NAMED_BY_CONTENT.has(groupKind(manifest));
}

/** Asks whether the object could be created, under another name: one of its own name may be there. */
export async function dryRunAsNew(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
): Promise<void> {
  if (!canBeTried(manifest)) return;
  const name = trialName(manifest);
  await access.client.apply(
    pathOf(resource, { ...manifest, name }),
    withName(withoutAllocations(manifest), name),
    { fieldManager: fieldManager(access.targetId), force: false, dryRun: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
}

function trialName({ name }: Manifest): string {
  const begin = name.slice(0, 40);
  // A name has no such sign before the hyphen.
  const last = begin.search(/[^a-z0-9]{1,40}$/);
  return `${last < 0 ? begin : begin.slice(0, last)}${TRIAL_SUFFIX}`;
}

/** What only one object can have, the one that is there has still. */
function withoutAllocations(manifest: Manifest): string {
  const allocations = askedFor(manifest);
  return allocations.size === 0 ? manifest.text : withoutHeld(manifest, allocations);
}

/**
 * What a refusal is, after a look at what is there: a RefusedChange where the API server would take the object as
 * a new one. Kubernetes has no code for fields that cannot change, and many words.
 */
export async function afterTrial(attempt: Attempt, failure: unknown): Promise<unknown> {
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
