import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { Environment } from '../../operator/api/v1alpha1/environment.ts';
import { CLUSTER_REASONS } from '../../operator/api/v1alpha1/reasons/cluster.ts';
import { isLookedAt } from '../application.ts';
import { frozenText } from '../text/frozen.ts';

/** Reasons for which nothing is written there, whatever a commit has: its Environment, or its cluster, does not let it. */
const OF_THE_PLACE: ReadonlySet<string> = new Set([
  ...Object.keys(CLUSTER_REASONS),
  'ClusterRoleNotListed',
  'ClusterUnreachable',
  'EnvironmentInvalid',
  'EnvironmentsUnknown',
  'HostNotListed',
  'NamespaceInvalid',
  'NamespaceNotAllowed',
  'NamespaceNotManaged',
  'NoPolicy',
  'PoliciesUnknown',
  'PolicyContested',
  'RepositoryNotAllowed',
  'SamePlace',
]);

/** What an Environment says itself, in sentences. */
export function stopsOf({ metadata: { name }, spec, status }: Environment): string[] {
  const { frozenUntil } = status ?? {};
  return [
    ...(spec.suspend ? [`Environment ${name} is suspended: nothing is written there.`] : []),
    ...(frozenUntil === undefined ? [] : [frozenText(name, frozenUntil)]),
  ];
}

/**
 * Why a sync would not bring there what is rendered here, as status and Environment say it, in sentences. What a gate says of
 * another commit is not among them.
 */
export function inTheWay(
  application: Application,
  { environment, stops }: { readonly environment: string; readonly stops: readonly string[] },
): string[] {
  const { sync, message, blockedBy = [] } = environmentOf(application.status, environment) ?? {};
  // What the status says of the spec before may be over.
  if (!isLookedAt(application)) return [...stops];
  const refusals = blockedBy.flatMap(({ reason, message: why }) =>
    OF_THE_PLACE.has(reason) ? [`A sync would write nothing in ${environment}: ${why}`] : [],
  );
  const isHeld = sync === 'Held' && message !== undefined;
  return [...stops, ...refusals, ...(isHeld ? [`Nothing new enters ${environment}: ${message}`] : [])];
}
