import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { definition } from '../../../test/harness/definition.ts';
import { proxiedClient } from '../../../test/harness/proxied-client.ts';
import { eventually } from '../../../test/harness/wait.ts';
import type { TowpathError } from '../../api/errors.ts';
import type { KubeObject, Resource, ServiceAccount } from '../../kube/client.ts';
import { Discovery } from '../../kube/discovery.ts';
import { KindWatches, type ObjectVersion } from './kind-watches.ts';

const resource = (plural: string, group = '') => ({ group, version: 'v1', plural });
const NAMESPACES = resource('namespaces');
const SECRETS = resource('secrets');
const CONFIG_MAPS = resource('configmaps');
const ROLE_BINDINGS = resource('rolebindings', 'rbac.authorization.k8s.io');
const CRDS = resource('customresourcedefinitions', 'apiextensions.k8s.io');

const { proxy, client } = await proxiedClient();

function versionOf(
  { group, kind }: Pick<Resource, 'group' | 'kind'>,
  { metadata: { namespace = '', name, uid, resourceVersion } }: KubeObject,
): ObjectVersion {
  return { group, kind, namespace, name, uid, resourceVersion };
}

/** Watches what carries a label of this test's own; `seen` is what they tell of. */
async function newWatches(t: TestContext) {
  const mark = randomBytes(4).toString('hex');
  const seen = new Map<string, ObjectVersion>();
  const discovery = new Discovery(client);
  await discovery.refresh();
  const watches = new KindWatches<ObjectVersion>({
    client,
    discovery,
    labelSelector: `test=${mark}`,
    isMetadataOnly: () => true,
    reduce: versionOf,
    onObject: ({ object }) => seen.set(object.uid, object),
    onGone: (object) => seen.delete(object.uid),
    onSight: () => undefined,
  });
  t.after(() => {
    proxy.clear();
    return watches.stop();
  });
  return { watches, discovery, seen, labels: { test: mark } };
}

function user(as: ServiceAccount, targetId = 'web') {
  return { targetId, as, signal: AbortSignal.timeout(20_000) };
}

/** A namespace, and a ServiceAccount's name in it that may do all there, or nothing. */
async function newAccount(t: TestContext, rights: 'All' | 'None'): Promise<ServiceAccount> {
  const namespace = `kinds-${randomBytes(4).toString('hex')}`;
  await client.create(
    { resource: NAMESPACES },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  );
  t.after(() => client.delete({ resource: NAMESPACES, name: namespace }));
  if (rights === 'All') await grant({ namespace, name: 'deployer' });
  return { namespace, name: 'deployer' };
}

async function grant({ namespace, name }: ServiceAccount): Promise<void> {
  await client.create(
    { resource: ROLE_BINDINGS, namespace },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name },
      subjects: [{ kind: 'ServiceAccount', namespace, name }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    },
  );
}

async function put(plural: typeof SECRETS, kind: string, namespace: string, labels: Record<string, string>) {
  return client.create(
    { resource: plural, namespace },
    { apiVersion: 'v1', kind, metadata: { name: 'a', labels } },
  );
}

const listed = (plural: string, namespace: string) => ({
  verb: 'list' as const,
  path: new RegExp(`/namespaces/${namespace}/${plural}`),
});

test('S1: Secrets are watched as the ServiceAccount, in its namespace; other kinds once for all', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'All');
  proxy.forget();
  await put(SECRETS, 'Secret', as.namespace, labels);
  await put(CONFIG_MAPS, 'ConfigMap', as.namespace, labels);
  const kinds = ['Secret', 'ConfigMap'].map((kind) => ({ group: '', kind, namespace: as.namespace }));
  await watches.ensure(kinds, user(as));
  assert.deepEqual([...seen.values()].map(({ kind }) => kind).sort(), ['ConfigMap', 'Secret']);
  assert.equal(proxy.find(listed('secrets', as.namespace)).length, 1);
  assert.equal(proxy.find({ verb: 'list', path: /^\/api\/v1\/secrets/ }).length, 0);
  assert.equal(proxy.find({ verb: 'list', path: /^\/api\/v1\/configmaps/ }).length, 1);
});

