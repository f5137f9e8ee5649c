import {
  type EnvironmentStatus,
  environmentOf as environmentNamed,
} from '../../operator/api/v1alpha1/application.ts';
import { Targets } from '../../operator/controller/application/targets.ts';
import { applicationSecret } from '../../operator/controller/record/secrets.ts';

/** What a status tells of the environment that an Application has that names none. */
export function environmentOf<Environment extends Pick<EnvironmentStatus, 'name'>>(
  status: { environments?: Environment[] | undefined } | undefined,
): Environment | undefined {
  return environmentNamed(status, 'default');
}

/** Id of the target that a stage's operator has for an Application that names no environment. */
export function targetIdOf({ namespace }: { namespace: string }, application: string): string {
  const targets = new Targets({ installation: `${namespace}/towpath`, impersonate: true });
  const [{ id }] = targets.named(`${namespace}/${application}`);
  return id;
}

/** Name of the Secret in which a stage's operator keeps an Application's record and that of its first target. */
export function recordSecretOf({ namespace }: { namespace: string }, application: string): string {
  return applicationSecret(`${namespace}/towpath`, `${namespace}/${application}`);
}
