import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Health,
  hasHealth,
  hasPodsOfLatest,
  healthOf,
  type LiveObject,
  reduceForHealth,
  withPods,
} from './health.ts';
import { condition, judge, waiting } from './testing/table.ts';

test('an object that should exist and does not is Missing', () => {
  assert.equal(healthOf(undefined).state, 'Missing');
});

test('kinds that are right once they exist need no watch of their status', () => {
  for (const [group, kind] of [
    ['', 'ConfigMap'],
    ['', 'Secret'],
    ['', 'ServiceAccount'],
    ['', 'Namespace'],
    ['rbac.authorization.k8s.io', 'Role'],
    ['networking.k8s.io', 'Ingress'],
  ] as const) {
    assert.equal(hasHealth(group, kind), false, kind);
    assert.equal(
      healthOf(reduceForHealth({ apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, metadata: {} }))
        .state,
      'Healthy',
    );
  }
  for (const [group, kind] of [
    ['apps', 'Deployment'],
    ['', 'Pod'],
    ['example.com', 'Widget'],
    ['cert-manager.io', 'Certificate'],
  ] as const)
    assert.ok(hasHealth(group, kind), kind);
});

test('a workload whose Pod cannot start is Degraded at once, and says why', () => {
  const pod = reduceForHealth({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    status: waiting('ImagePullBackOff', 'not found'),
  });
  const starting: Health = { state: 'Progressing', message: '0 of 1 replicas are available' };
  assert.deepEqual(withPods(starting, [{ name: 'web-1', pod }]), {
    state: 'Degraded',
    message:
      '0 of 1 replicas are available: Pod web-1: container web: ImagePullBackOff: image web:1: not found',
  });
  assert.deepEqual(withPods({ state: 'Healthy' }, [{ name: 'web-1', pod }]), { state: 'Healthy' });
});

test('a workload whose Pod no node takes goes on waiting, and says so', () => {
  const pod = reduceForHealth({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    status: {
      phase: 'Pending',
      ...condition('PodScheduled', 'False', 'Unschedulable', '0/3 nodes are available'),
    },
  });
  const pods = [{ name: 'web-1', pod }];
  const why = '0 of 1 replicas are available: Pod web-1: Unschedulable: 0/3 nodes are available';
  const starting: Health = { state: 'Progressing', message: '0 of 1 replicas are available' };
  assert.deepEqual(withPods(starting, pods), { state: 'Progressing', message: why });
  const givenUp: Health = { ...starting, state: 'Degraded', failedAt: '2026-01-01T10:00:00Z' };
  assert.deepEqual(withPods(givenUp, pods), { ...givenUp, message: why });
});

test('A31: what older Pods tell is over until there are some of the latest spec', () => {
  const of = (kind: string, status: object) =>
    hasPodsOfLatest(
      reduceForHealth({ apiVersion: 'apps/v1', kind, metadata: { generation: 2 }, status } as LiveObject),
    );
  assert.equal(of('Deployment', { observedGeneration: 1, updatedReplicas: 1 }), false);
  assert.equal(of('Deployment', { observedGeneration: 2, replicas: 1 }), false);
  assert.equal(of('Deployment', { observedGeneration: 2, updatedReplicas: 1 }), true);
  assert.equal(of('DaemonSet', { observedGeneration: 2, updatedNumberScheduled: 0 }), false);
  assert.equal(of('DaemonSet', { observedGeneration: 2, updatedNumberScheduled: 1 }), true);
  assert.equal(of('StatefulSet', { observedGeneration: 1 }), false);
  // One whose broken Pod it does not replace by itself: the old Pod is what it waits for.
  assert.equal(of('StatefulSet', { observedGeneration: 2, updatedReplicas: 0 }), true);
});

test('what is kept of an object is small, however large the object is', () => {
  const conditions = Array.from({ length: 50 }, (_, index) => ({
    type: `T${index}`,
    status: 'True',
    message: 'm'.repeat(9999),
  }));
  const reduced = reduceForHealth({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { generation: 1 },
    spec: { replicas: 1, template: { text: 'x'.repeat(99_999) } },
    status: {
      ...{ observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
      conditions: [...conditions, { type: 'Progressing', status: 'True', message: 'm'.repeat(9999) }],
    },
  });
  assert.ok(JSON.stringify(reduced).length < 700);
});

test('objects of unexpected shapes are judged, not thrown at', () => {
  for (const odd of [
    null,
    7,
    'x',
    [],
    { conditions: 'x' },
    { conditions: [null, 7] },
    { containerStatuses: [null] },
  ])
    for (const [apiVersion, kind] of [
      ['apps/v1', 'Deployment'],
      ['v1', 'Pod'],
      ['v1', 'Service'],
      ['a.b/v1', 'C'],
    ] as const)
      assert.ok(judge(apiVersion, kind, { spec: odd, status: odd }).state);
});
