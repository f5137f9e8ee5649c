import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { newReleases, type Releases } from '../harness/chart-releases.ts';
import { documented, runCommands } from '../harness/documented.ts';
import { newStage } from '../harness/operator.ts';
import { newEnvironmentOf, newObject, newTenant } from '../harness/tenants.ts';
import { eventually } from '../harness/wait.ts';

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

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** A namespace as the operator makes it, but for what is other. */
const namespaceOf = (name: string, labels: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'towpath', ...labels } },
});

/** A Pod that has the node. */
const PRIVILEGED_POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'node', namespace: 'taken' },
  spec: {
    serviceAccountName: 'towpath',
    hostPID: true,
    containers: [{ name: 'node', image: 'example.com/node', securityContext: { privileged: true } }],
    volumes: [{ name: 'root', hostPath: { path: '/' } }],
  },
};

/** What the API server says to who makes it with the rights of somebody; '' where it takes it. */
async function refusal(user: string, object: object, ...how: readonly string[]): Promise<string> {
  const { code, stderr } = await on.cluster.kubectl(['create', `--as=${user}`, ...how, '-f', '-'], {
    input: JSON.stringify(object),
  });
  return code === 0 ? '' : stderr;
}

/** A namespace of its own is held to the level of the chart, for good, and so is what runs there. */
async function hasNoNodeByANamespaceOfItsOwn(t: TestContext): Promise<void> {
  t.after(() => on.cluster.kubectl(['delete', 'namespace', 'taken', '--wait=false']));
  const managed = { 'towpath.dev/managed-for': 'shop' };
  const level = /level baseline of Pod Security or a stricter one/;
  const refused: readonly (readonly [name: string, labels: Record<string, string>, RegExp])[] = [
    ['taken', managed, level],
    ['taken', { ...managed, [ENFORCE]: 'privileged' }, level],
    ['taken', { ...managed, [ENFORCE]: 'restricted', [`${ENFORCE}-version`]: 'v1.0' }, /latest version/],
    ['taken', { [ENFORCE]: 'baseline' }, /only namespaces with the label towpath\.dev\/managed-for/],
    ['kube-taken', { ...managed, [ENFORCE]: 'baseline' }, /none that begins with kube-/],
  ];
  for (const [name, labels, words] of refused)
    assert.match(await refusal(USER, namespaceOf(name, labels)), words);
  assert.equal(await refusal(USER, namespaceOf('taken', { ...managed, [ENFORCE]: 'baseline' })), '');

  const account = 'system:serviceaccount:taken:towpath';
  const made = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'towpath', namespace: 'taken' },
  };
  for (const object of [made, binding({}, 'taken')]) {
    const { code, stderr } = await applyAs(USER, object);
    assert.equal(code, 0, stderr);
  }
  await eventually(async () => (await refusal(account, configMap('taken'))) === '', {
    describe: 'the binding to be in effect',
  });
  assert.match(await refusal(account, PRIVILEGED_POD), /violates PodSecurity "baseline:latest".*privileged/s);
  for (const user of [USER, account]) {
    const relabel = ['label', 'namespace', 'taken', `${ENFORCE}=privileged`, '--overwrite', `--as=${user}`];
    assert.match((await on.cluster.kubectl(relabel)).stderr, /cannot patch resource "namespaces"/, user);
  }
}

const configMap = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'any', namespace },
});

const applyAs = (user: string, object: object) =>
  on.cluster.kubectl(['apply', '--server-side', '--force-conflicts', `--as=${user}`, '-f', '-'], {
    input: JSON.stringify(object),
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
  const label = 'jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}';
  assert.equal(await on.kubectl('get', 'namespace', 'shop-staging', '-o', label), 'baseline');

  await newObject(t, stage, '/api/v1/namespaces', { metadata: { name: 'unlabelled' } });
  await newObject(t, stage, '/api/v1/namespaces', {
    metadata: { name: 'labelled', labels: { 'towpath.dev/managed-for': 'shop' } },
  });
  await on.kubectl('label', 'namespace', 'kube-system', 'towpath.dev/managed-for=shop');
  const apply = (object: object) => applyAs(USER, object);
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
  await hasNoNodeByANamespaceOfItsOwn(t);
});

/** Which labels of Pod Security the operator may give a namespace, by the value of the chart. */
const LEVELS: readonly (readonly [value: string, allowed: readonly string[]])[] = [
  ['restricted', ['restricted']],
  ['', ['none', 'baseline', 'restricted']],
  ['privileged', ['none', 'privileged', 'baseline', 'restricted']],
];

test('S15: the policy holds the operator to the level of Pod Security that the values name', async (t) => {
  await on.newNamespace(t, 'leveled');
  const user = 'system:serviceaccount:leveled:towpath-operator';
  const allowed = async () => {
    const taken = [];
    for (const level of ['none', 'privileged', 'baseline', 'restricted']) {
      const labels = { 'towpath.dev/managed-for': 'shop', ...(level !== 'none' && { [ENFORCE]: level }) };
      if ((await refusal(user, namespaceOf('level', labels), '--dry-run=server')) === '') taken.push(level);
    }
    return taken;
  };
  for (const [podSecurity, expected] of LEVELS) {
    const values = { managedAccess: { podSecurity } };
    const release = { name: 'towpath', namespace: 'leveled', values };
    await on.release('upgrade', release, '--install');
    // The API server takes a moment to go by a policy.
    await eventually(async () => isDeepStrictEqual(await allowed(), expected), {
      describe: `what the level "${podSecurity}" allows`,
    });
  }
});

test('the commands of docs/installation.md give namespaces that earlier builds made a level, and no others', async (t) => {
  const managed = { 'towpath.dev/managed-for': 'shop' };
  const made = { ...managed, 'app.kubernetes.io/managed-by': 'towpath' };
  const labels: Readonly<Record<string, Record<string, string>>> = {
    earlier: made,
    leveled: { ...made, [ENFORCE]: 'restricted' },
    platform: managed,
    others: {},
  };
  for (const [name, own] of Object.entries(labels))
    await newObject(t, on, '/api/v1/namespaces', { metadata: { name: `upgraded-${name}`, labels: own } });
  await runCommands(on.cluster, documented('installation.md', 'kubectl label namespaces', ENFORCE));
  const now = await Promise.all(
    Object.keys(labels).map(async (name) => {
      const { body } = await on.cluster.request('GET', `/api/v1/namespaces/upgraded-${name}`);
      const { metadata } = JSON.parse(body) as { metadata: { labels: Record<string, string> } };
      return [name, metadata.labels[ENFORCE]];
    }),
  );
  assert.deepEqual(now, [
    ['earlier', 'baseline'],
    ['leveled', 'restricted'],
    ['platform', undefined],
    ['others', undefined],
  ]);
});
