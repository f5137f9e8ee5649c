import { LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeClient, KubeObject, Resource, ServiceAccount } from '../../kube/client.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import { isOurs, liveObject } from '../../manifest/live.ts';
import { type GroupKind, groupKind } from '../../manifest/manifest.ts';

/** A kind, and where and as whom it may be watched if the operator's own read role does not list it. */
export interface WatchedKind {
  group: string;
  kind: string;
  namespace: string;
}

/** Whose objects are searched for, and as whom. */
export type SearchAccess = Pick<TargetAccess, 'targetId' | 'targetName' | 'as' | 'signal'>;

/** What a kind's API must offer for a target to have objects of it. */
const SEARCHED = ['list', 'watch', 'patch'];

/** Kinds that are read as the ServiceAccount alone (S1). */
export const NEVER_AS_OPERATOR: ReadonlySet<GroupKind> = new Set(['/Secret']);

/**
 * Asks the API server, kind by kind, where the target has objects of its own: as the operator, then as its
 * ServiceAccount, in the whole cluster and else in `namespace`. Some 70 requests: for a record that is lost.
 * Kinds that neither may list are passed over. Throws ApiError, UnreachableError.
 */
export async function searchTarget(access: TargetAccess, namespace: string): Promise<WatchedKind[]> {
  const { client, discovery } = access;
  const kinds = new Set(discovery.resources().map(groupKind));
  const found = new Map<string, WatchedKind>();
  await inParallel([...kinds], async (name) => {
    const slash = name.lastIndexOf('/');
    const resource = discovery.resourceFor(name.slice(0, slash), name.slice(slash + 1));
    if (resource === undefined || !SEARCHED.every((verb) => resource.verbs.includes(verb))) return;
    for (const { metadata } of await listTarget(client, resource, access, namespace)) {
      const live = liveObject(resource, metadata);
      if (!isOurs(live, access.targetId, access.targetName)) continue;
      found.set(`${name} ${live.namespace}`, {
        group: live.group,
        kind: live.kind,
        namespace: live.namespace,
      });
    }
  });
  return [...found.values()];
}

/** The target's objects of a kind; unless it is said otherwise, metadata alone. */
export async function listTarget(
  client: KubeClient,
  resource: Resource,
  access: SearchAccess,
  namespace: string,
  { metadataOnly = true } = {},
): Promise<KubeObject[]> {
  const tries: { as: ServiceAccount | undefined; namespace?: string }[] = [{ as: access.as }];
  if (!NEVER_AS_OPERATOR.has(groupKind(resource))) tries.unshift({ as: undefined });
  if (resource.namespaced) tries.push({ as: access.as, namespace });
  const selection = { labelSelector: `${LABEL_TARGET}=${access.targetId}`, metadataOnly };
  for (const { as, ...where } of tries) {
    try {
      const options = { signal: access.signal, ...(as === undefined ? {} : { as }) };
      return (await client.list({ resource, ...where }, selection, options)).items;
    } catch (error) {
      if (!isForbidden(error) && !isNotFound(error)) throw error;
    }
  }
  return [];
}
