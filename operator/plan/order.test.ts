import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deletionWaves, type Ordered, orderOfKind, waves } from './order.ts';

function object(groupAndKind: string, name = 'x', wave?: string): Ordered {
  const [group = '', kind = ''] = groupAndKind.split('/');
  return {
    group,
    kind,
    namespace: 'shop',
    name,
    annotations: wave === undefined ? {} : { 'towpath.dev/wave': wave },
  };
}
const names = (result: Ordered[][][]) =>
  result.map((stages) => stages.map((stage) => stage.map(({ kind }) => kind)));

const EVERYTHING = [
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'example.com/Widget',
  'apps/Deployment',
  'rbac.authorization.k8s.io/RoleBinding',
  'rbac.authorization.k8s.io/Role',
  '/ConfigMap',
  '/ServiceAccount',
  'apiextensions.k8s.io/CustomResourceDefinition',
  '/Namespace',
].map((kind) => object(kind));

test('namespaces go first, then CRDs, what others need, configuration, workloads, custom resources, and webhooks last', () => {
  assert.deepEqual(names(waves(EVERYTHING)), [
    [
      ['Namespace'],
      ['CustomResourceDefinition'],
      ['ServiceAccount', 'Role'],
      ['RoleBinding', 'ConfigMap'],
      ['Deployment'],
      ['Widget'],
      ['ValidatingWebhookConfiguration'],
    ],
  ]);
});

test('deletion goes the other way round', () => {
  assert.deepEqual(names(deletionWaves(EVERYTHING)), [
    [
      ['ValidatingWebhookConfiguration'],
      ['Widget'],
      ['Deployment'],
      ['ConfigMap'],
      ['CustomResourceDefinition'],
      ['Namespace'],
    ],
    [['ServiceAccount'], ['RoleBinding', 'Role']],
  ]);
});

test('waves go by number, not by text, negative ones first, none is 0', () => {
  const result = waves([
    object('/ConfigMap', 'ten', '10'),
    object('/ConfigMap', 'two', '2'),
    object('/ConfigMap', 'none'),
    object('/ConfigMap', 'before', '-1'),
    object('/ConfigMap', 'zero', '0'),
  ]);
  assert.deepEqual(
    result.map((stages) => stages.flat().map(({ name }) => name)),
    [['before'], ['none', 'zero'], ['two'], ['ten']],
  );
});

test('a usual application needs three round trips at most', () => {
  const usual = [
    '/ServiceAccount',
    '/ConfigMap',
    '/Secret',
    '/Service',
    'apps/Deployment',
    'networking.k8s.io/Ingress',
    'autoscaling/HorizontalPodAutoscaler',
  ];
  assert.equal(waves(usual.map((kind) => object(kind)))[0]?.length, 3);
});

test('a custom kind is not taken for the built-in kind of that name', () => {
  assert.equal(orderOfKind('serving.knative.dev', 'Service'), orderOfKind('example.com', 'Widget'));
  assert.notEqual(orderOfKind('', 'Service'), orderOfKind('example.com', 'Widget'));
});

test('the order does not depend on the order in which objects were rendered', () => {
  const objects = ['c', 'a', 'b'].map((name) => object('/ConfigMap', name));
  assert.deepEqual(waves(objects), waves(objects.toReversed()));
});

test('nothing has no waves', () => {
  assert.deepEqual(waves([]), []);
});
