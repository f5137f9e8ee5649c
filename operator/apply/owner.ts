import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import type { KubeObject } from '../kube/client.ts';
import type { PlannedApply } from '../manifest/applied.ts';
import {
  fieldManager,
  HOOK_MANAGER,
  ignoredFieldManager,
  isOurHook,
  isOurs,
  type LiveObject,
  ownerAnnotation,
} from '../manifest/live.ts';
import { describeObject, idOf, type ObjectId } from '../manifest/manifest.ts';
import { holdsMore } from '../manifest/never-pruned.ts';
import { adopts, type TargetAccess } from './target.ts';

/**
 * Whether an object that exists becomes ours only with the fields that others set in it: it is adopted, or was a
 * hook's. False: it is ours already. Throws NotOwned, with whose it is and what to do, where we may not have it (D5).
 */
export function mustMerge(
  access: TargetAccess,
  planned: PlannedApply,
  existing: KubeObject,
  live: LiveObject,
): boolean {
  const owner = owningTarget(existing);
  // We applied this very object, and lost only what tells so: a label, or all managedFields at once. Whatever
  // another target put on it since weighs more.
  const isRestored =
    live.uid === planned.recorded?.uid &&
    (hasOurEntry(existing, access.targetId)
      ? owner === undefined || live.target === access.targetId
      : !isMarkedByAnother(existing, live, access));
  if (isOurs(live, access.targetId, access.targetName) || isRestored) return false;
  // A hook of ours that became an ordinary object: what it was made with is ours too.
  if (isOurHook(live, access.targetId, access.targetName) || access.isHandedOver(live)) return true;
  // Nobody looks after it under that id: no two installations have the same Application.
  const isOfOtherId = owner !== undefined && live.owner === ownerAnnotation(access.targetName, live);
  const holder = owner === undefined || isOfOtherId ? undefined : access.holderOf(live);
  if (owner !== undefined && (holder === 'Holds' || holder === 'Unknown')) throw heldBy(owner, live, holder);
  if (adopts(access, planned.manifest)) return true;
  if (isOfOtherId) throw ofOtherId(live);
  throw owner !== undefined ? leftBy(owner, live) : foundThere(access, existing, live);
}

const ADOPT = 'towpath.dev/adopt: "true" on the object in Git or on the Application';

function heldBy(owner: string, live: LiveObject, holder: 'Holds' | 'Unknown'): TowpathError {
  const next =
    'Remove it from one of the two. To move it here as it is, take it out there and annotate it towpath.dev/adopt: "true" here.';
  if (holder === 'Holds') return notOwned(live, `belongs to Application ${owner}, which has it in Git`, next);
  return notOwned(
    live,
    `belongs to Application ${owner}, of which nothing is recorded here for it`,
    `${next} Where that Application is gone, or let go of it, take the label ${LABEL_TARGET} off the object first.`,
  );
}

function ofOtherId(live: LiveObject): TowpathError {
  return notOwned(
    live,
    'was applied for this Application by an installation with another id',
    `If that id is to come back, set it (--installation, "installation" in the chart); otherwise take it over with the annotation ${ADOPT}.`,
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

export function notOwned(live: ObjectId, how: string, next: string): TowpathError {
  const message = `${describeObject(live)} ${how}. ${next}`;
  return new TowpathError('Person', 'NotOwned', message, { details: [{ object: idOf(live), message }] });
}
