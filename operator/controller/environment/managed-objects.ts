import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_CLUSTER_ROLE, type EnvironmentSpec } from '../../api/v1alpha1/environment.ts';
import { ANNOTATION_ENVIRONMENT, LABEL_MANAGED_FOR } from '../../api/v1alpha1/names.ts';
import type { KubeObject, ObjectPath, ServiceAccount } from '../../kube/client.ts';

/** Where an Environment has its access managed, and for whom. */
export interface ManagedPlace {
  readonly environment: string;
  /** The target namespace. */
  readonly namespace: string;
  /** The namespace of the Applications that land there. */
  readonly tenant: string;
  /** What the account is bound to. */
  readonly clusterRole: string;
  /** Level of Pod Security that the namespace gets where it is made; empty: none. */
  readonly podSecurity: string;
}

/** The ServiceAccount that is made, in each target namespace. */
export const MANAGED_ACCOUNT = 'towpath';
/** Not the account's name: a person's own binding of that name stays as it is. */
const BINDING = 'towpath-managed';
const RBAC = 'rbac.authorization.k8s.io';
const LABEL_POD_SECURITY = 'pod-security.kubernetes.io/enforce';
const LABELS = { 'app.kubernetes.io/managed-by': 'towpath' };

/** The ClusterRole that an Environment has managed access bound to; undefined: it names an account instead. */
export function managedRoleOf({ access = {} }: EnvironmentSpec): string | undefined {
  return access.serviceAccountName === undefined ? (access.clusterRole ?? DEFAULT_CLUSTER_ROLE) : undefined;
}

export function managedAccount(namespace: string): ServiceAccount {
  return { namespace, name: MANAGED_ACCOUNT };
}

export function namespacePath(name: string): ObjectPath & { name: string } {
  return { resource: { group: '', version: 'v1', plural: 'namespaces' }, name };
}

export function accountPath(namespace: string): ObjectPath {
  return {
    resource: { group: '', version: 'v1', plural: 'serviceaccounts' },
    ...managedAccount(namespace),
  };
}

export function bindingPath(namespace: string): ObjectPath {
  return { resource: { group: RBAC, version: 'v1', plural: 'rolebindings' }, namespace, name: BINDING };
}

/**
 * The label comes with the creation: a namespace that has none was made by somebody else (S16). And so does the level
 * of Pod Security: a tenant whose own namespace is held to one would get privileged Pods here, and with them the node.
 */
export function newNamespace({ namespace, tenant, podSecurity }: ManagedPlace): object {
  const labels = {
    ...LABELS,
    [LABEL_MANAGED_FOR]: tenant,
    ...(podSecurity !== '' && { [LABEL_POD_SECURITY]: podSecurity }),
  };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } };
}

export function newAccount({ namespace }: ManagedPlace): object {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { ...managedAccount(namespace), labels: LABELS },
  };
}

export function newBinding(place: ManagedPlace): object {
  const { namespace, environment } = place;
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'RoleBinding',
    metadata: {
      name: BINDING,
      namespace,
      labels: LABELS,
      annotations: { [ANNOTATION_ENVIRONMENT]: environment },
    },
    roleRef: roleRefOf(place),
    subjects: subjectsOf(place),
  };
}

function roleRefOf({ clusterRole }: ManagedPlace): object {
  return { apiGroup: RBAC, kind: 'ClusterRole', name: clusterRole };
}

function subjectsOf({ namespace }: ManagedPlace): object[] {
  return [{ kind: 'ServiceAccount', ...managedAccount(namespace) }];
}

/**
 * What a binding that is there lacks: nothing, its subjects, or another role, which can only be had by a new binding.
 * `Others`: another Environment wants that role, and each would undo what the other did.
 */
export function bindingLacks(
  live: KubeObject,
  place: ManagedPlace,
): 'Nothing' | 'Subjects' | 'Role' | { readonly wantedBy: string } {
  if (isDeepStrictEqual(live.roleRef, roleRefOf(place)))
    return isDeepStrictEqual(live.subjects, subjectsOf(place)) ? 'Nothing' : 'Subjects';
  const madeFor = live.metadata.annotations?.[ANNOTATION_ENVIRONMENT];
  return madeFor === undefined || madeFor === place.environment ? 'Role' : { wantedBy: madeFor };
}
