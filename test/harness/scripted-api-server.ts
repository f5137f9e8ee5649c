import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { KubeClient } from '../../operator/kube/client.ts';

/** A server of our own where an API server's behaviour cannot be had, and a client for it. */
export async function clientOf(t: TestContext, onRequest: RequestListener): Promise<KubeClient> {
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
