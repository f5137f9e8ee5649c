/** The identity that a call is made as (S1). */
export interface ServiceAccount {
  namespace: string;
  name: string;
}

/** A kind as the API server serves it. `group` is '' for the core group. */
export interface Resource {
  group: string;
  version: string;
  /** `deployments`, as in paths. */
  plural: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
}

/** What a path needs of a Resource. */
export type ResourceName = Pick<Resource, 'group' | 'version' | 'plural'>;

/** Which object, or which collection where `name` is left out. */
export interface ObjectPath {
  resource: ResourceName;
  /** Left out for cluster-scoped objects, and for a list over all namespaces. */
  namespace?: string;
  name?: string;
  /** `status`, `scale` … */
  subresource?: string;
}

/** One entry of metadata.managedFields; `time` is RFC 3339 in whole seconds, and may be missing. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMetadata {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

/** An object as the API server tells it. Numbers beyond 2^53 are rounded here: never send this back as desired state. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMetadata;
  [rest: string]: unknown;
}

export function isKubeObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false;
  const { metadata } = value;
  return (
    typeof metadata === 'object' &&
    metadata !== null &&
    'name' in metadata &&
    typeof metadata.name === 'string'
  );
}

/** `/apis/apps/v1/namespaces/shop/deployments/web`. */
export function urlPath({ resource, namespace, name, subresource }: ObjectPath): string {
  const root =
    resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const within =
    namespace === undefined || namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  const sub = subresource === undefined ? '' : `/${subresource}`;
  return `${root}${within}/${resource.plural}${object}${sub}`;
}

/** `deployments.apps shop/web`, for messages. */
export function describePath({ resource, namespace, name }: ObjectPath): string {
  const kind = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
  return `${kind} ${[namespace, name].filter((part) => part !== undefined && part !== '').join('/')}`.trim();
}
