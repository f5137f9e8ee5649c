import type { TestContext } from 'node:test';
import type { Cluster } from './cluster.ts';
import { useControlPlane } from './control-plane.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { newStage, type Stage, type StageOptions } from './operator.ts';

/** A stage whose operator talks to the API server through a fault proxy; the test itself talks to it directly. */
export interface ProxiedStage {
  cluster: Cluster;
  proxy: FaultProxy;
  stage: Stage;
}

export async function newProxiedStage(
  t: TestContext,
  options: Omit<StageOptions, 'kubeconfigPath'> = {},
): Promise<ProxiedStage> {
  const cluster = options.cluster ?? (await useControlPlane());
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  const stage = await newStage(t, { ...options, cluster, kubeconfigPath: proxy.kubeconfigPath });
  return { cluster, proxy, stage };
}
