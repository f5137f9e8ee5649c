import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asWanted, classOfUnused, reduceForHealth, withBindingMode } from './health.ts';
import { judge, seen } from './testing/table.ts';

const suspends = { spec: { suspend: true } };
const outdated = { status: { observedGeneration: 1 } };

for (const [name, apiVersion, kind, parts, state, message] of [
  ['a CronJob', 'batch/v1', 'CronJob', suspends, 'Healthy', /suspended, as Git has it/],
  ['a Job', 'batch/v1', 'Job', suspends, 'Healthy', /suspended, as Git has it/],
  [
    'a Deployment whose rollout is paused',
    'apps/v1',
    'Deployment',
    { spec: { paused: true, replicas: 3 }, status: { ...seen, replicas: 3, availableReplicas: 3 } },
    'Healthy',
    /paused, as Git has it/,
  ],
  [
    'a Deployment that was made paused',
    'apps/v1',
    'Deployment',
    { spec: { paused: true, replicas: 3 }, status: seen },
    'Healthy',
    /paused, as Git has it/,
  ],
  [
    'a paused Deployment that lacks Pods it had',
    'apps/v1',
    'Deployment',
    { spec: { paused: true, replicas: 3 }, status: { ...seen, replicas: 3, availableReplicas: 1 } },
    'Progressing',
    /1 of 3/,
  ],
  [
    'a custom resource whose controller does not look at it',
    'example.com/v1',
    'Backup',
    { ...suspends, ...outdated },
    'Healthy',
    /suspended, as Git has it/,
  ],
  [
    'a custom resource that failed for good',
    'example.com/v1',
    'Backup',
    {
      ...suspends,
      status: { ...seen, conditions: [{ type: 'Stalled', status: 'True', message: 'broken' }] },
    },
    'Degraded',
    /broken/,
  ],
] as const) {
  test(`${name}, suspended by Git itself, is ${state}`, () => {
    const group = apiVersion.split('/')[0] ?? '';
    const health = asWanted({ group, deleting: false, health: judge(apiVersion, kind, parts) });
    assert.equal(health.state, state, health.message);
    assert.match(health.message ?? '', message);
  });
}

test('what is being deleted is not at rest', () => {
  const health = { state: 'Suspended', message: 'it is suspended' } as const;
  assert.deepEqual(asWanted({ group: 'batch', deleting: true, health }), health);
});

const claim = (parts: { spec?: object; status?: object; annotations?: Record<string, string> }) =>
  reduceForHealth({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...(parts.annotations && { annotations: parts.annotations }) },
    spec: { storageClassName: 'later', ...parts.spec },
    status: { phase: 'Pending', ...parts.status },
  });

for (const [name, parts, expected] of [
  ['that waits', {}, 'later'],
  ['that the controllers have not seen', { status: { phase: undefined } }, 'later'],
  ['whose Pod has a node', { annotations: { 'volume.kubernetes.io/selected-node': 'a' } }, undefined],
  ['that is bound', { status: { phase: 'Bound' } }, undefined],
  ['that lost its volume', { status: { phase: 'Lost' } }, undefined],
  ['that names its volume', { spec: { volumeName: 'pv' } }, undefined],
  ['without a class', { spec: { storageClassName: '' } }, undefined],
] as const) {
  test(`a claim ${name} ${expected ? 'may wait' : 'does not wait'} for its first Pod`, () => {
    assert.equal(classOfUnused(claim(parts)), expected);
  });
}

test('an unused claim is healthy where its class waits for the first Pod, and only there', () => {
  const own = { state: 'Progressing', message: 'it is not bound yet' } as const;
  assert.equal(withBindingMode(own, 'WaitForFirstConsumer').state, 'Healthy');
  for (const mode of ['Immediate', '', undefined]) assert.deepEqual(withBindingMode(own, mode), own);
});
