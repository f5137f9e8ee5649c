import type { KubeObject, Resource } from '../kube/client.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { ManagedFields } from './adopt.ts';
import { callOptions, pathOf, type TargetAccess } from './target.ts';

/** Says anew who owns which field of an object. Throws a conflict where the object changed since it was read. */
export function setManagedFields(
  access: TargetAccess,
  resource: Resource,
  manifest: Manifest,
  object: KubeObject,
  entries: ManagedFields,
): Promise<KubeObject> {
  return access.client.jsonPatch(
    pathOf(resource, manifest),
    [
      // The precondition: an object made anew has another one too.
      { op: 'replace', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
      { op: 'replace', path: '/metadata/managedFields', value: entries },
    ],
    {},
    callOptions(access),
  );
}
