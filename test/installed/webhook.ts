import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { deliver, webhookDeliveries } from '../harness/webhook-delivery.ts';
import { type Kubectl, SYSTEM } from './in-the-pod.ts';

/** Where pushes are told of: of the container, and of the Service. */
const PORT = 8083;

/** What the chart's values of webhooks make possible. */
export interface Webhooks {
  /** Tells one replica of a push to a repository, as GitHub does; gives the status of the answer. */
  tell(pod: string, repoURL: string): Promise<number>;
  /** Tells the Service, whose replica that gets it nobody knows. */
  tellService(repoURL: string): Promise<number>;
  /** As who does not know the secret. */
  tellForged(repoURL: string): Promise<number>;
}

/** Makes the Secret by which deliveries are signed; to be called before the Pods start, which then know it at once. */
export async function newWebhooks(kubectl: Kubectl): Promise<Webhooks> {
  const secret = randomBytes(32).toString('hex');
  const literal = `--from-literal=github=${secret}`;
  await kubectl(...SYSTEM, 'create', 'secret', 'generic', 'towpath-webhooks', literal);
  const tell = async (address: string, repoURL: string, key = secret) => {
    const { host, pathname } = new URL(repoURL);
    const { GitHub } = webhookDeliveries({ host, path: pathname.slice(1).replace(/\.git$/, '') }, key);
    assert.ok(GitHub !== undefined);
    return (await deliver(`http://${address}:${PORT}`, GitHub)).status;
  };
  const ofService = () =>
    kubectl(...SYSTEM, 'get', 'service', 'towpath-webhooks', '-o', 'jsonpath={.spec.clusterIP}');
  return {
    tell: async (pod, repoURL) => {
      const ip = await kubectl(...SYSTEM, 'get', 'pod', pod, '-o', 'jsonpath={.status.podIP}');
      return tell(ip, repoURL);
    },
    tellService: async (repoURL) => tell(await ofService(), repoURL),
    tellForged: async (repoURL) => tell(await ofService(), repoURL, 'another secret of somebody'),
  };
}
