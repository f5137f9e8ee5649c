import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { addressOf } from '../../operator/manifest/digest.ts';
import { environmentNames, environmentsOf, keyOf } from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';

/**
 * The environment that is meant: the one that was named, or the only one.
 *
 * @throws CommandError where it has none of that name, or several and none was named.
 */
export function environmentMeant(application: Application, name: string | undefined): string {
  const names = environmentNames(application);
  const [only = ''] = names;
  if (name === undefined && names.length === 1) return only;
  if (name === undefined)
    throw new CommandError(
      `Application ${keyOf(application)} has several environments: name one of ${names.join(', ')}.`,
      EXIT.Usage,
    );
  environmentsOf(application, name);
  return name;
}

/** What the target's objects are labelled with where it was installed as the chart does it. */
export function targetIdOf(application: Application, environment: string, operatorNamespace: string): string {
  const { namespace, name } = application.metadata;
  return addressOf(JSON.stringify([`${operatorNamespace}/towpath`, namespace, name, environment]));
}
