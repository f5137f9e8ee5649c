import { LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeClient, KubeObject, Resource, ServiceAccount } from '../../kube/client.ts';
import { type ApiError, isForbidden, isNotFound } from '../../kube/errors.ts';
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
export type SearchAccess = Pick<TargetAccess, 'targetId' | 'targetName' | 'as' | 'bounds' | 'signal'>;

/** What a kind's API must offer for a target to have objects of it. */
const SEARCHED = ['list', 'watch', 'patch'];

/** Kinds that are read as the ServiceAccount alone (S1). */
export const NEVER_AS_OPERATOR: ReadonlySet<GroupKind> = new Set(['/Secret']);

/** What a search for a target's objects came to. */
export interface Search {
  /** Of which kinds there are some of the target's own, and in which namespaces. */
  readonly kinds: WatchedKind[];
  /** How many these are. */
  readonly objects: number;
  /** Kinds of which there may be some that neither may list; those that are read as the ServiceAccount alone come first. */
  readonly unlisted: readonly Unlisted[];
}

export interface Unlisted {
  readonly kind: WatchedKind;
  readonly refusal: ApiError;
}

/**
 * Asks the API server, kind by kind, where the target has objects of its own: as the operator, then as its
 * ServiceAccount, in the whole cluster and else in `namespace`. Some 70 requests: for a record that is lost.
 * Throws ApiError, UnreachableError.
 */
export async function searchTarget(access: TargetAccess, namespace: string): Promise<Search> {
  const { client, discovery } = access;
  const kinds = new Set(discovery.resources().map(groupKind));
  const found = new Map<string, WatchedKind>();
  const unlisted: Unlisted[] = [];
  let objects = 0;
  await inParallel([...kinds], async (name) => {
    const slash = name.lastIndexOf('/');
    const resource = discovery.resourceFor(name.slice(0, slash), name.slice(slash + 1));
    if (resource === undefined || !SEARCHED.every((verb) => resource.verbs.includes(verb))) return;
    const { group, kind } = resource;
    const { items, refusal } = await tryToList(client, resource, access, namespace);
    for (const { metadata } of items) {
      const live = liveObject(resource, metadata);
      if (!isOurs(live, access.targetId, access.targetName)) continue;
      found.set(`${name} ${live.namespace}`, { group, kind, namespace: live.namespace });
      objects += 1;
    }
    const where = resource.namespaced ? namespace : '';
    if (refusal !== undefined) unlisted.push({ kind: { group, kind, namespace: where }, refusal });
  });
  const rank = ({ kind }: Unlisted) => `${NEVER_AS_OPERATOR.has(groupKind(kind)) ? 0 : 1} ${groupKind(kind)}`;
  unlisted.sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
  return { kinds: [...found.values()], objects, unlisted };
}

/** The target's objects of a kind; unless it is said otherwise, metadata alone. Of a kind that neither may list, none. */
export async function listTarget(
  client: KubeClient,
  resource: Resource,
  access: SearchAccess,
  namespace: string,
  options: { metadataOnly?: boolean } = {},
): Promise<KubeObject[]> {
  return (await tryToList(client, resource, access, namespace, options)).items;
}

/** @returns `refusal` where there may be more, in namespaces, or of a kind, that neither may list */
async function tryToList(
  client: KubeClient,
  resource: Resource,
  access: SearchAccess,
  namespace: string,
  { metadataOnly = true } = {},
): Promise<{ items: KubeObject[]; refusal?: ApiError }> {
  const tries: { as: ServiceAccount | undefined; namespace?: string }[] = [{ as: access.as }];
  if (!NEVER_AS_OPERATOR.has(groupKind(resource))) tries.unshift({ as: undefined });
  if (resource.namespaced) tries.push({ as: access.as, namespace });
  const selection = { labelSelector: `${LABEL_TARGET}=${access.targetId}`, metadataOnly };
  let refusal: ApiError | undefined;
  for (const { as, ...where } of tries) {
    try {
      const options = { signal: access.signal, ...(as === undefined ? {} : { as }) };
      const { items } = await client.list({ resource, ...where }, selection, options);
      // Its Environment lets it write to no other namespace, and never changes that one.
      const isAll = where.namespace === undefined || where.namespace === access.bounds?.namespace;
      return { items, ...(refusal === undefined || isAll ? {} : { refusal }) };
    } catch (error) {
      if (isForbidden(error)) refusal = error;
      else if (!isNotFound(error)) throw error;
    }
  }
  return { items: [], ...(refusal === undefined ? {} : { refusal }) };
}
