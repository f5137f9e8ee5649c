import type { Application } from '../../operator/api/v1alpha1/application.ts';
import type { LedgerEntry } from '../../operator/api/v1alpha1/ledger.ts';
import { environmentNames } from '../application.ts';
import { CommandError } from '../exit-codes.ts';
import { known } from '../text/known.ts';
import { deploymentsByTarget } from './at.ts';

/**
 * Environments by Application: of those that there are in a namespace, and of those that were, as far as they are recorded.
 * Undefined: of one whose status cannot be read.
 */
export type Names = ReadonlyMap<string, ReadonlySet<string> | undefined>;

/** @param unread names of Applications that cannot be read */
export function namesOf(
  entries: readonly LedgerEntry[],
  { applications, unread }: { applications: readonly Application[]; unread: readonly string[] },
): Names {
  const names = new Map<string, Set<string> | undefined>();
  const add = (application: string, environments: readonly string[]) =>
    names.set(application, new Set([...(names.get(application) ?? []), ...environments]));
  for (const target of deploymentsByTarget(entries).keys()) {
    const [application = '', environment = ''] = target.split('/');
    add(application, [environment]);
  }
  for (const one of applications) add(one.metadata.name, environmentNames(one));
  for (const name of unread) names.set(name, undefined);
  return names;
}

/**
 * What is there no more has the name that its records have; a name that nothing has is a mistake.
 *
 * @throws CommandError with the names that there are
 */
export function refuseUnknown(
  {
    names,
    seesArchive,
    seesApplications,
  }: {
    names: Names;
    seesArchive: boolean;
    seesApplications: boolean;
  },
  {
    namespace,
    application,
    environment,
    operatorNamespace,
  }: {
    namespace: string;
    application: string | undefined;
    environment: string | undefined;
    operatorNamespace: string;
  },
): void {
  // A name in no record may be one of those that could not be listed.
  if (application === undefined || !seesApplications) return;
  const more = seesArchive
    ? ''
    : ` The archive in namespace ${operatorNamespace} cannot be read with your rights: of what was deleted it may have records.`;
  const are = (all: Iterable<string>) => `those that there are, or were: ${known([...all].sort())}.${more}`;
  if (!names.has(application))
    throw new CommandError(
      `There is no Application ${application} in namespace ${namespace}, nor a record of one; ${are(names.keys())}`,
    );
  const environments = names.get(application);
  if (environment !== undefined && environments !== undefined && !environments.has(environment))
    throw new CommandError(
      `Application ${namespace}/${application} has no environment ${environment}, nor a record of one; ${are(environments)}`,
    );
}
