import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupKind, type Manifest, type ObjectId } from '../manifest/manifest.ts';
import { type IgnoreRule, ignoredPaths as pathsBeside } from './ignore.ts';

function manifest(id: ObjectId, content: object): Manifest {
  return {
    ...id,
    apiVersion: `${id.group}/v1`,
    text: JSON.stringify(content),
    digest: groupKind(id),
    annotations: {},
  };
}

const web = manifest({ group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web' }, {});

function autoscaler(scaleTargetRef: object, namespace = 'shop'): Manifest {
  const id = { group: 'autoscaling', kind: 'HorizontalPodAutoscaler', namespace, name: 'web' };
  return manifest(id, { spec: { scaleTargetRef } });
}

const ignoredPaths = (rules: readonly IgnoreRule[], desired: readonly Manifest[], home: string) =>
  pathsBeside(rules, desired, home, () => false);

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

test('replicas of what another autoscaler of the cluster scales are left to it', () => {
  const paths = pathsBeside([], [], 'shop', (key) => key === 'apps/Deployment/shop/web');
  assert.deepEqual(paths(web), ['/spec/replicas']);
  assert.deepEqual(paths({ ...web, name: 'other' }), []);
});

test('what the control plane decides, or whom an object asks to, is left to them', () => {
  const injected = { metadata: { annotations: { 'cert-manager.io/inject-ca-from': 'shop/hook' } } };
  const admission = 'admissionregistration.k8s.io';
  const webhooks = { webhooks: [{ name: 'a' }, { name: 'b' }] };
  const bundles = ['/webhooks/0/clientConfig/caBundle', '/webhooks/1/clientConfig/caBundle'];
  for (const [group, kind, content, paths] of [
    ['rbac.authorization.k8s.io', 'ClusterRole', { aggregationRule: {}, rules: [] }, ['/rules']],
    ['rbac.authorization.k8s.io', 'ClusterRole', { rules: [] }, []],
    ['rbac.authorization.k8s.io', 'Role', { aggregationRule: {}, rules: [] }, []],
    [admission, 'ValidatingWebhookConfiguration', { ...injected, ...webhooks }, bundles],
    [admission, 'MutatingWebhookConfiguration', { ...injected, ...webhooks }, bundles],
    [admission, 'MutatingWebhookConfiguration', webhooks, []],
    ['apiregistration.k8s.io', 'APIService', injected, ['/spec/caBundle']],
    [
      'apiextensions.k8s.io',
      'CustomResourceDefinition',
      injected,
      ['/spec/conversion/webhook/clientConfig/caBundle'],
    ],
    ['', 'ConfigMap', injected, []],
  ] as const) {
    const object = manifest({ group, kind, namespace: '', name: 'web' }, content);
    assert.deepEqual(ignoredPaths([], [], 'shop')(object), paths, kind);
  }
});
