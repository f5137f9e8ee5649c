import assert from 'node:assert/strict';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { KubeClient } from '../../kube/client.ts';
import { type AccessSource, GivenAccess } from '../../kube/credentials.ts';
import { UnreachableError } from '../../kube/errors.ts';
import { Cluster } from '../cluster/cluster.ts';
import { Clusters } from './clusters.ts';

const UID = '00000000-0000-4000-8000-000000000000';
const OTHER_UID = 'ffffffff-0000-4000-8000-000000000000';
const HOME_UID = '11111111-0000-4000-8000-000000000000';
const SECRET = { name: 'eu', key: 'kubeconfig' };
const CONFIG_MAPS = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace: 'shop' };

type BeforeWrite = () => Promise<void> | undefined;

/** Clients of a server of our own, which behaves as no API server can be made to; with `as` they have its credentials. */
async function serve(
  t: TestContext,
  onRequest: RequestListener,
): Promise<(options?: { beforeWrite: BeforeWrite }, as?: AccessSource) => KubeClient> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const access = { server: `http://127.0.0.1:${port}`, proxyUrl: undefined, tls: {}, headers: [] };
  return (options, as = new GivenAccess(access)) => {
    const current = async () => ({ ...access, headers: (await as.current()).headers });
    return new KubeClient({ current, invalidate: () => undefined }, options);
  };
}

/** Leads to the cluster below, whatever address it names. */
function kubeConfig({ context = 'eu', token = 't', cluster = {} } = {}): string {
  return JSON.stringify({
    clusters: [{ name: 'eu', cluster: { server: 'https://eu.example.com:6443', ...cluster } }],
    users: [{ name: 'eu', user: { token } }],
    contexts: [{ name: context, context: { cluster: 'eu', user: 'eu' } }],
    'current-context': context,
  });
}

const textOf = (object: object) => JSON.stringify(object);

/** One that has the Secret with the kubeconfig. */
const answerAtHome: RequestListener = ({ url = '' }, response) => {
  if (url.includes('watch=')) return;
  if (url.endsWith('/namespaces/kube-system')) {
    response.end(textOf({ metadata: { name: 'kube-system', uid: HOME_UID, resourceVersion: '1' } }));
    return;
  }
  const metadata = { name: SECRET.name, namespace: 'towpath', uid: 's', resourceVersion: '1' };
  const data = { kubeconfig: Buffer.from(kubeConfig()).toString('base64') };
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
  later(t);
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
  later(t);
  await assert.rejects(write(), UnreachableError);
  assert.deepEqual(behind.written, []);
  const stand = clusters.stand('eu');
  assert.equal(stand?.state.is, 'Lost');
  assert.equal(stand.state.error.reason, 'ClusterIsHome');
  assert.match(stand.state.error.message, /^The kubeconfig in Secret towpath\/eu leads to the cluster/);
  assert.throws(() => clusters.of('eu', HOME_UID), { reason: 'ClusterUnreachable' });
  assert.equal(told.at(-1), undefined);
});

/** The API server at home, with Secrets that change while they are watched. */
async function serveSecrets(t: TestContext) {
  const secrets = new Map<string, { metadata: { resourceVersion: string }; [member: string]: unknown }>();
  const watches = new Map<string, ServerResponse>();
  let version = 0;
  const tell = (name: string) => {
    const object = { apiVersion: 'v1', kind: 'Secret', ...secrets.get(name) };
    watches.get(name)?.write(`${textOf({ type: 'MODIFIED', object })}\n`);
  };
  const client = await serve(t, ({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://home');
    if (pathname.endsWith('/namespaces/kube-system')) {
      response.end(textOf({ metadata: { name: 'kube-system', uid: HOME_UID, resourceVersion: '1' } }));
      return;
    }
    const name = searchParams.get('fieldSelector')?.replace('metadata.name=', '') ?? '';
    const secret = secrets.get(name);
    if (searchParams.get('watch') === null) {
      const items = secret === undefined ? [] : [secret];
      response.end(textOf({ metadata: { resourceVersion: `${version}` }, items }));
      return;
    }
    response.flushHeaders();
    watches.set(name, response);
    const from = Number(searchParams.get('resourceVersion'));
    if (secret !== undefined && Number(secret.metadata.resourceVersion) > from) tell(name);
  });
  const store = (name: string, text: string, hosts?: string) => {
    version += 1;
    const annotations = hosts === undefined ? {} : { 'towpath.dev/hosts': hosts };
    const metadata = { name, namespace: 'towpath', uid: name, resourceVersion: `${version}`, annotations };
    secrets.set(name, { metadata, data: { kubeconfig: Buffer.from(text).toString('base64') } });
    tell(name);
  };
  return { client: client(), store };
}

/** Environments, each with a Secret of its own, in a cluster that refuses the tokens that it is told to. */
async function stagedSecrets(t: TestContext) {
  const { client, store } = await serveSecrets(t);
  const refused = new Set<string>();
  const there = await serve(t, ({ method, url = '', headers }, response) => {
    if (refused.has(headers.authorization?.replace('Bearer ', '') ?? '')) {
      response.statusCode = 401;
      response.end(textOf({ kind: 'Status', code: 401, reason: 'Unauthorized', message: 'Unauthorized' }));
      return;
    }
    const metadata = { name: 'kube-system', uid: UID, resourceVersion: '1' };
    if (method === 'GET' && url.endsWith('/namespaces/kube-system')) response.end(textOf({ metadata }));
  });
  /** Clients that were made. */
  const connected: KubeClient[] = [];
  const told: string[] = [];
  const atHome = newCluster(client);
  const clusters: Clusters = new Clusters({
    home: atHome,
    client,
    namespace: 'towpath',
    connect: {
      client: (access, beforeWrite) => {
        const made = there({ beforeWrite }, access);
        connected.push(made);
        return made;
      },
      cluster: newCluster,
    },
    onChange: (name) => told.push(name),
  });
  t.after(async () => {
    await Promise.all([clusters.stop(), atHome.stop()]);
    await client.close();
  });
  const errorOf = (name: string) => {
    const state = clusters.stand(name)?.state;
    return state?.is === 'Lost' ? state.error : undefined;
  };
  const untilKnown = (name: string) =>
    eventually(() => errorOf(name) === undefined && clusters.stand(name)?.facts?.uid === UID, {
      describe: `the cluster of ${name} to be known; ${errorOf(name)?.message}`,
    });
  const follow = (name: string) => clusters.follow(name, { name, key: 'kubeconfig' });
  return { clusters, store, follow, refused, connected, told, errorOf, untilKnown };
}

/** Makes what was asked a moment ago too old to write by. */
function later(t: TestContext): void {
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 5_000);
}