test('S1, S2: where the operator may not list a kind the ServiceAccounts watch it, and it watches for all again soon after it may', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'All');
  await put(CONFIG_MAPS, 'ConfigMap', as.namespace, labels);
  const look = async () => {
    await watches.ensure([{ group: '', kind: 'ConfigMap', namespace: as.namespace }], user(as));
    watches.endUnused('web');
  };
  const where = ({ query }: { query: URLSearchParams }) =>
    query.get('labelSelector') === `test=${labels.test}`;
  const asked = () => proxy.find({ verb: 'list', path: /^\/api\/v1\/configmaps/, where }).length;
  const open = (path: RegExp) => proxy.openWatches({ path, where });
  const ofNamespace = new RegExp(`/namespaces/${as.namespace}/configmaps`);
  const refused = proxy.fail({ verb: 'list', path: /^\/api\/v1\/configmaps/, fault: { status: 403 } });
  await look();
  await eventually(() => open(ofNamespace) === 1, { describe: 'the watch of the ServiceAccount' });
  const before = asked();
  await look();
  assert.equal(asked(), before, 'nothing is asked in each look');

  const now = performance.now.bind(performance);
  let aheadMs = 300_000;
  t.mock.method(performance, 'now', () => now() + aheadMs);
  await look();
  await eventually(() => asked() > before, { describe: 'it to be tried again' });
  const again = asked();
  await look();
  assert.equal(asked(), again, 'once in some minutes');
  assert.equal(seen.size, 1);

  refused.remove();
  aheadMs *= 2;
  await eventually(
    async () => {
      await look();
      return open(/^\/api\/v1\/configmaps/) === 1 && open(ofNamespace) === 0;
    },
    { describe: 'one watch for all' },
  );
  assert.equal(seen.size, 1, 'and nothing was forgotten meanwhile');

  // Lost again, and back with another credential of the account, which is tried at once.
  const lost = proxy.fail({ path: /^\/api\/v1\/configmaps/, fault: { status: 403 } });
  proxy.expireWatches({ path: /^\/api\/v1\/configmaps/ });
  await eventually(
    async () => {
      aheadMs += 5_000;
      await look();
      return open(ofNamespace) === 1;
    },
    { describe: 'the watch of the ServiceAccount once more', within: 30_000 },
  );
  lost.remove();
  watches.onRightsChanged();
  await eventually(() => open(/^\/api\/v1\/configmaps/) === 1, {
    describe: 'one watch for all once more, without a look',
  });
});

test('a ServiceAccount that may not list a kind is told so, and looks again once it may', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'None');
  await put(SECRETS, 'Secret', as.namespace, labels);
  const ensure = () => watches.ensure([{ group: '', kind: 'Secret', namespace: as.namespace }], user(as));
  await assert.rejects(ensure(), (error: TowpathError) => {
    assert.equal(error.reason, 'Forbidden');
    // As docs/installation.md has it.
    const words = `^list Secret ${as.namespace}/\\*: .*cannot list resource "secrets"`;
    assert.match(error.message, new RegExp(words));
    return true;
  });
  await grant(as);
  await eventually(
    () =>
      ensure().then(
        () => seen.size === 1,
        () => false,
      ),
    { describe: 'the right to count' },
  );
});

test('a watch ends with the last target that uses it, whatever account is named elsewhere', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'All');
  const other = { ...as, name: 'other' };
  await grant(other);
  await put(SECRETS, 'Secret', as.namespace, labels);
  const secrets = { group: '', kind: 'Secret', namespace: as.namespace };
  const roles = { group: 'rbac.authorization.k8s.io', kind: 'Role', namespace: as.namespace };
  const open = (path: RegExp) =>
    proxy.openWatches({ path, where: ({ query }) => query.get('labelSelector') === `test=${labels.test}` });
  const ofSecrets = new RegExp(`/namespaces/${as.namespace}/secrets`);
  await watches.ensure([secrets, roles], user(as, 'one'));
  await watches.ensure([secrets], user(as, 'two'));
  await eventually(() => open(ofSecrets) === 1 && open(/\/roles/) === 1, { describe: 'both watches' });
  // What a look asked for is used until the end of the next that does not.
  watches.endUnused('one');
  await watches.ensure([secrets], user(as, 'one'));
  watches.endUnused('one');
  await eventually(() => open(/\/roles/) === 0, { describe: 'the watch of Roles to end' });
  // Another account is named: a watch of its own, and the former one stays the other target's.
  await watches.ensure([secrets], user(other, 'one'));
  watches.endUnused('one');
  await eventually(() => open(ofSecrets) === 2, { describe: 'a watch for each account' });
  watches.forget('two');
  await eventually(() => open(ofSecrets) === 1, { describe: 'the watch of the former account to end' });
  assert.equal(seen.size, 1, 'the other account sees it still');
  watches.forget('one');
  await eventually(() => open(ofSecrets) === 0, { describe: 'the last watch to end' });
  assert.equal(seen.size, 0);
});

