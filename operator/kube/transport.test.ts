import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { KubeClient } from './client.ts';
import { UnreachableError } from './errors.ts';

/** A server of our own where an API server's behaviour cannot be had, and a client for it. */
async function clientOf(t: TestContext, onRequest: RequestListener): Promise<KubeClient> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const config = {
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${port}/k8s/`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  };
  const client = KubeClient.fromKubeConfig(JSON.stringify(config));
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

test('A8: an answer that never ends is given up at its bound', async (t) => {
  const chunk = Buffer.alloc(2 ** 20, ' ');
  let sent = 0;
  let ended = false;
  const client = await clientOf(t, (_request, response) => {
    response.on('close', () => {
      ended = true;
    });
    const send = () => {
      while (!ended) {
        sent += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', send);
    send();
  });
  const error = await client.getPath('/version').catch((reason: unknown) => reason);
  assert.ok(error instanceof UnreachableError && error.code === 'TooLarge', String(error));
  assert.ok(sent < 256 * 2 ** 20, `${sent} bytes were taken`);
});

test('a server under a path is asked under that path, with its credentials', async (t) => {
  const asked: string[] = [];
  const client = await clientOf(t, (request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.end('{"gitVersion":"v1.30.0","major":"1","minor":"30"}');
  });
  assert.equal((await client.version()).gitVersion, 'v1.30.0');
  assert.deepEqual(asked, ['/k8s/version Bearer t']);
});

test('A7: a closed client ends what is under way and takes nothing new', async (t) => {
  const client = await clientOf(t, () => undefined);
  const pending = client.version().catch((reason: unknown) => reason);
  await client.close();
  assert.ok((await pending) instanceof UnreachableError);
  await assert.rejects(client.version(), /closed/);
  await client.close();
});
