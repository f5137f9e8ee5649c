import { createHmac, randomBytes } from 'node:crypto';
import { type Kubectl, SYSTEM } from './in-the-pod.ts';

/** Where pushes are told of: of the container, and of the Service. */
const PORT = 8083;

/** What the chart's values of webhooks make possible. */
export interface Webhooks {
  /** Tells one replica of a push to a repository, as a Git server does; gives the status of the answer. */
  tell(pod: string, repoURL: string): Promise<number>;
  /** Tells the Service, whose replica that gets it nobody knows. */
  tellService(repoURL: string): Promise<number>;
  /** As who does not know the secret. */
  tellForged(repoURL: string): Promise<number>;
}

/** Makes the Secret by which deliveries are signed; to be called before the Pods start, which then know it at once. */
export async function newWebhooks(kubectl: Kubectl): Promise<Webhooks> {
  const secret = randomBytes(32).toString('hex');
  const literal = `--from-literal=generic=${secret}`;
  await kubectl(...SYSTEM, 'create', 'secret', 'generic', 'towpath-webhooks', literal);
  const deliver = async (address: string, repository: string, key = secret) => {
    const body = JSON.stringify({ repository });
    const signature = createHmac('sha256', key).update(body).digest('hex');
    const headers = { 'x-signature': `sha256=${signature}` };
    const url = `http://${address}:${PORT}/generic`;
    return (await fetch(url, { method: 'POST', body, headers })).status;
  };
  const ofService = () =>
    kubectl(...SYSTEM, 'get', 'service', 'towpath-webhooks', '-o', 'jsonpath={.spec.clusterIP}');
  return {
    tell: async (pod, repoURL) => {
      const ip = await kubectl(...SYSTEM, 'get', 'pod', pod, '-o', 'jsonpath={.status.podIP}');
      return deliver(ip, repoURL);
    },
    tellService: async (repoURL) => deliver(await ofService(), repoURL),
    tellForged: async (repoURL) => deliver(await ofService(), repoURL, 'another secret of somebody'),
  };
}