test('a run that was broken off watches nothing more', async (t) => {
  const { watches, labels } = await newWatches(t);
  const as = await newAccount(t, 'None');
  await put(SECRETS, 'Secret', as.namespace, labels);
  const roles = /\/roles\?/;
  const held = proxy.hold({ verb: 'list', path: roles });
  const run = new AbortController();
  const kinds = [{ group: 'rbac.authorization.k8s.io', kind: 'Role', namespace: as.namespace }];
  const ensured = watches.ensure(kinds, { targetId: 'web', as, signal: run.signal });
  await held.seen;
  run.abort(new Error('the Application is gone'));
  watches.forget('web');
  held.answer(403);
  await assert.rejects(ensured, /the Application is gone/);
  assert.deepEqual(proxy.find(listed('roles', as.namespace)), [], 'as the ServiceAccount');
});

const MAPS = { group: '', kind: 'ConfigMap' };

test('what a write is answered is known at once, and not when it comes after the news of the deletion', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'All');
  const answered = async () => versionOf(MAPS, await put(CONFIG_MAPS, 'ConfigMap', as.namespace, labels));
  const remove = () => client.delete({ resource: CONFIG_MAPS, namespace: as.namespace, name: 'a' });
  await watches.ensure([{ ...MAPS, namespace: as.namespace }], user(as));
  const first = await answered();
  assert.ok(watches.takeIn(first, as));
  assert.ok(seen.has(first.uid));
  await remove();
  await eventually(() => !seen.has(first.uid), { describe: 'the watch to tell of its deletion' });
  assert.equal(watches.takeIn(first, as), false);
  assert.equal(seen.size, 0);
  const again = await answered();
  assert.ok(watches.takeIn(again, as), 'its successor is not gone');
  assert.equal(watches.takeIn(first, as), false);
  assert.deepEqual([...seen.keys()], [again.uid]);
});

test('what was answered before there was a watch goes when the watch does not find it', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'All');
  const gone = versionOf(MAPS, await put(CONFIG_MAPS, 'ConfigMap', as.namespace, labels));
  await client.delete({ resource: CONFIG_MAPS, namespace: as.namespace, name: 'a' });
  const there = versionOf(MAPS, await put(CONFIG_MAPS, 'ConfigMap', as.namespace, labels));
  for (const answer of [gone, there]) assert.ok(watches.takeIn(answer, as));
  assert.equal(seen.size, 2);
  await watches.ensure([{ ...MAPS, namespace: as.namespace }], user(as));
  await eventually(() => seen.size === 1, { describe: 'the list to count' });
  assert.ok(seen.has(there.uid));
});

test('who waits for the first list of a watch that is ended begins anew', async (t) => {
  const { watches, discovery } = await newWatches(t);
  const as = await newAccount(t, 'All');
  const group = `t${randomBytes(4).toString('hex')}.example.com`;
  const crd = definition('widgets', group, 'Widget');
  await client.create({ resource: CRDS }, crd);
  const isServed = async () => {
    await discovery.refresh();
    return discovery.resourceFor(group, 'Widget') !== undefined;
  };
  await eventually(isServed);
  const held = proxy.hold({ verb: 'list', path: new RegExp(group) });
  const ensured = watches.ensure([{ group, kind: 'Widget', namespace: as.namespace }], user(as));
  await held.seen;
  await client.delete({ resource: CRDS, name: crd.metadata.name });
  await eventually(async () => !(await isServed()));
  watches.onDefinitionsChanged();
  // It is not served any more, and so not waited for.
  await ensured;
});

test('objects of a kind whose definition goes are forgotten', async (t) => {
  const { watches, discovery, seen, labels } = await newWatches(t);
  const as = await newAccount(t, 'All');
  const group = `t${randomBytes(4).toString('hex')}.example.com`;
  const crd = definition('widgets', group, 'Widget');
  await client.create({ resource: CRDS }, crd);
  const served = async () => {
    await discovery.refresh();
    return discovery.resourceFor(group, 'Widget');
  };
  const kinds = [{ group, kind: 'Widget', namespace: as.namespace }];
  await eventually(async () => (await served()) !== undefined);
  await client.create(
    { resource: resource('widgets', group), namespace: as.namespace },
    { apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name: 'a', labels } },
  );
  await watches.ensure(kinds, user(as));
  assert.equal(seen.size, 1);
  // What is left of it is forgotten even where the watch cannot tell.
  await eventually(() => proxy.stallWatches({ path: new RegExp(group) }) === 1);
  await client.delete({ resource: CRDS, name: crd.metadata.name });
  await eventually(async () => (await served()) === undefined);
  watches.onDefinitionsChanged();
  assert.equal(seen.size, 0);
  await watches.ensure(kinds, user(as));
});
