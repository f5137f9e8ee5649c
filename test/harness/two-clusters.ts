import type { TestContext } from 'node:test';
import { Targets } from '../../operator/controller/application/targets.ts';
import { Ledger } from '../../operator/controller/promotion/ledger.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { WriteGate } from '../../operator/kube/write-gate.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { newLogger } from '../../operator/observe/log.ts';
import { startController } from './controller-in-process.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { newStage, type Stage, type StageOptions } from './operator.ts';
import { NO_ENVIRONMENTS } from './target.ts';

/** An operator in this process whose Applications are at one API server, and their objects at another one. */
export interface TwoClusters {
  stage: Stage;
  home: FaultProxy;
  /** Where the targets are. Behind both proxies is the same API server: what tells them apart is who was asked. */
  other: FaultProxy;
}

export interface TwoClustersOptions extends Omit<StageOptions, 'startOperator' | 'kubeconfigPath'> {
  /** How far the clock at home is ahead of the other one, in milliseconds. */
  homeAheadMs?: number;
}

export async function newTwoClusters(
  t: TestContext,
  { homeAheadMs = 0, ...options }: TwoClustersOptions = {},
): Promise<TwoClusters> {
  const stage = await newStage(t, { ...options, startOperator: false });
  const home = await startFaultProxy(stage.cluster);
  const other = await startFaultProxy(stage.cluster);
  home.setClockAhead(homeAheadMs);
  const { namespace } = stage;
  const installation = `${namespace}/towpath`;
  const slices = new Slices();
  const gate = new WriteGate(() => true);
  const clientOf = (proxy: FaultProxy) => KubeClient.fromKubeConfig(proxy.kubeConfigText, { gate, slices });
  const client = clientOf(home);
  const ledger = new Ledger({
    client,
    log: newLogger('error', 'json'),
    onGone: () => Promise.resolve(),
    onEnded: () => undefined,
    onWritable: () => undefined,
    now: () => client.now(),
    random: Math.random,
  });
  const stop = await startController({
    home: client,
    ledger,
    there: clientOf(other),
    slices,
    namespace,
    installation,
    targets: new Targets({ installation, impersonate: true, environments: NO_ENVIRONMENTS }),
    // Its tests look at what the status says.
    tell: () => undefined,
  });
  t.after(async () => {
    ledger.follow();
    await stop();
    await Promise.all([home.stop(), other.stop()]);
  });
  return { stage, home, other };
}
