import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupKind, type Manifest } from '../manifest/manifest.ts';
import { ignoredPaths } from './ignore.ts';

const web = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' };

function autoscaler(scaleTargetRef: object, namespace = 'shop'): Manifest {
  const id = { group: 'autoscaling', kind: 'HorizontalPodAutoscaler', namespace, name: 'web' };
  const text = JSON.stringify({ spec: { scaleTargetRef } });
  return { ...id, apiVersion: 'autoscaling/v2', text, digest: groupKind(id), annotations: {} };
}

test('a rule is about the objects that it names', () => {
  for (const [rule, applies] of [
    [{ group: 'apps', kind: 'Deployment' }, true],
    [{ group: 'apps', kind: 'Deployment', name: 'web' }, true],
    [{ group: 'apps', kind: 'Deployment', name: 'web', namespace: 'shop' }, true],
    [{ group: 'apps', kind: 'Deployment', name: 'other' }, false],
    [{ group: 'apps', kind: 'Deployment', namespace: 'other' }, false],
    [{ group: 'apps', kind: 'StatefulSet' }, false],
    [{ kind: 'Deployment' }, false],
    [{ group: '', kind: 'Deployment' }, false],
  ] as const) {
    const paths = ignoredPaths([{ ...rule, paths: ['/spec/replicas'] }], [], 'shop')(web);
    assert.deepEqual(paths, applies ? ['/spec/replicas'] : [], JSON.stringify(rule));
  }
});

test('a rule without a namespace is about the one that the Application deploys to', () => {
  const rules = [{ group: 'apps', kind: 'Deployment', paths: ['/a'] }];
  assert.deepEqual(ignoredPaths(rules, [], 'shop')(web), ['/a']);
  assert.deepEqual(ignoredPaths(rules, [], 'elsewhere')(web), []);
  assert.deepEqual(ignoredPaths(rules, [], 'elsewhere')({ ...web, namespace: '' }), ['/a']);
});

test('paths of several rules are told once, in order', () => {
  const rules = [
    { group: 'apps', kind: 'Deployment', paths: ['/b', '/a'] },
    { group: 'apps', kind: 'Deployment', name: 'web', paths: ['/a', '/c'] },
  ];
  assert.deepEqual(ignoredPaths(rules, [], 'shop')(web), ['/a', '/b', '/c']);
});

test('what says whose the object is cannot be ignored', () => {
  const paths = [
    '/metadata/labels/towpath.dev~1target',
    '/metadata/annotations/towpath.dev~1owner',
    '/metadata/labels',
    '/metadata/annotations',
    '/data',
  ];
  assert.deepEqual(ignoredPaths([{ group: 'apps', kind: 'Deployment', paths }], [], 'shop')(web), ['/data']);
});

test('replicas of what an autoscaler of the same candidate scales are left to it', () => {
  for (const [reference, namespace, applies] of [
    [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, 'shop', true],
    [{ apiVersion: 'apps/v1beta1', kind: 'Deployment', name: 'web' }, 'shop', true],
    [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, 'other', false],
    [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'other' }, 'shop', false],
    [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' }, 'shop', false],
    [{ kind: 'Deployment', name: 'web' }, 'shop', false],
    [{}, 'shop', false],
  ] as const) {
    const paths = ignoredPaths([], [autoscaler(reference, namespace)], 'shop')(web);
    assert.deepEqual(paths, applies ? ['/spec/replicas'] : [], JSON.stringify([reference, namespace]));
  }
});
