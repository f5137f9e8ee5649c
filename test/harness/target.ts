import {
  type EnvironmentStatus,
  environmentOf as environmentNamed,
} from '../../operator/api/v1alpha1/application.ts';
import { isPlaced, Targets } from '../../operator/controller/application/targets.ts';
import type { EnvironmentsView } from '../../operator/controller/environment/environments.ts';
import { applicationSecret } from '../../operator/controller/record/secrets.ts';
import { HOME, type SpecifiedTarget, type Target } from '../../operator/controller/record/target.ts';

/** A cluster in which there are no Environments. */
export const NO_ENVIRONMENTS: EnvironmentsView = {
  problem: undefined,
  get: () => undefined,
  ownNamespace: 'towpath-system',
  doubt: () => undefined,
  labelsOf: () => ({ labels: {} }),
  whereabouts: () => ({ is: 'Known', cluster: HOME }),
};

/** The only target of an Application that names no environment. */
export function onlyTarget(specified: readonly SpecifiedTarget[]): Target {
  const placed = specified.filter(isPlaced);
  const [target] = placed;
  if (target === undefined || placed.length > 1) throw new Error(`there are ${placed.length} targets, not 1`);
  return target;
}

/** What a status tells of the environment that an Application has that names none. */
export function environmentOf<Environment extends Pick<EnvironmentStatus, 'name'>>(
  status: { environments?: Environment[] | undefined } | undefined,
): Environment | undefined {
  return environmentNamed(status, 'default');
}

/** Id of the target that a stage's operator has for an Application that names no environment. */
export function targetIdOf({ namespace }: { namespace: string }, application: string): string {
  const installation = `${namespace}/towpath`;
  const targets = new Targets({ installation, impersonate: true, environments: NO_ENVIRONMENTS });
  return targets.named(`${namespace}/${application}`).id;
}

/** Name of the Secret in which a stage's operator keeps an Application's record and that of its first target. */
export function recordSecretOf({ namespace }: { namespace: string }, application: string): string {
  return applicationSecret(`${namespace}/towpath`, `${namespace}/${application}`);
}
