import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeObject } from '../../kube/client.ts';
import { fieldManager, type LiveObject, liveObject } from '../../manifest/live.ts';
import { isUndisturbed } from './undisturbed.ts';

const SINCE = new Date('2026-11-30T10:00:00.700Z');
const BEFORE = '2026-11-30T09:59:59Z';
const IN_IT = '2026-11-30T10:00:00Z';
const WEB = { group: 'apps', version: 'v1', kind: 'Deployment' };
const POD = { group: '', version: 'v1', kind: 'Pod' };
const CONFIG = { group: '', version: 'v1', kind: 'ConfigMap' };

interface Writes {
  own?: string;
  others?: string;
  status?: string;
}

function written(kind: typeof WEB, { own = BEFORE, others = BEFORE, status = BEFORE }: Writes): LiveObject {
  const managedFields = [
    { manager: fieldManager('t'), operation: 'Apply', time: own, fieldsV1: {} },
    { manager: 'kubectl', operation: 'Update', time: others, fieldsV1: {} },
    { manager: 'kube-controller-manager', operation: 'Update', time: status, subresource: 'status' },
  ];
  const labels = { 'towpath.dev/target': 't' };
  return liveObject(kind, { name: 'web', namespace: 'shop', labels, managedFields });
}

interface PodTimes {
  made?: string;
  ready?: string;
  started?: string;
  crashed?: string;
}

function pod({ made = BEFORE, ready = BEFORE, started = BEFORE, crashed = BEFORE }: PodTimes): KubeObject {
  return {
    metadata: { name: 'web', namespace: 'shop', uid: '', resourceVersion: '', creationTimestamp: made },
    status: {
      conditions: [
        { type: 'Ready', status: 'True', lastTransitionTime: ready },
        { type: 'PodScheduled', status: 'True', lastTransitionTime: IN_IT },
      ],
      containerStatuses: [
        { state: { running: { startedAt: started } }, lastState: { terminated: { finishedAt: crashed } } },
      ],
    },
  };
}

interface Asked {
  objects: readonly LiveObject[];
  pods?: readonly KubeObject[];
  refuses?: 'Pods' | 'Workloads';
}

/** Of a Deployment that selects by a label, and its Pods. */
async function asked({ objects, pods = [], refuses }: Asked) {
  const requests: string[] = [];
  const list = async ({ resource }: { resource: { plural: string } }) => {
    requests.push(resource.plural);
    const isPods = resource.plural === 'pods';
    if (refuses === (isPods ? 'Pods' : 'Workloads')) throw new Error('no');
    const spec = { selector: { matchLabels: { app: 'web' } } };
    return { items: isPods ? pods : [{ metadata: { name: 'web', namespace: 'shop' }, spec }] };
  };
  const access = {
    client: { list },
    discovery: {
      resourceFor: (_: string, kind: string) => ({
        ...(kind === 'Pod' ? POD : WEB),
        plural: kind === 'Pod' ? 'pods' : 'deployments',
        namespaced: true,
        verbs: ['list'],
      }),
    },
    targetId: 't',
    targetName: 'shop/web/default',
    signal: new AbortController().signal,
  } as unknown as TargetAccess;
  return { is: await isUndisturbed(access, objects, SINCE), requests };
}

for (const [what, given, is] of [
  ['nothing', { objects: [] }, true],
  ['a status', { objects: [written(CONFIG, { status: IN_IT })] }, true],
  ['an object, by the target', { objects: [written(CONFIG, { own: IN_IT })] }, false],
  ['an object, by somebody else', { objects: [written(CONFIG, { others: IN_IT })] }, false],
  ['a workload of which no Pod did anything', { objects: [written(WEB, {})], pods: [pod({})] }, true],
  ['a Pod that was made', { objects: [written(WEB, {})], pods: [pod({}), pod({ made: IN_IT })] }, false],
  ['a Pod that became ready', { objects: [written(WEB, {})], pods: [pod({ ready: IN_IT })] }, false],
  ['a container that started', { objects: [written(WEB, {})], pods: [pod({ started: IN_IT })] }, false],
  ['a container that crashed', { objects: [written(WEB, {})], pods: [pod({ crashed: IN_IT })] }, false],
  ['a Pod of its own', { objects: [written(POD, {})], pods: [pod({})] }, true],
  ['one that began anew', { objects: [written(POD, {})], pods: [pod({ crashed: IN_IT })] }, false],
  ['Pods that may not be listed', { objects: [written(WEB, {})], refuses: 'Pods' }, false],
  ['workloads that may not be listed', { objects: [written(WEB, {})], refuses: 'Workloads' }, false],
] satisfies [string, Asked, boolean][])
  test(`D7: whether something happened while nobody looked, to the second: ${what}`, async () =>
    assert.equal((await asked(given)).is, is));

test('D7: what has no workloads is asked nothing about, nor what was written', async () => {
  assert.deepEqual((await asked({ objects: [written(CONFIG, {})] })).requests, []);
  const web = [written(WEB, {}), written(CONFIG, { own: IN_IT })];
  assert.deepEqual((await asked({ objects: web })).requests, []);
});
