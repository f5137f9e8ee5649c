import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, type TestContext, test } from 'node:test';
import { useControlPlane } from '../../test/harness/control-plane.ts';
import { definition } from '../../test/harness/definition.ts';
import { type FaultProxy, startFaultProxy } from '../../test/harness/fault-proxy.ts';
import { eventually } from '../../test/harness/wait.ts';
import type { TowpathError } from '../api/errors.ts';
import { KubeClient, type Resource, type ServiceAccount } from '../kube/client.ts';
import { Discovery } from '../kube/discovery.ts';
import { KindWatches } from './kind-watches.ts';

interface Seen {
  kind: string;
  namespace: string;
  name: string;
  uid: string;
}

const resource = (plural: string, group = '') => ({ group, version: 'v1', plural });
const NAMESPACES = resource('namespaces');
const SECRETS = resource('secrets');
const CONFIG_MAPS = resource('configmaps');
const ROLE_BINDINGS = resource('rolebindings', 'rbac.authorization.k8s.io');
const CRDS = resource('customresourcedefinitions', 'apiextensions.k8s.io');

let proxy: FaultProxy;
let client: KubeClient;
before(async () => {
  proxy = await startFaultProxy(await useControlPlane());
  client = KubeClient.fromKubeConfig(proxy.kubeConfigText);
});
after(async () => {
  await client.close();
  await proxy.stop();
});

/** Watches what carries a label of this test's own; `seen` is what they tell of. */
async function newWatches(t: TestContext) {
  const mark = randomBytes(4).toString('hex');
  const seen = new Map<string, Seen>();
  const discovery = new Discovery(client);
  await discovery.refresh();
  const watches = new KindWatches<Seen>({
    client,
    discovery,
    labelSelector: `test=${mark}`,
    isMetadataOnly: () => true,
    reduce: ({ kind }: Resource, { metadata: { namespace = '', name, uid } }) => ({
      kind,
      namespace,
      name,
      uid,
    }),
    onObject: (object) => seen.set(object.uid, object),
    onGone: (object) => seen.delete(object.uid),
    onSight: () => undefined,
  });
  t.after(() => {
    proxy.clear();
    return watches.stop();
  });
  return { watches, discovery, seen, labels: { test: mark } };
}

/** A namespace, and a ServiceAccount's name in it that may do all there when `rights` says so. */
async function newAccount(t: TestContext, rights: boolean): Promise<ServiceAccount> {
  const namespace = `kinds-${randomBytes(4).toString('hex')}`;
  await client.create(
    { resource: NAMESPACES },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  );
  t.after(() => client.delete({ resource: NAMESPACES, name: namespace }));
  if (rights) await grant({ namespace, name: 'deployer' });
  return { namespace, name: 'deployer' };
}

async function grant({ namespace, name }: ServiceAccount): Promise<void> {
  await client.create(
    { resource: ROLE_BINDINGS, namespace },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'deployer' },
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
  const as = await newAccount(t, true);
  proxy.forget();
  await put(SECRETS, 'Secret', as.namespace, labels);
  await put(CONFIG_MAPS, 'ConfigMap', as.namespace, labels);
  const kinds = ['Secret', 'ConfigMap'].map((kind) => ({ group: '', kind, namespace: as.namespace }));
  await watches.ensure(kinds, as, AbortSignal.timeout(20_000));
  assert.deepEqual([...seen.values()].map(({ kind }) => kind).sort(), ['ConfigMap', 'Secret']);
  assert.equal(proxy.find(listed('secrets', as.namespace)).length, 1);
  assert.equal(proxy.find({ verb: 'list', path: /^\/api\/v1\/secrets/ }).length, 0);
  assert.equal(proxy.find({ verb: 'list', path: /^\/api\/v1\/configmaps/ }).length, 1);
});

test('a ServiceAccount that may not list a kind is told so, and looks again once it may', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, false);
  await put(SECRETS, 'Secret', as.namespace, labels);
  const ensure = () =>
    watches.ensure([{ group: '', kind: 'Secret', namespace: as.namespace }], as, AbortSignal.timeout(20_000));
  await assert.rejects(ensure(), (error: TowpathError) => {
    assert.equal(error.reason, 'Forbidden');
    assert.match(error.message, /Secret/);
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

test('who waits for the first list of a watch that is ended begins anew', async (t) => {
  const { watches, seen, labels } = await newWatches(t);
  const as = await newAccount(t, true);
  await put(SECRETS, 'Secret', as.namespace, labels);
  const held = proxy.hold(listed('secrets', as.namespace));
  const ensured = watches.ensure(
    [{ group: '', kind: 'Secret', namespace: as.namespace }],
    as,
    AbortSignal.timeout(20_000),
  );
  await held.seen;
  watches.release(as.namespace, new Set());
  await ensured;
  assert.equal(seen.size, 1);
});

test('objects of a kind whose definition goes are forgotten', async (t) => {
  const { watches, discovery, seen, labels } = await newWatches(t);
  const as = await newAccount(t, true);
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
  await watches.ensure(kinds, as, AbortSignal.timeout(20_000));
  assert.equal(seen.size, 1);
  // What is left of it is forgotten even where the watch cannot tell.
  await eventually(() => proxy.stallWatches({ path: new RegExp(group) }) === 1);
  await client.delete({ resource: CRDS, name: crd.metadata.name });
  await eventually(async () => (await served()) === undefined);
  watches.onDefinitionsChanged();
  assert.equal(seen.size, 0);
  await watches.ensure(kinds, as, AbortSignal.timeout(20_000));
});
