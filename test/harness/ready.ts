import { simulatedNode } from '../../hack/nodes/node.ts';
import { type Access, apiRequest } from './cluster.ts';
import type { RunningProcess } from './process.ts';
import { eventually } from './wait.ts';

/** Waits for the API server's /readyz; fails at once when one of the processes ends. */
export async function waitUntilReady(access: Access, processes: readonly RunningProcess[]): Promise<void> {
  await unlessEnded(
    processes,
    eventually(
      async () => (await apiRequest(access, 'GET', '/readyz', { timeoutMs: 5_000 })).status === 200,
      { describe: `the API server ${access.serverUrl} to be ready` },
    ),
  );
}

/** Waits until kube-controller-manager has made the ServiceAccount that every pod needs. */
export async function waitForController(access: Access, controller: RunningProcess): Promise<void> {
  const path = '/api/v1/namespaces/default/serviceaccounts/default';
  await unlessEnded(
    [controller],
    eventually(async () => (await apiRequest(access, 'GET', path)).status === 200, {
      describe: 'kube-controller-manager to make the ServiceAccount default/default',
    }),
  );
}

/** Creates the Nodes `node-1` … that the simulator then plays; they stay if they are there. */
export async function createNodes(access: Access, count: number): Promise<void> {
  for (let number = 1; number <= count; number++) {
    const name = `node-${number}`;
    const response = await apiRequest(access, 'POST', '/api/v1/nodes', {
      body: {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name,
          annotations: { [simulatedNode.annotation]: simulatedNode.value },
          labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
        },
      },
    });
    if (response.status !== 201 && response.status !== 409) {
      throw new Error(`create Node ${name}: the API server answered ${response.status}: ${response.body}`);
    }
    await removeNotReadyTaint(access, name);
  }
}

/** Admission taints a new Node; the controller that would remove the taint does not run here. */
async function removeNotReadyTaint(access: Access, name: string): Promise<void> {
  const response = await apiRequest(access, 'PATCH', `/api/v1/nodes/${name}`, {
    contentType: 'application/merge-patch+json',
    body: { spec: { taints: null } },
  });
  if (response.status !== 200) {
    throw new Error(`untaint Node ${name}: the API server answered ${response.status}: ${response.body}`);
  }
}

async function unlessEnded<T>(processes: readonly RunningProcess[], work: Promise<T>): Promise<T> {
  const endings = processes.map(async (process): Promise<never> => {
    const how = await process.ended;
    throw new Error(`${how}; its last output (${process.logPath}):\n${process.logTail()}`);
  });
  for (const ending of endings) ending.catch(() => {});
  return Promise.race([work, ...endings]);
}