test('B3: each Environment is told of the Secret and the context that it has itself, also where others have the same kubeconfig', async (t) => {
  const { clusters, store, follow, refused, connected, told, errorOf, untilKnown } = await stagedSecrets(t);
  const names = ['staging', 'prod'];
  for (const context of names) store(context, kubeConfig({ context }));
  for (const name of names) follow(name);
  for (const name of names) await untilKnown(name);
  assert.equal(connected.length, 1, 'they share the way');
  for (const name of names) assert.equal(clusters.stand(name)?.facts?.context, name);

  refused.add('t');
  later(t);
  const prod = clusters.of('prod', UID).client;
  // Once may be bad luck.
  await assert.rejects(write(prod)(), UnreachableError);
  await assert.rejects(write(prod)(), UnreachableError);
  for (const name of names) {
    assert.equal(errorOf(name)?.reason, 'CredentialRefused');
    assert.ok(errorOf(name)?.message.startsWith(`The kubeconfig in Secret towpath/${name} has a credential`));
  }
  await assert.rejects(write(prod)(), (error: Error) => !error.message.includes('Secret towpath/'));

  store('staging', kubeConfig({ context: 'staging', token: 'new' }));
  await untilKnown('staging');
  assert.match(errorOf('prod')?.message ?? '', /^The kubeconfig in Secret towpath\/prod has/);

  // What others have already says nothing anew by itself.
  told.length = 0;
  store('prod', kubeConfig({ context: 'prod', token: 'new' }));
  await eventually(() => told.includes('prod'), { describe: 'prod to be looked at anew' });
  assert.equal(errorOf('prod'), undefined);
  assert.equal(clusters.stand('prod')?.facts?.uid, UID);

  told.length = 0;
  store('prod', kubeConfig({ context: 'renamed', token: 'new' }));
  await eventually(() => told.includes('prod'), { describe: 'the other context to be told' });
  assert.deepEqual(
    names.map((name) => clusters.stand(name)?.facts?.context),
    ['staging', 'renamed'],
  );
  assert.deepEqual(told, ['prod']);
});

test('S17: a kubeconfig whose Secret names its hosts leads to no other host, nor by way of one', async (t) => {
  const { clusters, store, follow, connected, errorOf, untilKnown } = await stagedSecrets(t);
  const untilRefused = (what: RegExp) =>
    eventually(() => errorOf('eu')?.reason === 'HostNotListed' && what.test(errorOf('eu')?.message ?? ''), {
      describe: `${what}; ${errorOf('eu')?.message}`,
    });
  store('eu', kubeConfig(), 'us.example.com, eu.example.com:443');
  follow('eu');
  await untilRefused(/./);
  assert.equal(
    errorOf('eu')?.message,
    'Secret towpath/eu may not be sent to eu.example.com:6443, which `server` of its kubeconfig names: its annotation towpath.dev/hosts lists us.example.com, eu.example.com:443. Add the host there if it may have the credential, or store another kubeconfig.',
  );
  assert.equal(errorOf('eu')?.remedy, 'Person');
  assert.deepEqual(connected, [], 'it is not even connected to');

  // Not by sharing the way of a Secret with the same content either.
  store('free', kubeConfig());
  follow('free');
  await untilKnown('free');
  assert.equal(errorOf('eu')?.reason, 'HostNotListed');
  assert.throws(() => clusters.of('eu', UID), { reason: 'ClusterUnreachable' });

  store('eu', kubeConfig(), 'eu.example.com');
  await untilKnown('eu');
  assert.ok(clusters.of('eu', UID));
  const proxied = kubeConfig({ cluster: { 'proxy-url': 'http://proxy.example.com' } });
  store('eu', proxied, 'eu.example.com');
  await untilRefused(/proxy\.example\.com:80, which `proxy-url`/);
  assert.throws(() => clusters.of('eu', UID), { reason: 'ClusterUnreachable' });
  store('eu', proxied, 'eu.example.com, proxy.example.com:80');
  await untilKnown('eu');
});
