import { buildEngine } from '../../hack/build-engine.ts';
import { ApplicationController } from '../../operator/controller/application/controller.ts';
import type { Targets } from '../../operator/controller/application/targets.ts';
import { takeAnswer, watchApplications } from '../../operator/controller/application/watch-applications.ts';
import { Cluster } from '../../operator/controller/cluster/cluster.ts';
import { ManagedAccess } from '../../operator/controller/environment/managed-access.ts';
import { Approvals } from '../../operator/controller/promotion/approvals.ts';
import { NO_COMMANDS } from '../../operator/controller/target/commands-view.ts';
import type { LedgerView } from '../../operator/controller/target/ledger-view.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import type { Slices } from '../../operator/observe/event-loop-slices.ts';
import { newLogger } from '../../operator/observe/log.ts';
import { Renderer } from '../../operator/render/renderer.ts';
import { ChartRepositories } from '../../operator/source/charts/chart-repositories.ts';
import { ChartVersions } from '../../operator/source/charts/chart-versions.ts';
import { Sources } from '../../operator/source/sources.ts';

export interface ControllerInProcess {
  home: KubeClient;
  /** Of the API server that all targets are in; it may be the same. */
  there: KubeClient;
  slices: Slices;
  /** Of the Applications, and of the operator itself. */
  namespace: string;
  installation: string;
  targets: Targets;
  /** Absent: nothing is written down. */
  ledger?: LedgerView;
  /** Takes what goes wrong, as a sentence. */
  tell(text: string): void;
}

const nothing = () => undefined;

/** All that works while a process leads, as Operator wires it, in this process; returns how it is stopped. */
export async function startController({
  home,
  there,
  slices,
  namespace,
  installation,
  targets,
  ledger = { note: nothing, isRecorded: () => true, nameOf: nothing, gone: () => Promise.resolve() },
  tell,
}: ControllerInProcess): Promise<() => Promise<void>> {
  const onFault = (error: unknown) => tell(String(error));
  const cluster = new Cluster({
    client: there,
    onChange: (target) => controller.onTargetChanged(target),
    onKindsChanged: () => controller.onKindsChanged(),
    onDefinitionsChanged: () => controller.onDefinitionsChanged(),
    onFault,
    random: Math.random,
  });
  const sources = new Sources({ allowLoopback: true, slices });
  const renderer = new Renderer({ enginePath: await buildEngine(), slices });
  const charts = new ChartRepositories({
    locate: (chart, index, signal) => renderer.findInIndex(chart, index, signal),
    allowLoopback: true,
    slices,
  });
  const chartVersions = new ChartVersions({ charts, slices });
  const events = new EventRecorder({ client: home, component: 'towpath', instance: 'test', onFault });
  const controller: ApplicationController = new ApplicationController({
    home,
    clusterOf: () => cluster,
    clusters: () => [cluster],
    onUse: nothing,
    isHeld: () => true,
    onApplication: nothing,
    onTargetGone: nothing,
    ledUntil: nothing,
    access: new ManagedAccess({
      home,
      ownNamespace: namespace,
      clusterRoles: ['edit'],
      podSecurity: 'baseline',
      clientOf: () => there,
      onChange: (target) => controller.onTargetChanged(target),
    }),
    approvals: new Approvals({
      client: home,
      namespace,
      policy: 'approvals.towpath.dev',
      log: newLogger('error', 'json', tell),
      onChange: nothing,
      onAdmission: nothing,
      random: Math.random,
    }),
    ledger,
    commands: NO_COMMANDS,
    sources,
    charts,
    chartVersions,
    nameOf: (url) => url,
    renderer,
    events,
    slices,
    namespace,
    installation,
    targets,
    random: Math.random,
    onFault: (application, { message, stack = '' }) => tell(`${application}: ${message} ${stack}`),
    onTold: nothing,
    onUntrustedRecord: (secret, why) => tell(`${secret}: ${why}`),
    takeAnswer: (object) => takeAnswer(applications, object),
    queueObserver: { added: nothing, delayed: nothing, began: nothing, ended: nothing },
    onLooked: nothing,
    onChecked: nothing,
    onVerified: nothing,
    onLong: nothing,
    onAbandoned: (application) => tell(`${application}: abandoned`),
  });
  const applications = watchApplications({
    client: home,
    namespace,
    log: newLogger('error', 'json', tell),
    onEvent: (event) => controller.onEvent(event),
  });
  const leading = new AbortController();
  let stopping: Promise<unknown> | undefined;
  const stop = async () => {
    leading.abort(new Error('the test is over'));
    stopping ??= Promise.allSettled([
      applications.stop(),
      // What is under way looks at the cluster still.
      controller.stop().finally(() => cluster.stop()),
      events.stop(),
      sources.stop(),
      renderer.stop(),
      chartVersions.stop().then(() => charts.stop()),
    ]).then(() => Promise.all([...new Set([home, there])].map((client) => client.close())));
    await stopping;
  };
  try {
    await cluster.start();
    applications.start();
    await applications.whenSynced(leading.signal);
    await controller.lead(leading.signal, 'another, or nobody');
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
