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
  if (path) return clusterFromKubeconfig(path);
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

/** Creates a namespace with a name of its own for a test, and deletes it at the test's end; returns the name. */
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
    await request('DELETE', `/api/v1/namespaces/${name}`);
  });
  return name;
}
