import { GROUP } from '../api/v1alpha1/names.ts';
import { describeObject, type GroupKind, groupKind, type ObjectId } from './manifest.ts';

/** What an Environment lets its Applications write to (S3). An Application without environments has no bounds. */
export interface Bounds {
  readonly environment: string;
  /** The target namespace: all that stands in a namespace stands in this one. */
  readonly namespace: string;
  /** Kinds outside of namespaces that are allowed. */
  readonly clusterScoped: ReadonlySet<GroupKind>;
  /** Whether the account is one of ours: then nothing of our own kinds may come with it (A21). */
  readonly isManaged: boolean;
}

/**
 * Why an object may not be written there, as a sentence; undefined: it may. `served` is what the API server
 * serves the kind as, where that is known: a kind that it does not serve yet is rendered into the target namespace, and
 * may turn out to stand in none.
 */
export function outOfBounds(
  object: ObjectId,
  served: { readonly namespaced: boolean } | undefined,
  bounds: Bounds,
): string | undefined {
  const { environment, namespace, clusterScoped, isManaged } = bounds;
  if (object.namespace === '' || served?.namespaced === false) {
    if (clusterScoped.has(groupKind(object))) return undefined;
    if (groupKind(object) === '/Namespace' && object.name === namespace)
      return `${object.kind} ${object.name} is what environment ${environment} lands in, and not the Application's: take it out of Git, or have the platform list kind Namespace in spec.access.clusterScoped of the Environment.`;
    const entry = `{group: "${object.group}", kind: ${object.kind}}`;
    return `${object.kind} ${object.name} stands in no namespace: take it out of Git, or have the platform add to Environment ${environment}: spec.access.clusterScoped: [${entry}].`;
  }
  if (object.namespace !== namespace)
    return `${describeObject(object)} is outside of ${namespace}, the only namespace that environment ${environment} allows: take metadata.namespace out of it in Git.`;
  if (isManaged && object.group === GROUP)
    return `${describeObject(object)}: a managed account of environment ${environment} writes nothing of Towpath's own kinds. Let an Application without environments deploy it, or take it out of Git.`;
  return undefined;
}
