import assert from 'node:assert/strict';
import { join } from 'node:path';
import { clusterBinary } from '../../hack/programs.ts';
import type { ControlPlane } from '../harness/control-plane.ts';
import { startProcess } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';
import { type Kubectl, podOfLeader, SYSTEM } from './in-the-pod.ts';

/**
 * Drains the only node there is with kubectl, as before an upgrade of it: one replica goes, and the other one stays
 * and leads as long as nothing can take the place of the first. Then the node takes Pods again, and the drain ends.
 */
export async function drainAndReturn(
  controlPlane: ControlPlane,
  node: string,
  kubectl: Kubectl,
): Promise<void> {
  const of = ['get', 'pods', '-l', 'app.kubernetes.io/name=towpath'];
  const names = async () => (await kubectl(...SYSTEM, ...of, '-o', 'name')).split('\n');
  const ready = '{range .items[?(@.status.containerStatuses[0].ready==true)]}{.metadata.name} {end}';
  const readyPods = async () =>
    (await kubectl(...SYSTEM, ...of, '-o', `jsonpath=${ready}`)).trim().split(' ');
  const before = await names();
  const drain = startProcess({
    name: 'drain',
    command: await clusterBinary(),
    args: [
      ...['kubectl', '--kubeconfig', controlPlane.kubeconfigPath, 'drain', node],
      ...['--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s'],
    ],
    logPath: join(controlPlane.directory, 'drain.log'),
  });
  try {
    await eventually(() => /violate the pod's disruption budget/.test(drain.logTail(100)), {
      describe: 'the second eviction to be refused',
    });
    assert.equal(await kubectl('get', 'node', node, '-o', 'jsonpath={.spec.unschedulable}'), 'true');
    await eventually(
      async () => (await readyPods()).length === 1 && (await readyPods())[0] === (await podOfLeader(kubectl)),
      {
        describe: 'the replica that is left to lead',
      },
    );
    assert.ok(drain.running, drain.logTail());
    await kubectl('uncordon', node);
    assert.equal(await drain.ended, 'drain ended with code 0', drain.logTail());
  } finally {
    await drain.stop();
  }
  await kubectl(...SYSTEM, 'rollout', 'status', 'deployment/towpath', '--timeout=60s');
  await eventually(async () => !(await names()).some((name) => before.includes(name)), {
    describe: `the drained Pods ${before} to be gone`,
  });
}
