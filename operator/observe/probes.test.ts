import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { Gauge, Registry } from 'prom-client';
import { HttpServer } from './http-server.ts';
import { listenAddress } from './listen-address.ts';
import { answerMetrics } from './metrics-answer.ts';
import { answerProbes } from './probes.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ family }) => family === 'IPv6'),
);

for (const [text, asked] of [
  ['127.0.0.1:0', '127.0.0.1'],
  ['localhost:0', 'localhost'],
  [':0', '127.0.0.1'],
  ['[::]:0', '127.0.0.1'],
  ['[::1]:0', '[::1]'],
] as const) {
  const needsIpv6 = text.startsWith('[') && !hasIpv6;
  test(`the probes are served on ${text}`, {
    skip: needsIpv6 && 'this machine has no IPv6',
  }, async (t) => {
    const address = listenAddress(text);
    assert.ok(address !== undefined);
    const server = new HttpServer(
      address,
      answerProbes(() => undefined),
    );
    const port = await server.start();
    t.after(() => server.stop());
    assert.equal((await fetch(`http://${asked}:${port}/livez`)).status, 200);
  });
}

test('what is no address to listen on is told from one', () => {
  for (const text of ['8081', '', ':', '::1:80', '[::1]', '[::1', '127.0.0.1:', '127.0.0.1:65536', 'a:b:1'])
    assert.equal(listenAddress(text), undefined, text);
});

test('each server answers for its own purpose only, and ends who sends nothing', async (t) => {
  const address = { host: '127.0.0.1', port: 0 };
  const ask = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const registry = new Registry();
  new Gauge({ name: 'towpath_test', help: 'A test.', registers: [registry] }).set(7);
  const probes = new HttpServer(
    address,
    answerProbes(() => 'Not yet.'),
  );
  const metrics = new HttpServer(
    address,
    answerMetrics(() => registry.metrics()),
    {
      requestTimeout: 300,
      headersTimeout: 300,
    },
  );
  const [probePort, metricsPort] = [await probes.start(), await metrics.start()];
  t.after(() => Promise.all([probes.stop(), metrics.stop()]));
  const unready = await ask(probePort, '/readyz');
  assert.deepEqual([unready.status, await unready.text()], [503, 'Not yet.\n']);
  assert.equal((await ask(probePort, '/metrics')).status, 404);
  assert.match(await (await ask(metricsPort, '/metrics')).text(), /^towpath_test 7$/m);
  assert.equal((await ask(metricsPort, '/livez')).status, 404);
  const silent = connect(metricsPort, '127.0.0.1').resume();
  await once(silent, 'close', { signal: AbortSignal.timeout(10_000) });
});
