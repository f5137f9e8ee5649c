import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bounds, outOfBounds } from './bounds.ts';

const bounds: Bounds = {
  environment: 'staging',
  namespace: 'shop-staging',
  clusterScoped: new Set(['storage.k8s.io/StorageClass']),
  isManaged: true,
};
const IN_NAMESPACE = { namespaced: true };
const IN_NONE = { namespaced: false };
const object = (kind: string, namespace: string, group = '', name = 'web') => ({
  group,
  kind,
  namespace,
  name,
});

test('S3: what stands in the target namespace, and what the Environment lists, may be written', () => {
  assert.equal(outOfBounds(object('ConfigMap', 'shop-staging'), IN_NAMESPACE, bounds), undefined);
  assert.equal(outOfBounds(object('Widget', 'shop-staging', 'example.com'), undefined, bounds), undefined);
  assert.equal(outOfBounds(object('StorageClass', '', 'storage.k8s.io'), IN_NONE, bounds), undefined);
  assert.equal(
    outOfBounds(object('StorageClass', 'shop-staging', 'storage.k8s.io'), IN_NONE, bounds),
    undefined,
  );
});

test('S3: anything else is refused by a sentence with the object and what to do', () => {
  const table: [ReturnType<typeof object>, { namespaced: boolean } | undefined, RegExp][] = [
    [
      object('ConfigMap', 'other'),
      IN_NAMESPACE,
      /^ConfigMap other\/web is outside of shop-staging.*environment staging/,
    ],
    [object('Secret', 'kube-system'), undefined, /^Secret kube-system\/web is outside/],
    [
      object('ClusterRole', '', 'rbac.authorization.k8s.io'),
      IN_NONE,
      /clusterScoped: \[\{group: "rbac.authorization.k8s.io", kind: ClusterRole\}\]/,
    ],
    // Its kind was unknown when it was rendered.
    [object('Gadget', 'shop-staging', 'example.com'), IN_NONE, /^Gadget web stands in no namespace/],
    [object('Gadget', '', 'example.com'), undefined, /^Gadget web stands in no namespace/],
    // Of another group than what is listed.
    [object('StorageClass', '', 'example.com'), IN_NONE, /stands in no namespace/],
    [
      object('Namespace', '', '', 'shop-staging'),
      IN_NONE,
      /^Namespace shop-staging is what environment staging lands in/,
    ],
    [object('Namespace', '', '', 'other'), IN_NONE, /^Namespace other stands in no namespace/],
  ];
  for (const [each, served, expected] of table)
    assert.match(outOfBounds(each, served, bounds) ?? '', expected);
});

test("A21: a managed account writes none of Towpath's own kinds, also in its namespace; the platform's own account may", () => {
  for (const kind of ['Application', 'Promotion', 'Approval', 'PromotionPolicy']) {
    const each = object(kind, 'shop-staging', 'towpath.dev');
    assert.match(outOfBounds(each, IN_NAMESPACE, bounds) ?? '', /nothing of Towpath's own kinds/);
    assert.equal(outOfBounds(each, IN_NAMESPACE, { ...bounds, isManaged: false }), undefined);
  }
  assert.match(
    outOfBounds(object('Environment', '', 'towpath.dev'), IN_NONE, { ...bounds, isManaged: false }) ?? '',
    /stands in no namespace/,
  );
});
