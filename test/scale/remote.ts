import type { TestContext } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { inParallel } from '../bench/applications.ts';
import type { StagedEnvironment } from '../harness/environments.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, type Stage } from '../harness/operator.ts';
import { newAccount, storeKubeConfig, useOtherCluster } from '../harness/other-cluster.ts';
import { eventually } from '../harness/wait.ts';

const LANES = 16;

/** A way to the other cluster through a proxy of its own, with an account there, stored as that Secret. */
export async function newLink(
  t: TestContext,
  stage: Stage,
  secret: string,
  roles?: readonly string[],
): Promise<FaultProxy> {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const token = await newAccount(other, `${stage.namespace}-${secret}`, roles);
  await storeKubeConfig(stage, secret, proxy.kubeConfigFor(token));
  return proxy;
}

/** Applications `<prefix>-<index>` of the chart in `chart`, in these Environments. */
export async function deployFleet(
  stage: Stage,
  { prefix, count }: { prefix: string; count: number },
  environments: readonly Pick<StagedEnvironment, 'name'>[],
): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  await inParallel(names, LANES, (name) =>
    stage.application(name, {
      source: { path: 'chart', interval: '1h' },
      environments: environments.map(({ name }) => ({ name })),
      deletionPolicy: 'Orphan',
    }),
  );
}

export async function applicationsOf({ cluster, namespace }: Stage): Promise<Application[]> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/applications`;
  const { body } = await cluster.request('GET', path);
  return (JSON.parse(body) as { items: Application[] }).items;
}

/** Waits until so many Applications with that prefix are Ready for that reason; milliseconds that it took. */
export async function untilAll(
  stage: Stage,
  { prefix, count }: { prefix: string; count: number },
  reason: string,
): Promise<number> {
  const began = performance.now();
  let last = 0;
  await eventually(
    async () => {
      const all = await applicationsOf(stage);
      last = all.filter(
        (one) =>
          one.metadata.name.startsWith(`${prefix}-`) &&
          conditionOf(one, 'Ready')?.reason === reason &&
          one.status?.observedGeneration === one.metadata.generation,
      ).length;
      return last >= count;
    },
    { every: 500, within: 300_000, describe: `${count} Applications to say ${reason}` },
  );
  return Math.round(performance.now() - began);
}

/** How often a status was written since the proxy forgot. */
export function statusWrites(proxy: FaultProxy): number {
  return proxy.find({ verb: 'patch', path: /\/status$/ }).length;
}
