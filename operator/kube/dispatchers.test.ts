import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { newCertificates } from '../../test/harness/certificates.ts';
import { longestTurn, TURN_LIMIT_MS } from '../../test/harness/event-loop.ts';
import { scaled } from '../../test/harness/slowness.ts';
import { eventually } from '../../test/harness/wait.ts';
import { Transport, type WireRequest } from './transport.ts';

const AT_ONCE = 8;

function requestOf(number: number, lane: WireRequest['lane'] = 'Application'): WireRequest {
  const sharer = { tenant: `namespace-${number}`, target: '' };
  return { method: 'GET', path: '/version', headers: [], timeoutMs: 30_000, lane, sharer };
}

const none = { onHead: () => undefined, onLine: () => undefined };
const many = Array.from({ length: 200 }, (_, number) => number);

/** A server, and a proxy before it, in a thread of their own, so that only the client's share is in our turns. */
async function serveTls(t: TestContext): Promise<{ port: number; proxyUrl: string; ca: string }> {
  const { ca, serverCert: cert, serverKey: key } = await newCertificates(['127.0.0.1']);
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const server = require('node:https').createServer(workerData, (_, response) => response.end('{}'));
    server.listen(0, '127.0.0.1', async () => {
      const { startConnectProxy } = await import(workerData.proxy);
      const { port } = server.address();
      parentPort.postMessage({ port, proxyUrl: (await startConnectProxy(port)).url });
    });`;
  const proxy = new URL('../../test/harness/connect-proxy.ts', import.meta.url).href;
  const worker = new Worker(script, { eval: true, workerData: { cert, key, proxy } });
  t.after(() => worker.terminate());
  const [{ port, proxyUrl }] = await once(worker, 'message');
  return { port, proxyUrl, ca };
}

for (const isProxied of [false, true]) {
  test(`A15: the connections that hundreds of requests and watches need at once${isProxied ? ' through a proxy' : ''} do not hold the event loop`, async (t) => {
    const { port, proxyUrl, ca } = await serveTls(t);
    const transport = new Transport({
      server: `https://127.0.0.1:${port}`,
      proxyUrl: isProxied ? proxyUrl : undefined,
      headers: [],
      tls: { ca },
    });
    t.after(() => transport.destroy());
    const longest = await longestTurn(t, async () => {
      const watches = many.map((number) => transport.stream(requestOf(number), 60_000, none));
      const requests = many.map((number) => transport.exchange(requestOf(number)));
      for (const { status } of await Promise.all([...watches, ...requests])) assert.equal(status, 200);
    });
    assert.ok(longest < scaled(TURN_LIMIT_MS), `${longest} ms`);
  });
}

test('A3: a connection that does not come about holds up others for a second at most, and none that is urgent', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = new Transport({ server: url, proxyUrl: undefined, headers: [], tls: {} });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const sent = many.slice(0, 3 * AT_ONCE).map((number) => transport.exchange(requestOf(number)));
  await eventually(() => sockets.length === AT_ONCE, { describe: 'the first connections' });
  sent.push(transport.exchange(requestOf(0, 'Urgent')));
  await eventually(() => sockets.length > AT_ONCE, { describe: 'the one that is urgent' });
  assert.equal(sockets.length, AT_ONCE + 1);
  await eventually(() => sockets.length === sent.length, { describe: 'the others', within: 9_000 });
  await transport.destroy();
  for (const outcome of await Promise.allSettled(sent)) assert.equal(outcome.status, 'rejected');
});
