import { GROUP } from '../api/v1alpha1/names.ts';
import { isOurs, type LiveObject } from './live.ts';
import { groupKind, type ObjectId } from './manifest.ts';

const KEPT_KINDS = new Set([
  'apiextensions.k8s.io/CustomResourceDefinition',
  '/Namespace',
  '/PersistentVolumeClaim',
]);

export interface KeepInput {
  targetId: string;
  /** `<namespace>/<application>/<environment>` */
  targetName: string;
  /** spec.sync.prune */
  prune: boolean;
}

/** Whether more goes with the object than Git could bring back: data, or all that stands in it or is of it. */
export function holdsMore(object: ObjectId): boolean {
  return KEPT_KINDS.has(groupKind(object));
}

/** What may become of an object that is kept. */
const LEFT =
  'Another Application takes it over as it is with towpath.dev/adopt: "true" on it there. Delete it by hand only if nobody needs it.';

/** Whether the object is the Application of the target `<namespace>/<application>/<environment>`. */
export function isApplicationOf(object: ObjectId, targetName: string): boolean {
  return (
    groupKind(object) === `${GROUP}/Application` &&
    targetName.startsWith(`${object.namespace}/${object.name}/`)
  );
}

/**
 * Whether an object that carries the target's label and is not in Git is no leftover: it goes already, is a hook's
 * or a check's, or was made by a controller that copies labels and would put them back.
 */
export function isPassedOver(live: LiveObject): boolean {
  return live.deleting || live.hook || live.check === true || live.byController === true;
}

/** Why an object that carries the target's label stays although nothing asks for it; undefined: it may go. */
export function keepReason(live: LiveObject, input: KeepInput) {
  if (!isOurs(live, input.targetId, input.targetName)) {
    return 'It carries the label of this target, but this target did not apply it: remove the label towpath.dev/target.';
  }
  if (isApplicationOf(live, input.targetName)) {
    return 'It is the Application that deploys this target: delete it by hand if both should go.';
  }
  // One that we do not know, too: somebody wrote it on the object, and hardly to have it deleted.
  if (live.prune !== undefined && live.prune !== 'enabled')
    return `Its annotation towpath.dev/prune is "${live.prune}".`;
  if (live.keep) return 'Its annotation helm.sh/resource-policy is "keep".';
  if (holdsMore(live) && live.prune !== 'enabled') {
    return `A ${live.kind} is pruned only with the annotation towpath.dev/prune: enabled. ${LEFT}`;
  }
  if (!input.prune) return `spec.sync.prune is false. ${LEFT}`;
  return undefined;
}
