import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  CLUSTER_RIGHTS,
  MANAGED_RIGHTS,
  OWN_NAMESPACE_RIGHTS,
  READ_RIGHTS,
  type Right,
  UPGRADE_RIGHTS,
  WATCHED_RIGHTS,
} from '../../operator/kube/rights.ts';
import { type Cluster, kubeConfigText } from './cluster.ts';
import { temporaryDirectory } from './process.ts';

const GROUP = 'rbac.authorization.k8s.io';
const NAME = 'towpath-operator';
/** Whether the namespace and the account are there, also where one namespace is watched. */
const LOOK = { apiGroups: [''], resources: ['namespaces', 'serviceaccounts'], verbs: ['get'] };
/** What managed access may be bound to. */
const BIND = {
  apiGroups: [GROUP],
  resources: ['clusterroles'],
  verbs: ['bind'],
  resourceNames: ['edit', 'view'],
};
/** By which policies of other installations know an operator; it asks for nothing by it. */
const RECORD = { apiGroups: ['towpath.dev'], resources: ['promotions'], verbs: ['record'] };

/**
 * A token of a ServiceAccount that may do what the installed operator may, and nothing else (S15), for an operator
 * whose own namespace this is, and that watches another one, or all (''). The one difference: it may impersonate
 * ServiceAccounts of any name.
 */
export async function operatorToken(
  t: TestContext,
  cluster: Cluster,
  namespace: string,
  watched: string,
): Promise<string> {
  const impersonation = { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'] };
  const ofApplications = [...rulesOf(WATCHED_RIGHTS), impersonation];
  const everywhere = [
    ...rulesOf([...CLUSTER_RIGHTS, ...UPGRADE_RIGHTS, ...READ_RIGHTS]),
    // Environments put Applications into other namespaces, and have access made there.
    ...rulesOf(MANAGED_RIGHTS),
    ...[BIND, LOOK, RECORD],
    ...(watched === '' ? ofApplications : [impersonation]),
  ];
  const rbac = `/apis/${GROUP}/v1`;
  const clusterName = [NAME, namespace, watched].join('-').replace(/-$/, '');
  const subjects = [{ kind: 'ServiceAccount', name: NAME, namespace }];
  const roleRef = (kind: string, name: string) => ({ apiGroup: GROUP, kind, name });
  const named = (name: string) => ({ metadata: { name } });
  const make = async (path: string, body: object) => {
    const { status, body: text } = await cluster.request('POST', path, { body });
    // 409: the operator is started once more.
    if (status >= 300 && status !== 409) throw new Error(`POST ${path}: ${status} ${text}`);
  };
  t.after(async () => {
    for (const plural of ['clusterrolebindings', 'clusterroles'])
      await cluster.request('DELETE', `${rbac}/${plural}/${clusterName}`);
  });
  await make(`/api/v1/namespaces/${namespace}/serviceaccounts`, named(NAME));
  await make(`${rbac}/clusterroles`, { ...named(clusterName), rules: everywhere });
  const ofCluster = { ...named(clusterName), subjects, roleRef: roleRef('ClusterRole', clusterName) };
  await make(`${rbac}/clusterrolebindings`, ofCluster);
  const bindRole = async (name: string, where: string, rules: readonly object[]) => {
    await make(`${rbac}/namespaces/${where}/roles`, { ...named(name), rules });
    const binding = { ...named(name), subjects, roleRef: roleRef('Role', name) };
    await make(`${rbac}/namespaces/${where}/rolebindings`, binding);
  };
  await bindRole(NAME, namespace, rulesOf(OWN_NAMESPACE_RIGHTS));
  if (watched !== '') await bindRole(clusterName, watched, ofApplications);
  return tokenOf(cluster, namespace, NAME);
}

/** Path of a kubeconfig with a token of a ServiceAccount. */
export async function kubeconfigOf(cluster: Cluster, namespace: string, account: string): Promise<string> {
  return kubeconfigWith(cluster, await tokenOf(cluster, namespace, account));
}

/** Path of a kubeconfig with a bearer token. */
export function kubeconfigWith({ serverUrl, ca }: Cluster, token: string): string {
  const path = join(temporaryDirectory('operator'), 'kubeconfig');
  writeFileSync(path, kubeConfigText({ serverUrl, ca, token }), { mode: 0o600 });
  return path;
}

async function tokenOf(cluster: Cluster, namespace: string, account: string): Promise<string> {
  const tokenPath = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const { status, body } = await cluster.request('POST', tokenPath, {
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200 } },
  });
  if (status !== 201) throw new Error(`POST ${tokenPath}: ${status} ${body}`);
  return (JSON.parse(body) as { status: { token: string } }).status.token;
}

function rulesOf(rights: readonly Right[]): Omit<Right, 'why'>[] {
  return rights.map(({ why: _, ...rule }) => rule);
}
