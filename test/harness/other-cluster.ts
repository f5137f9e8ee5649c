import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { kubeConfigText } from './cluster.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import type { StagedEnvironment } from './environments.ts';
import type { FaultProxy } from './fault-proxy.ts';
import type { Stage } from './operator.ts';

/** Where the account of kubeconfigs is, as docs/clusters.md has it. */
export const OPERATORS = 'towpath-system';
export const ENVIRONMENTS = '/apis/towpath.dev/v1alpha1/environments';

let other: Promise<ControlPlane> | undefined;

/** A second control plane, one for each test process, which ends with it. */
export function useOtherCluster(): Promise<ControlPlane> {
  other ??= startControlPlane();
  return other;
}

type Requests = Pick<ControlPlane, 'request'>;

export async function make({ request }: Requests, path: string, body: object): Promise<void> {
  const { status, body: text } = await request('POST', path, { body });
  if (status >= 300 && status !== 409) throw new Error(`POST ${path}: ${status} ${text}`);
}

const ROLES: readonly string[] = [OPERATORS, 'view'];

/** A ServiceAccount with the roles that docs/clusters.md gives it, or others, and a token of it for two hours. */
export async function newAccount(
  cluster: Requests,
  name: string,
  roles: readonly string[] = ROLES,
): Promise<string> {
  await make(cluster, '/api/v1/namespaces', { metadata: { name: OPERATORS } });
  await make(cluster, `/api/v1/namespaces/${OPERATORS}/serviceaccounts`, { metadata: { name } });
  await bind(cluster, { kind: 'ServiceAccount', name, namespace: OPERATORS }, roles);
  const path = `/api/v1/namespaces/${OPERATORS}/serviceaccounts/${name}/token`;
  const { status, body } = await cluster.request('POST', path, {
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 7_200 },
    },
  });
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${body}`);
  return (JSON.parse(body) as { status: { token: string } }).status.token;
}

/** Whom `cluster certificate` makes the client certificate for. */
const CLIENT = { kind: 'User', name: 'test-client', apiGroup: 'rbac.authorization.k8s.io' };

/** A kubeconfig with a client certificate of the cluster's authority, whose user has the same roles. */
export async function kubeConfigByCertificate(cluster: ControlPlane): Promise<string> {
  await bind(cluster, CLIENT, ROLES);
  const data = (end: string) =>
    readFileSync(join(cluster.directory, `kubelet-client.${end}`)).toString('base64');
  const config = JSON.parse(kubeConfigOf(cluster, '')) as { users: { user: object }[] };
  const user = { 'client-certificate-data': data('crt'), 'client-key-data': data('key') };
  return JSON.stringify({ ...config, users: config.users.map((one) => ({ ...one, user })) });
}

async function bind(
  cluster: Requests,
  subject: { kind: string; name: string; namespace?: string; apiGroup?: string },
  roles: readonly string[],
): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const rules = [
    { apiGroups: [''], resources: ['namespaces', 'serviceaccounts'], verbs: ['get'] },
    {
      apiGroups: ['apiextensions.k8s.io'],
      resources: ['customresourcedefinitions'],
      verbs: ['list', 'watch'],
    },
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['impersonate'], resourceNames: ['deployer'] },
  ];
  await make(cluster, `${rbac}/clusterroles`, { metadata: { name: OPERATORS }, rules });
  for (const role of roles)
    await make(cluster, `${rbac}/clusterrolebindings`, {
      metadata: { name: `${role}-${subject.name}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [subject],
    });
}

export async function endAccount(cluster: Requests, name: string): Promise<void> {
  await cluster.request('DELETE', `/api/v1/namespaces/${OPERATORS}/serviceaccounts/${name}`);
}

/** Stores a kubeconfig where the operator of the stage looks for it. */
export async function storeKubeConfig(stage: Stage, secret: string, text: string): Promise<void> {
  const path = `/api/v1/namespaces/${stage.namespace}/secrets/${secret}`;
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secret },
    data: { kubeconfig: Buffer.from(text).toString('base64') },
  };
  const { status, body: answer } = await stage.cluster.request(
    'PATCH',
    `${path}?fieldManager=test&force=true`,
    { body, contentType: 'application/apply-patch+yaml' },
  );
  if (status >= 300) throw new Error(`PATCH ${path}: ${status} ${answer}`);
}

export function kubeConfigOf(
  { serverUrl, ca }: Pick<ControlPlane, 'serverUrl' | 'ca'>,
  token: string,
): string {
  return kubeConfigText({ serverUrl, ca, token });
}

/** From now on behind the proxy is a cluster of its own, known by that uid. */
export function poseAs(proxy: FaultProxy, uid: string): void {
  const metadata = { name: 'kube-system', uid, resourceVersion: '1' };
  const line = JSON.stringify({ apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata });
  proxy.fail({ verb: 'get', path: /\/namespaces\/kube-system$/, fault: { line } });
}

/** The namespace with a ServiceAccount `deployer` that may edit it. */
export async function newLanding(t: TestContext, cluster: Requests, namespace: string): Promise<void> {
  t.after(async () => {
    await cluster.request('DELETE', `/api/v1/namespaces/${namespace}`);
  });
  await makeLanding(cluster, namespace);
}

/** The same in a cluster that goes with the test. @param role `edit` is empty where no controllers run */
export async function makeLanding(cluster: Requests, namespace: string, role = 'edit'): Promise<void> {
  await make(cluster, '/api/v1/namespaces', { metadata: { name: namespace } });
  await make(cluster, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'deployer' } });
  await make(cluster, `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'deployer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: 'deployer', namespace }],
  });
}

/** An Environment by a kubeconfig, whose Secret may come later. @param landing as `spec.namespace` has it */
export async function newRemoteEnvironment(
  t: TestContext,
  { cluster, namespace }: Stage,
  suffix: string,
  secret = suffix,
  landing = `${namespace}-${suffix}`,
): Promise<StagedEnvironment> {
  const name = `${suffix}-${namespace}`.slice(0, 63);
  t.after(async () => {
    await cluster.request('DELETE', `${ENVIRONMENTS}/${name}`);
    // What its operator, which has ended, would do: another one would go on watching for its Secret.
    await cluster.request('PATCH', `${ENVIRONMENTS}/${name}`, {
      body: { metadata: { finalizers: null } },
      contentType: 'application/merge-patch+json',
    });
  });
  await make(cluster, ENVIRONMENTS, {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata: { name },
    spec: {
      cluster: { kubeConfig: { secretRef: { name: secret } } },
      namespace: landing,
      access: { serviceAccountName: 'deployer' },
      allowedNamespaces: [namespace],
    },
  });
  return { name, namespace: landing };
}
