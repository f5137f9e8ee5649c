import type { TestContext } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { requestFor } from '../../operator/api/v1alpha1/environment-request.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import { Targets } from '../../operator/controller/application/targets.ts';
import type { TargetIdentity } from '../../operator/controller/record/target.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { startController } from './controller-in-process.ts';
import { NO_ENVIRONMENTS, onlyTarget } from './target.ts';

export const ENVIRONMENTS = ['staging', 'prod'] as const;

export type Environment = (typeof ENVIRONMENTS)[number];

/** Where a target lands, and what of the repository it is. */
export interface Place {
  namespace?: string;
  path?: string;
}

/** Each Application has the same two targets: unless `places` says otherwise, in its own namespace the folder called like it. */
class TwoTargets extends Targets {
  readonly #places: Partial<Record<Environment, Place>>;

  constructor(installation: string, places: Partial<Record<Environment, Place>>) {
    super({ installation, impersonate: true, environments: NO_ENVIRONMENTS });
    this.#places = places;
  }

  override named(application: string, environment: string = ENVIRONMENTS[0]) {
    return inEnvironment(super.named(application), environment);
  }

  override of(application: Application) {
    const target = onlyTarget(super.of(application));
    const asked = application.metadata.annotations[ANNOTATION_SYNC_REQUESTED];
    return ENVIRONMENTS.map((environment) => {
      const { namespace = target.namespace, path = environment } = this.#places[environment] ?? {};
      return {
        ...inEnvironment(target, environment),
        namespace,
        overlay: { ...target.overlay, path },
        settings: { ...target.settings, request: requestFor(asked, environment) },
      };
    });
  }
}

/** The id ends with the first letter of the environment, so that tests can tell whose an object is. */
function inEnvironment<Identity extends TargetIdentity>(identity: Identity, environment: string): Identity {
  const id = identity.id.slice(0, -1) + (environment === 'staging' ? 'a' : 'b');
  return { ...identity, id, environment, name: `${identity.application}/${environment}` };
}

/** The operator's controller in this process, whose Applications have two targets each; it leads from the start. */
export async function startWithTwoEnvironments(
  t: TestContext,
  {
    kubeconfigPath,
    namespace,
    places = {},
  }: { kubeconfigPath: string; namespace: string; places?: Partial<Record<Environment, Place>> },
): Promise<{ stop(): Promise<void> }> {
  const slices = new Slices();
  const client = KubeClient.fromKubeConfig(kubeconfigPath, { slices });
  const installation = `${namespace}/towpath`;
  const stop = await startController({
    home: client,
    there: client,
    slices,
    namespace,
    installation,
    targets: new TwoTargets(installation, places),
    tell: (text) => t.diagnostic(text),
  });
  t.after(stop);
  return { stop };
}
