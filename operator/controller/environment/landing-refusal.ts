import { TowpathError } from '../../api/errors.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import type { Environment } from '../../api/v1alpha1/environment.ts';
import { LABEL_MANAGED_FOR } from '../../api/v1alpha1/names.ts';
import type { KnownLabels } from './namespace-labels.ts';

/** What is known of the namespaces that Applications land in. */
export interface LandingView {
  /** The operator's, at home. */
  readonly ownNamespace: string;
  /** Of a namespace at home. */
  labelsOf(namespace: string): KnownLabels;
}

/** Where Applications of a namespace land. */
export interface Landing {
  readonly namespace: string;
  /** The namespace that the Applications are in. */
  readonly tenant: string;
}

const ELSEWHERE = 'Let it land elsewhere: spec.namespace of the Environment.';

/** Whose a namespace is in which no Application lands by an Environment; undefined: nobody's. */
export function ownerOf(
  namespace: string,
  { ownNamespace }: { /** Undefined: not in that cluster. */ ownNamespace: string | undefined },
): string | undefined {
  if (namespace.startsWith('kube-')) return 'of Kubernetes itself';
  return namespace === ownNamespace ? "the operator's own" : undefined;
}

/**
 * Whether the names that tenants choose decide whose account is acted as: the platform says by a label of the namespace
 * for whom it is. `Here`: of one at home, whose labels are watched. `Elsewhere`: of one in another cluster, which is
 * asked before anything is written there.
 */
export function landsByLabel({
  spec: { cluster, access, namespace },
}: Pick<Environment, 'spec'>): 'Here' | 'Elsewhere' | undefined {
  if (access?.serviceAccountName === undefined || !/\{name(space)?\}/.test(namespace)) return undefined;
  return cluster === undefined ? 'Here' : 'Elsewhere';
}

/** S16: nobody acts as the account of others by the name of a namespace. Managed access looks at the label itself. */
export function landingRefusal(
  environment: Pick<Environment, 'metadata' | 'spec'>,
  { namespace, tenant }: Landing,
  view: LandingView,
): TowpathError | undefined {
  const { metadata, spec } = environment;
  // Who writes Applications in the operator's namespace names accounts of it without an Environment, too.
  const isTheirOwn = namespace === tenant && spec.access?.serviceAccountName !== undefined;
  const ownNamespace = spec.cluster === undefined && !isTheirOwn ? view.ownNamespace : undefined;
  const owner = ownerOf(namespace, { ownNamespace });
  if (owner !== undefined)
    return refused(
      `Namespace ${namespace} is ${owner}: Environment ${metadata.name} writes nothing there, whatever its labels say. ${ELSEWHERE}`,
    );
  if (namespace === tenant || landsByLabel(environment) !== 'Here') return undefined;
  const known = view.labelsOf(namespace);
  if ('problem' in known)
    return new TowpathError(
      'Time',
      'EnvironmentsUnknown',
      `Namespaces cannot be listed, so that it is not known whether ${namespace} is for Applications of ${tenant}; it is tried again: ${known.problem}`,
    );
  const account = spec.access?.serviceAccountName ?? '';
  return labelRefusal(known.labels, { environment: metadata.name, namespace, tenant, account });
}

/** Whose account it would be, and where. */
export interface NamedPlace extends Landing {
  readonly environment: string;
  /** Name of the ServiceAccount. */
  readonly account: string;
}

/** S16: what the labels of the namespace say against acting as its account for the tenant. */
export function labelRefusal(
  labels: Readonly<Record<string, string>>,
  { environment, namespace, tenant, account }: NamedPlace,
): TowpathError | undefined {
  const madeFor = labels[LABEL_MANAGED_FOR];
  const stays = `Environment ${environment} writes nothing there`;
  if (madeFor === tenant) return undefined;
  if (madeFor !== undefined)
    return refused(
      `Namespace ${namespace} is for the Applications of ${madeFor || 'nobody'} (label ${LABEL_MANAGED_FOR}), not for those of ${tenant}: ${stays}. ${ELSEWHERE}`,
    );
  const why = `No label says that namespace ${namespace} is for the Applications of ${tenant}, and its ServiceAccount ${account} may be that of others: ${stays}.`;
  return refused(fitBetween('', why, labelledBy(namespace, tenant)));
}

/** The next step, which stays where the message has to be cut. */
export function labelledBy(namespace: string, tenant: string): string {
  return ` If it is meant to: kubectl label namespace ${namespace} ${LABEL_MANAGED_FOR}=${tenant}`;
}

function refused(message: string): TowpathError {
  return new TowpathError('Person', 'NamespaceNotManaged', message);
}
