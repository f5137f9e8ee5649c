import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { before, type TestContext, test } from 'node:test';
import { type Access, apiRequest } from './cluster.ts';
import type { Cluster } from './control-plane.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { namespaceFor, useControlPlane } from './use-control-plane.ts';
import { eventually } from './wait.ts';

let cluster: Cluster;

before(async () => {
  cluster = await useControlPlane();
});

async function proxyFor(t: TestContext): Promise<FaultProxy> {
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  return proxy;
}

const accessOf = (proxy: FaultProxy): Access => ({
  serverUrl: proxy.serverUrl,
  ca: proxy.ca,
  token: cluster.adminToken,
});

const get = (proxy: FaultProxy, path: string) => apiRequest(accessOf(proxy), 'GET', path);

/** Opens a watch on ConfigMaps and gathers what it receives. */
async function watchConfigMaps(t: TestContext, proxy: FaultProxy, namespace: string) {
  const seen = { text: '', ended: false };
  const url = new URL(`/api/v1/namespaces/${namespace}/configmaps?watch=true`, proxy.serverUrl);
  const headers = { authorization: `Bearer ${cluster.adminToken}` };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpsRequest(url, { ca: proxy.ca, headers, agent: false }, resolve);
    request.on('error', reject);
    request.end();
    t.after(() => request.destroy());
  });
  response.on('data', (chunk: Buffer) => {
    seen.text += chunk.toString();
  });
  response.on('error', () => {});
  response.on('close', () => {
    seen.ended = true;
  });
  return seen;
}

async function createConfigMap(namespace: string, name: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
  const response = await cluster.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body });
  assert.equal(response.status, 201);
}

test('requests pass and are recorded with verb, status and who sends them', async (t) => {
  const proxy = await proxyFor(t);
  const namespace = await namespaceFor(t);
  const base = `/api/v1/namespaces/${namespace}/configmaps`;
  const apply = {
    contentType: 'application/apply-patch+yaml',
    body: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}',
  };
  await apiRequest(accessOf(proxy), 'PATCH', `${base}/a?fieldManager=x&dryRun=All`, apply);
  await apiRequest(accessOf(proxy), 'PATCH', `${base}/a?fieldManager=x`, apply);
  await get(proxy, `${base}/a`);
  await get(proxy, base);
  await get(proxy, `/api/v1/namespaces/${namespace}`);
  await get(proxy, '/version');
  await apiRequest(accessOf(proxy), 'DELETE', `${base}/a`);
  assert.deepEqual(
    proxy.requests.map(({ verb, status, dryRun }) => [verb, status, dryRun]),
    [
      ['apply', 201, true],
      ['apply', 201, false],
      ['get', 200, false],
      ['list', 200, false],
      ['get', 200, false],
      ['other', 200, false],
      ['delete', 200, false],
    ],
  );
  assert.deepEqual(proxy.counts({ path: /configmaps/ }), { apply: 2, get: 1, list: 1, delete: 1 });
});

test('kubectl works through the proxy with its kubeconfig', async (t) => {
  const proxy = await proxyFor(t);
  const result = await cluster.kubectl([`--kubeconfig=${proxy.kubeconfigPath}`, 'get', 'namespaces']);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /kube-system/);
  assert.ok(proxy.find({ verb: 'list', where: (r) => r.userAgent.startsWith('kubectl') }).length > 0);
});

test('statuses, resets and nonsense hit only what matches, as often as asked', async (t) => {
  const proxy = await proxyFor(t);
  const busy = proxy.fail({ path: /namespaces/, fault: { status: 429, retryAfter: 7 }, times: 1 });
  const refused = await get(proxy, '/api/v1/namespaces');
  assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '7']);
  assert.equal(JSON.parse(refused.body).reason, 'TooManyRequests');
  assert.equal((await get(proxy, '/api/v1/namespaces')).status, 200);
  assert.equal(busy.met, 1);

  const rule = proxy.fail({ verb: 'list', fault: 'reset' });
  await assert.rejects(get(proxy, '/api/v1/namespaces'), /ECONNRESET|socket hang up/);
  assert.equal((await get(proxy, '/api/v1/namespaces/default')).status, 200);
  rule.remove();

  proxy.fail({ fault: 'malformed' });
  const nonsense = await get(proxy, '/api/v1/namespaces');
  assert.throws(() => JSON.parse(nonsense.body));
  proxy.clear();
  assert.equal((await get(proxy, '/api/v1/namespaces')).status, 200);
});

