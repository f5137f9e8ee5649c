import { cutWithin } from '../../../api/foreign-text.ts';
import type { ServiceAccount } from '../../../kube/client.ts';
import { ApiError } from '../../../kube/errors.ts';

/** What the API server says that somebody may not do. */
export interface MissingRight {
  verb: string;
  /** As rules of RBAC name it: `deployments`, `deployments/scale`. */
  resource: string;
  group: string;
  /** '' outside of namespaces. */
  namespace: string;
}

/** Longer words name no right of anybody's. */
const LONGEST = 2_048;
/** As the API server's RBAC authorizer has it; each part ends at a quote, so that it is read in linear time. */
const WORDS =
  /^[^"]{0,256}(?:"[^"]{0,256}"[^"]{0,64})? is forbidden: User "[^"]{1,512}" cannot ([a-z*]{1,64}) resource "([^"]{1,256})" in API group "([^"]{0,256})"(?: in the namespace "([^"]{1,253})"| at the cluster scope)/;

/** The right whose lack the error, or what caused it, tells of; undefined: another reason. */
export function missingRight(error: unknown): MissingRight | undefined {
  if (!(error instanceof ApiError))
    return error instanceof Error && error.cause !== undefined ? missingRight(error.cause) : undefined;
  if (error.refuser !== 'Rights') return undefined;
  const [, verb, resource, group = '', namespace = ''] = WORDS.exec(cutWithin(error.message, LONGEST)) ?? [];
  return verb === undefined || resource === undefined ? undefined : { verb, resource, group, namespace };
}

/** What keeping an object in line with Git takes. */
const VERBS = '[get, list, watch, create, patch, delete]';

/** A rule of a Role as YAML on one line, for where there is little room. */
export function shortRule({ resource, group }: MissingRight): string {
  return `{apiGroups: ["${group}"], resources: [${resource}], verbs: ["*"]}`;
}

/** What gives the account the right, as YAML to apply: beside the roles that it has. */
export function grantTo(account: ServiceAccount, right: MissingRight): string {
  const { namespace } = right;
  const name = `${account.name}-${right.resource.replace('/', '-')}`;
  const [kind, place] =
    namespace === '' ? ['ClusterRole', `name: ${name}`] : ['Role', `name: ${name}, namespace: ${namespace}`];
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: ${kind}
metadata: {${place}}
rules: [${ruleOf(right)}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ${kind}Binding
metadata: {${place}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ${kind}, name: ${name}}
subjects: [{kind: ServiceAccount, name: ${account.name}, namespace: ${account.namespace}}]`;
}

/** What adds the right to a ClusterRole that gathers others by label, as Kubernetes' own do. */
export function addTo(clusterRole: string, right: MissingRight): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: towpath-${clusterRole}-${right.resource.replace('/', '-')}
  labels: {rbac.authorization.k8s.io/aggregate-to-${clusterRole}: "true"}
rules: [${ruleOf(right)}]`;
}

function ruleOf({ resource, group }: MissingRight): string {
  return `{apiGroups: ["${group}"], resources: [${resource}], verbs: ${VERBS}}`;
}
