import type { TestContext } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { ApplicationController } from '../../operator/controller/application/controller.ts';
import { Targets } from '../../operator/controller/application/targets.ts';
import { takeAnswer, watchApplications } from '../../operator/controller/application/watch.ts';
import { Cluster } from '../../operator/controller/cluster/cluster.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { WriteGate } from '../../operator/kube/write-gate.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { newLogger } from '../../operator/observe/log.ts';
import { Renderer } from '../../operator/render/renderer.ts';
import { Sources } from '../../operator/source/sources.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { newStage, type Stage, type StageOptions } from './operator.ts';

/** An operator in this process whose Applications are at one API server, and their objects at another one. */
export interface TwoClusters {
  stage: Stage;
  home: FaultProxy;
  /** Where the targets are. Behind both proxies is the same API server: what tells them apart is who was asked. */
  other: FaultProxy;
}

const nothing = () => undefined;

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
  const stop = await startController(stage, home, other);
  t.after(async () => {
    await stop();
    await Promise.all([home.stop(), other.stop()]);
  });
  return { stage, home, other };
}

/** All that works while a process leads, as Operator wires it; returns how it is stopped. */
async function startController(
  { namespace }: Stage,
  home: FaultProxy,
  other: FaultProxy,
): Promise<() => Promise<void>> {
  const installation = `${namespace}/towpath`;
  const gate = new WriteGate(() => true);
  const slices = new Slices();
  const [client, there] = [home, other].map((proxy) =>
    KubeClient.fromKubeConfig(proxy.kubeConfigText, { gate, slices }),
  ) as [KubeClient, KubeClient];
  const log = newLogger('silent', 'json');
  const sources = new Sources({ allowLoopback: true, slices });
  const renderer = new Renderer({ enginePath: await buildEngine(), slices });
  const events = new EventRecorder({ client, component: 'towpath', instance: 'test', onFault: nothing });
  const cluster = new Cluster({
    client: there,
    onChange: (target) => controller.onTargetChanged(target),
    onKindsChanged: () => controller.onKindsChanged(),
    onDefinitionsChanged: () => controller.onDefinitionsChanged(),
    onFault: nothing,
    random: Math.random,
  });
  const controller: ApplicationController = new ApplicationController({
    home: client,
    clusterOf: () => cluster,
    sources,
    nameOf: (url) => url,
    renderer,
    events,
    slices,
    namespace,
    installation,
    targets: new Targets({ installation, impersonate: true }),
    random: Math.random,
    onFault: nothing,
    onUntrustedRecord: nothing,
    onTold: nothing,
    takeAnswer: (object) => takeAnswer(applications, object),
    queueObserver: { added: nothing, delayed: nothing, began: nothing, ended: nothing },
    onLooked: nothing,
    onLong: nothing,
    onAbandoned: nothing,
  });
  const applications = watchApplications({
    client,
    namespace,
    log,
    onEvent: (event) => controller.onEvent(event),
  });
  const leading = new AbortController();
  await cluster.start();
  applications.start();
  await applications.whenSynced(leading.signal);
  await controller.lead(leading.signal);
  return async () => {
    leading.abort(new Error('the test is over'));
    await controller.stop();
    await Promise.all([applications.stop(), cluster.stop(), events.stop(), sources.stop(), renderer.stop()]);
    await Promise.all([client.close(), there.close()]);
  };
}
