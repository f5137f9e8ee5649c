import { TowpathError } from '../../api/errors.ts';
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
 * for whom it is. In another cluster there are no namespaces of tenants that such a name could meet.
 */
export function landsByLabel({ spec: { cluster, access, namespace } }: Pick<Environment, 'spec'>): boolean {
  if (cluster !== undefined || access?.serviceAccountName === undefined) return false;
  return /\{name(space)?\}/.test(namespace);
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
  const stays = `Environment ${metadata.name} writes nothing there`;
  const elsewhere = 'Let it land elsewhere: spec.namespace of the Environment.';
  if (owner !== undefined)
    return refused(`Namespace ${namespace} is ${owner}: ${stays}, whatever its labels say. ${elsewhere}`);
  if (namespace === tenant || !landsByLabel(environment)) return undefined;
  const known = view.labelsOf(namespace);
  if ('problem' in known)
    return new TowpathError(
      'Time',
      'EnvironmentsUnknown',
      `Namespaces cannot be listed, so that it is not known whether ${namespace} is for Applications of ${tenant}; it is tried again: ${known.problem}`,
    );
  const madeFor = known.labels[LABEL_MANAGED_FOR];
  if (madeFor === tenant) return undefined;
  if (madeFor !== undefined)
    return refused(
      `Namespace ${namespace} is for the Applications of ${madeFor || 'nobody'} (label ${LABEL_MANAGED_FOR}), not for those of ${tenant}: ${stays}. ${elsewhere}`,
    );
  return refused(
    `No label says that namespace ${namespace} is for the Applications of ${tenant}, and its ServiceAccount ${spec.access?.serviceAccountName} may be that of others: ${stays}. If it is meant to: kubectl label namespace ${namespace} ${LABEL_MANAGED_FOR}=${tenant}`,
  );
}

function refused(message: string): TowpathError {
  return new TowpathError('Person', 'NamespaceNotManaged', message);
}
