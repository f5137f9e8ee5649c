import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podAnnotation, podReasonAnnotation } from '../../hack/nodes/pod.ts';
import { namespaceFor, useControlPlane } from './use-control-plane.ts';
import { eventually } from './wait.ts';

interface Pod {
  metadata: { name: string };
  status: {
    phase: string;
    containerStatuses?: { ready: boolean; state: Record<string, { reason?: string; message?: string }> }[];
  };
}

test('simulated pods wait for a reason, fail and run on as their annotations say', async (t) => {
  const { request, kubectl } = await useControlPlane();
  const namespace = await namespaceFor(t);
  const template = (annotations: Record<string, string>) => ({
    metadata: { annotations },
    spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.invalid/main' }] },
  });
  const job = (name: string, annotations: Record<string, string>) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace },
    spec: { backoffLimit: 0, template: template(annotations) },
  });
  const jobs = [
    job('completes', {}),
    job('fails', { [podAnnotation]: 'fails', [podReasonAnnotation]: 'no such table' }),
    job('runs', { [podAnnotation]: 'runs' }),
    job('waits', { [podAnnotation]: 'waits', [podReasonAnnotation]: 'ImagePullBackOff' }),
  ];
  const input = jobs.map((one) => JSON.stringify(one)).join('\n---\n');
  const applied = await kubectl(['apply', '-f', '-'], { input });
  assert.equal(applied.code, 0, applied.stderr);

  const pods = await eventually(async () => {
    const list = JSON.parse((await request('GET', `/api/v1/namespaces/${namespace}/pods`)).body) as {
      items: Pod[];
    };
    const settled = list.items.every(({ metadata, status }) =>
      metadata.name.startsWith('completes') ? status.phase === 'Succeeded' : status.containerStatuses,
    );
    return list.items.length === 4 && settled && list.items;
  });
  const found = pods.map(({ metadata, status }) => {
    const [container] = status.containerStatuses ?? [];
    const [state, detail] = Object.entries(container?.state ?? {})[0] ?? [];
    return [metadata.name.split('-')[0], status.phase, state, detail?.message ?? detail?.reason];
  });
  assert.deepEqual(found.sort(), [
    ['completes', 'Succeeded', 'terminated', 'Completed'],
    ['fails', 'Failed', 'terminated', 'no such table'],
    ['runs', 'Running', 'running', undefined],
    ['waits', 'Pending', 'waiting', 'made by the test'],
  ]);
});

test('a simulated pod that is deleted is gone at once, grace period or not', async (t) => {
  const { request, kubectl } = await useControlPlane();
  const namespace = await namespaceFor(t);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'main', namespace },
    spec: {
      terminationGracePeriodSeconds: 3600,
      containers: [{ name: 'main', image: 'example.invalid/main' }],
    },
  };
  assert.equal((await kubectl(['apply', '-f', '-'], { input: JSON.stringify(pod) })).code, 0);
  const path = `/api/v1/namespaces/${namespace}/pods/main`;
  const read = async () => await request('GET', path);
  await eventually(async () => (JSON.parse((await read()).body) as Pod).status.phase === 'Running', {
    describe: 'the pod to run',
  });
  await request('DELETE', path);
  await eventually(async () => (await read()).status === 404, { describe: 'the pod to be gone' });
});
