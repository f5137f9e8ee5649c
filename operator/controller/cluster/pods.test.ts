import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podSelectorOf } from './pods.ts';

const deployment = { group: 'apps', kind: 'Deployment' };
const selecting = (selector: object) => ({ spec: { selector } });

for (const [what, selector, expected] of [
  ['labels', { matchLabels: { app: 'web', tier: 'a' } }, 'app=web,tier=a'],
  [
    'expressions',
    {
      matchExpressions: [
        { key: 'app', operator: 'In', values: ['a', 'b'] },
        { key: 'tier', operator: 'NotIn', values: ['c'] },
        { key: 'x', operator: 'Exists' },
        { key: 'y', operator: 'DoesNotExist' },
      ],
    },
    'app in (a,b),tier notin (c),x,!y',
  ],
  [
    'both',
    { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'x', operator: 'Exists' }] },
    'app=web,x',
  ],
  ['nothing: never all Pods of the namespace', {}, undefined],
] as const) {
  test(`a workload that selects by ${what}`, () => {
    assert.equal(podSelectorOf(deployment, selecting(selector)), expected);
  });
}

test('only workloads have Pods of their own', () => {
  const object = selecting({ matchLabels: { app: 'web' } });
  for (const kind of [
    'apps/Deployment',
    'apps/StatefulSet',
    'apps/DaemonSet',
    'apps/ReplicaSet',
    'batch/Job',
  ]) {
    const [group = '', name = ''] = kind.split('/');
    assert.equal(podSelectorOf({ group, kind: name }, object), 'app=web', kind);
  }
  for (const kind of ['policy/PodDisruptionBudget', 'example.com/Deployment', '/Service']) {
    const [group = '', name = ''] = kind.split('/');
    assert.equal(podSelectorOf({ group, kind: name }, object), undefined, kind);
  }
});
