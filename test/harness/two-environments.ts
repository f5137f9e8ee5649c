import type { TestContext } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { ApplicationController } from '../../operator/controller/application/controller.ts';
import { Targets } from '../../operator/controller/application/targets.ts';
import { takeAnswer, watchApplications } from '../../operator/controller/application/watch.ts';
import { Cluster as TargetCluster } from '../../operator/controller/cluster/cluster.ts';
import type { TargetIdentity } from '../../operator/controller/record/target.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { newLogger } from '../../operator/observe/log.ts';
import { Renderer } from '../../operator/render/renderer.ts';
import { Sources } from '../../operator/source/sources.ts';

export const ENVIRONMENTS = ['staging', 'prod'] as const;

/** Each Application has the same two targets in its own namespace: each is the folder that is called like it. */
class TwoTargets extends Targets {
  override named(application: string) {
    const [identity] = super.named(application);
    const [first, second] = ENVIRONMENTS;
    return [inEnvironment(identity, first), inEnvironment(identity, second)] as const;
  }

  override of(application: Application) {
    const [target] = super.of(application);
    const [first, second] = ENVIRONMENTS.map((environment) => ({
      ...inEnvironment(target, environment),
      overlay: { path: environment, valuesFiles: [] },
    }));
    if (first === undefined || second === undefined) throw new Error('there are two environments');
    return [first, second] as const;
  }
}

/** The id ends with the first letter of the environment, so that tests can tell whose an object is. */
function inEnvironment<Identity extends TargetIdentity>(identity: Identity, environment: string): Identity {
  const id = identity.id.slice(0, -1) + (environment === 'staging' ? 'a' : 'b');
  return { ...identity, id, environment, name: `${identity.application}/${environment}` };
}

const SILENT = {
  added: () => undefined,
  delayed: () => undefined,
  began: () => undefined,
  ended: () => undefined,
};

/** The operator's controller in this process, whose Applications have two targets each; it leads from the start. */
export async function startWithTwoEnvironments(
  t: TestContext,
  { kubeconfigPath, namespace }: { kubeconfigPath: string; namespace: string },
): Promise<{ stop(): Promise<void> }> {
  const slices = new Slices();
  const client = KubeClient.fromKubeConfig(kubeconfigPath, { slices });
  const onFault = (error: unknown) => t.diagnostic(String(error));
  const cluster = new TargetCluster({
    client,
    onChange: (target) => controller.onTargetChanged(target),
    onKindsChanged: () => controller.onKindsChanged(),
    onDefinitionsChanged: () => controller.onDefinitionsChanged(),
    onFault,
    random: Math.random,
  });
  const sources = new Sources({ allowLoopback: true, slices });
  const renderer = new Renderer({ enginePath: await buildEngine(), slices });
  const events = new EventRecorder({ client, component: 'towpath', instance: 'test', onFault });
  const controller: ApplicationController = new ApplicationController({
    home: client,
    clusterOf: () => cluster,
    sources,
    nameOf: (url) => url,
    renderer,
    events,
    slices,
    namespace,
    installation: `${namespace}/towpath`,
    targets: new TwoTargets({ installation: `${namespace}/towpath`, impersonate: true }),
    random: Math.random,
    onFault: (application, { message, stack = '' }) => t.diagnostic(`${application}: ${message} ${stack}`),
    onTold: () => undefined,
    onUntrustedRecord: (record) => t.diagnostic(JSON.stringify(record)),
    takeAnswer: (object) => takeAnswer(applications, object),
    queueObserver: SILENT,
    onLooked: () => undefined,
    onLong: () => undefined,
    onAbandoned: (application) => t.diagnostic(`${application}: abandoned`),
  });
  const log = newLogger('error', 'json', (line) => t.diagnostic(line));
  const applications = watchApplications({
    client,
    namespace,
    log,
    onEvent: (event) => controller.onEvent(event),
  });
  const stopped = new AbortController();
  let stopping: Promise<unknown> | undefined;
  const stop = async () => {
    stopped.abort(new Error('stopped'));
    stopping ??= Promise.allSettled([
      applications.stop(),
      controller.stop().finally(() => cluster.stop()),
      events.stop(),
      sources.stop(),
      renderer.stop(),
    ]).then(() => client.close());
    await stopping;
  };
  t.after(stop);
  await cluster.start();
  applications.start();
  await applications.whenSynced(stopped.signal);
  await controller.lead(stopped.signal);
  return { stop };
}
