import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { clusterBinary } from '../../hack/programs.ts';
import { type Cluster, clusterOf } from './cluster.ts';
import { startControlPlane } from './control-plane.ts';

/** Path of the kubeconfig of a cluster that the test runner shares out; set by hack/test.ts. */
export const sharedClusterVariable = 'TOWPATH_TEST_CONTROL_PLANE';

/** Simulated nodes of a shared control plane. */
export const sharedNodes = 2;

let own: Promise<Cluster> | undefined;
let shared: Cluster | undefined;

/**
 * The control plane that this run's test files share (one with controllers, scheduler and simulated nodes);
 * a test file run by itself gets one of its own, which ends with the process. For tests that harm nobody else:
 * work in `namespaceFor(t)`, give cluster-scoped objects unique names, remove them.
 */
export function useControlPlane(): Promise<Cluster> {
  own ??= connectOrStart();
  return own;
}

async function connectOrStart(): Promise<Cluster> {
  const path = process.env[sharedClusterVariable];
  if (path) {
    shared = await clusterFromKubeconfig(path);
    return shared;
  }
  // Ends with the process: a hook made here would belong to the test that happens to be the first to ask.
  return startControlPlane({ nodes: sharedNodes });
}

/** A cluster from a kubeconfig that `kubeConfigText` wrote (JSON, one context, a token). */
async function clusterFromKubeconfig(path: string): Promise<Cluster> {
  const config = JSON.parse(readFileSync(path, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
    users: [{ user: { token: string } }];
  };
  const [{ cluster }] = config.clusters;
  const access = {
    serverUrl: cluster.server,
    ca: Buffer.from(cluster['certificate-authority-data'], 'base64').toString(),
    token: config.users[0].user.token,
  };
  return clusterOf(access, path, await clusterBinary());
}

/** Set by hack/test.ts where the cluster is a user's: what was made there goes. */
export const lastingClusterVariable = 'TOWPATH_TEST_LASTING_CLUSTER';

/** Kinds whose objects cost something while they are there, or of which every operator would hear. */
const LEFT = [
  'apis/apps/v1/deployments',
  'apis/apps/v1/statefulsets',
  'apis/apps/v1/daemonsets',
  'apis/apps/v1/replicasets',
  'apis/batch/v1/cronjobs',
  'apis/batch/v1/jobs',
  'apis/autoscaling/v2/horizontalpodautoscalers',
  'api/v1/pods',
  'api/v1/services',
  'api/v1/configmaps',
  'api/v1/secrets',
];

/** Creates a namespace with a name of its own for a test, which is empty or gone at the test's end; returns the name. */
export async function namespaceFor(t: TestContext, cluster?: Cluster): Promise<string> {
  const { request } = cluster ?? (await useControlPlane());
  const name = `test-${randomBytes(5).toString('hex')}`;
  const response = await request('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  });
  if (response.status !== 201) {
    throw new Error(`create Namespace ${name}: the API server answered ${response.status}: ${response.body}`);
  }
  t.after(async () => {
    if (process.env[lastingClusterVariable]) await request('DELETE', `/api/v1/namespaces/${name}`);
    // After all other hooks: an operator that runs still would put back what goes. One of its own may be gone by then.
    else if (isShared(cluster)) t.after(() => emptied({ request }, name));
  });
  return name;
}

function isShared(cluster: Cluster | undefined): boolean {
  return process.env[sharedClusterVariable] !== undefined && (cluster === undefined || cluster === shared);
}

/**
 * To delete a namespace is 150 requests and more, since each kind is looked at: they were more than half of what an API
 * server of tests did. Where the cluster ends with the run it is only emptied.
 */
async function emptied({ request }: Pick<Cluster, 'request'>, namespace: string): Promise<void> {
  const paths = LEFT.map((path) => {
    const at = path.lastIndexOf('/');
    return `/${path.slice(0, at)}/namespaces/${namespace}${path.slice(at)}?propagationPolicy=Background`;
  });
  await Promise.all(paths.map((path) => request('DELETE', path)));
}