test('latency delays and a hung request is never answered', async (t) => {
  const proxy = await proxyFor(t);
  proxy.fail({ fault: { latencyMs: 300 }, times: 1 });
  const started = performance.now();
  assert.equal((await get(proxy, '/version')).status, 200);
  assert.ok(performance.now() - started >= 295);
  proxy.fail({ fault: 'hang' });
  await assert.rejects(
    apiRequest(accessOf(proxy), 'GET', '/version', { timeoutMs: 200 }),
    /no answer in time/,
  );
});

test('a held request waits before the API server, a held answer after it', async (t) => {
  const proxy = await proxyFor(t);
  const namespace = await namespaceFor(t);
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const create = (name: string) =>
    apiRequest(accessOf(proxy), 'POST', path, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
    });
  const exists = async (name: string) => (await cluster.request('GET', `${path}/${name}`)).status === 200;

  const before = proxy.hold({ verb: 'create' });
  const first = create('first');
  assert.match((await before.seen).body, /"first"/);
  assert.equal(await exists('first'), false);
  before.release();
  assert.equal((await first).status, 201);

  const after = proxy.hold({ verb: 'create', at: 'response' });
  const second = create('second');
  const failed = assert.rejects(second, /ECONNRESET|socket hang up/);
  await after.seen;
  assert.equal(await exists('second'), true);
  after.drop();
  await failed;

  const third = proxy.hold({ verb: 'create' });
  const lost = assert.rejects(create('third'), /ECONNRESET|socket hang up/);
  await third.seen;
  third.drop();
  await lost;
  assert.equal(await exists('third'), false);
});

test('a stalled watch stays open and silent, another is not touched', async (t) => {
  const proxy = await proxyFor(t);
  const namespace = await namespaceFor(t);
  const stalled = await watchConfigMaps(t, proxy, namespace);
  await createConfigMap(namespace, 'one');
  await eventually(() => stalled.text.includes('"one"'));
  assert.equal(proxy.stallWatches(), 1);
  const renewed = await watchConfigMaps(t, proxy, namespace);
  await createConfigMap(namespace, 'two');
  await eventually(() => renewed.text.includes('"two"'));
  assert.equal(stalled.text.includes('"two"'), false);
  assert.equal(stalled.ended, false);
});

test('lines are put between the events of a watch, and 410 Gone ends it', async (t) => {
  const proxy = await proxyFor(t);
  const namespace = await namespaceFor(t);
  const watch = await watchConfigMaps(t, proxy, namespace);
  assert.equal(proxy.injectIntoWatches('{"type":', { path: /configmaps/ }), 1);
  await createConfigMap(namespace, 'one');
  await eventually(() => watch.text.includes('"one"'));
  assert.ok(watch.text.split('\n').includes('{"type":'));
  assert.equal(proxy.expireWatches(), 1);
  await eventually(() => watch.ended);
  assert.match(watch.text, /"type":"ERROR".*"code":410/);
  await eventually(() => proxy.openWatches() === 0);
});

test('connections are refused and accepted again on the same port; certificates change', async (t) => {
  const proxy = await proxyFor(t);
  const { port, ca } = proxy;
  await proxy.refuseConnections();
  await assert.rejects(get(proxy, '/version'), /ECONNREFUSED/);
  await proxy.acceptConnections();
  assert.equal(proxy.port, port);
  assert.equal((await get(proxy, '/version')).status, 200);

  await proxy.rotateCertificate();
  await assert.rejects(apiRequest({ ...accessOf(proxy), ca }, 'GET', '/version'), /certificate/);
  assert.equal((await get(proxy, '/version')).status, 200);
});
