import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { KubeClient } from '../../kube/client.ts';
import { GivenAccess } from '../../kube/credentials.ts';
import { UnreachableError } from '../../kube/errors.ts';
import { Cluster } from '../cluster/cluster.ts';
import { Clusters } from './clusters.ts';

const UID = '00000000-0000-4000-8000-000000000000';
const OTHER_UID = 'ffffffff-0000-4000-8000-000000000000';
const HOME_UID = '11111111-0000-4000-8000-000000000000';
const SECRET = { name: 'eu', key: 'kubeconfig' };
const CONFIG_MAPS = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace: 'shop' };

type BeforeWrite = () => Promise<void> | undefined;

/** Clients of a server of our own, which behaves as no API server can be made to. */
async function serve(
  t: TestContext,
  onRequest: RequestListener,
): Promise<(options?: { beforeWrite: BeforeWrite }) => KubeClient> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const access = { server: `http://127.0.0.1:${port}`, proxyUrl: undefined, tls: {}, headers: [] };
  return (options) => new KubeClient(new GivenAccess(access), options);
}

/** Leads to the cluster below: which address it names, nobody looks at. */
const KUBECONFIG = JSON.stringify({
  clusters: [{ name: 'eu', cluster: { server: 'https://eu.example.com:6443' } }],
  users: [{ name: 'eu', user: { token: 't' } }],
  contexts: [{ name: 'eu', context: { cluster: 'eu', user: 'eu' } }],
  'current-context': 'eu',
});

const textOf = (object: object) => JSON.stringify(object);

/** One that has the Secret with the kubeconfig. */
const answerAtHome: RequestListener = ({ url = '' }, response) => {
  if (url.includes('watch=')) return;
  if (url.endsWith('/namespaces/kube-system')) {
    response.end(textOf({ metadata: { name: 'kube-system', uid: HOME_UID, resourceVersion: '1' } }));
    return;
  }
  const metadata = { name: SECRET.name, namespace: 'towpath', uid: 's', resourceVersion: '1' };
  const data = { kubeconfig: Buffer.from(KUBECONFIG).toString('base64') };
  response.end(textOf({ metadata: { resourceVersion: '1' }, items: [{ metadata, data }] }));
};

function newCluster(client: KubeClient): Cluster {
  const nothing = () => undefined;
  return new Cluster({
    client,
    onChange: nothing,
    onKindsChanged: nothing,
    onDefinitionsChanged: nothing,
    onFault: nothing,
    random: Math.random,
  });
}

/** An Environment `eu` in a cluster that tells who it is, takes what is written, and not what it serves. */
async function staged(t: TestContext) {
  const behind = { uid: UID, written: [] as string[] };
  const home = await serve(t, answerAtHome);
  const there = await serve(t, ({ method, url = '' }, response) => {
    const metadata = { name: 'kube-system', uid: behind.uid, resourceVersion: '1' };
    if (url.endsWith('/namespaces/kube-system')) response.end(textOf({ metadata }));
    if (method !== 'POST') return;
    behind.written.push(behind.uid);
    response.end(textOf({ metadata: { name: 'web', uid: 'w', resourceVersion: '1' } }));
  });
  const told: (string | undefined)[] = [];
  const client = home();
  const atHome = newCluster(client);
  const clusters: Clusters = new Clusters({
    home: atHome,
    client,
    namespace: 'towpath',
    connect: { client: (_, beforeWrite) => there({ beforeWrite }), cluster: newCluster },
    onChange: (name) => told.push(clusters.stand(name)?.facts?.uid),
  });
  t.after(async () => {
    await Promise.all([clusters.stop(), atHome.stop()]);
    await client.close();
  });
  clusters.follow('eu', SECRET);
  await eventually(async () => told.includes(UID), { describe: 'the cluster to be known' });
  return { behind, told, clusters, write: write(clusters.of('eu', UID).client) };
}

const write = (client: KubeClient) => () =>
  client.create(CONFIG_MAPS, { metadata: { name: 'web' } }, { fieldManager: 'test' });

test('B5: who notices at a write that behind the kubeconfig is another cluster writes nothing there, and whoever lands there is told at once', async (t) => {
  const { behind, told, clusters, write } = await staged(t);
  await write();
  assert.deepEqual(behind.written, [UID]);

  behind.uid = OTHER_UID;
  // Whom a write goes to was last asked a while ago.
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 5_000);
  await assert.rejects(write(), UnreachableError);
  assert.deepEqual(behind.written, [UID], 'nothing in the other one');
  assert.equal(told.at(-1), OTHER_UID, 'it is told before what it serves is known');
  assert.throws(() => clusters.of('eu', UID), { reason: 'ClusterUnreachable' });
});

test('B5: a target in the cluster of an Environment is never in the one at home, also when the Environment is gone', async (t) => {
  const { clusters } = await staged(t);
  clusters.follow('eu', undefined);
  assert.throws(() => clusters.of('eu', UID), { reason: 'ClusterUnreachable' });
});

test("S16: the operator's own cluster is none of others, also when the address of one leads there by now", async (t) => {
  const { behind, told, clusters, write } = await staged(t);
  behind.uid = HOME_UID;
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 5_000);
  await assert.rejects(write(), UnreachableError);
  assert.deepEqual(behind.written, []);
  const stand = clusters.stand('eu');
  assert.equal(stand?.state.is, 'Lost');
  assert.equal(stand.state.error.reason, 'ClusterIsHome');
  assert.match(stand.state.error.message, /^The kubeconfig in Secret towpath\/eu leads to the cluster/);
  assert.throws(() => clusters.of('eu', HOME_UID), { reason: 'ClusterUnreachable' });
  assert.equal(told.at(-1), undefined);
});
