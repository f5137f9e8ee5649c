import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { listenAddress } from './listen-address.ts';
import { ProbeServer } from './probes.ts';

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
    const server = new ProbeServer({
      ...address,
      notReady: () => undefined,
      metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
    });
    const port = await server.start();
    t.after(() => server.stop());
    assert.equal((await fetch(`http://${asked}:${port}/livez`)).status, 200);
  });
}

test('what is no address to listen on is told from one', () => {
  for (const text of ['8081', '', ':', '::1:80', '[::1]', '[::1', '127.0.0.1:', '127.0.0.1:65536', 'a:b:1'])
    assert.equal(listenAddress(text), undefined, text);
});
