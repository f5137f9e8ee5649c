import { after } from 'node:test';
import { KubeClient } from '../../operator/kube/client.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { useControlPlane } from './use-control-plane.ts';

/** A client that reaches the shared control plane through a fault proxy, for all tests of the file that calls this. */
export async function proxiedClient(): Promise<{ proxy: FaultProxy; client: KubeClient }> {
  const proxy = await startFaultProxy(await useControlPlane());
  const client = KubeClient.fromKubeConfig(proxy.kubeConfigText);
  after(async () => {
    await client.close();
    await proxy.stop();
  });
  return { proxy, client };
}
