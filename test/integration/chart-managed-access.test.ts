import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { newReleases, type Releases } from '../harness/chart-releases.ts';
import { newStage } from '../harness/operator.ts';
import { newEnvironmentOf, newObject, newTenant } from '../harness/tenants.ts';

let on: Releases;
before(async () => {
  on = await newReleases();
});

const USER = 'system:serviceaccount:platform:towpath-operator';

/** A binding as the operator makes it, but for what is other. */
const binding = (other: { subject?: object; role?: string } = {}, namespace = 'labelled') => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: 'towpath-managed', namespace },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: other.role ?? 'edit' },
  subjects: [other.subject ?? { kind: 'ServiceAccount', name: 'towpath', namespace }],
});

test('S15, S16: the installed operator manages access, and who took it over can bind nothing else', async (t) => {
  await on.newNamespace(t, 'platform');
  const release = { name: 'towpath', namespace: 'platform' };
  await on.release('install', release);
  const stage = await newStage(t, {
    cluster: on.cluster,
    startOperator: false,
    files: { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' },
  });
  const operator = await on.run(t, release);
  const shop = await newTenant(t, { cluster: on.cluster, repoURL: stage.repoURL, operator }, 'shop');
  await newEnvironmentOf(t, stage, 'staging', { allowedNamespaces: ['shop'] });
  await shop.application('web', { environments: [{ name: 'staging' }] });
  await shop.ready('web', await stage.repository.revParse('main'));
  await shop.delete('web');

  await newObject(t, stage, '/api/v1/namespaces', { metadata: { name: 'unlabelled' } });
  await newObject(t, stage, '/api/v1/namespaces', {
    metadata: { name: 'labelled', labels: { 'towpath.dev/managed-for': 'shop' } },
  });
  await on.kubectl('label', 'namespace', 'kube-system', 'towpath.dev/managed-for=shop');
  const apply = (object: object) =>
    on.cluster.kubectl(['apply', '--server-side', '--force-conflicts', `--as=${USER}`, '-f', '-'], {
      input: JSON.stringify(object),
    });
  const allowed = await apply(binding());
  assert.equal(allowed.code, 0, allowed.stderr);
  const refused: readonly (readonly [object, RegExp])[] = [
    [binding({}, 'unlabelled'), /only in namespaces with the label/],
    [binding({}, 'kube-system'), /only in namespaces with the label/],
    [binding({}, 'platform'), /only in namespaces with the label/],
    [
      binding({ subject: { kind: 'ServiceAccount', name: 'towpath', namespace: 'unlabelled' } }),
      /that namespace alone/,
    ],
    [
      binding({ subject: { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'mallory' } }),
      /that namespace alone/,
    ],
    [
      { ...binding(), metadata: { name: 'other', namespace: 'labelled' } },
      /cannot (create|patch) resource "rolebindings"/,
    ],
    [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'other', namespace: 'labelled' } },
      /cannot (create|patch)/,
    ],
    [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'unlabelled', labels: { a: 'b' } } },
      /cannot patch/,
    ],
  ];
  for (const [object, words] of refused) {
    const { code, stderr } = await apply(object);
    assert.notEqual(code, 0, JSON.stringify(object));
    assert.match(stderr, words);
  }
  // Another role is refused by RBAC's own rule, and would be by the policy.
  await on.kubectl('-n', 'labelled', 'delete', 'rolebinding', 'towpath-managed');
  const admin = await apply(binding({ role: 'admin' }));
  assert.match(admin.stderr, /attempting to grant RBAC permissions|only the ClusterRoles/);
});
