import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { type Environment, namespaceBy } from '../../api/v1alpha1/environment.ts';
import type { Bounds } from '../../manifest/bounds.ts';
import { groupKind } from '../../manifest/manifest.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { Governance } from '../../promote/governance.ts';
import { requiredPolicyGate } from '../../promote/required-policy.ts';
import { fits, isAllowedChartRepository, isAllowedRepository } from '../../source/allowed-repositories.ts';
import type { EnvironmentsView } from './environments.ts';
import { landingRefusal, landsByLabel } from './landing-refusal.ts';
import { MANAGED_ACCOUNT, managedRoleOf } from './managed-objects.ts';

/** Kubernetes' limit for the name of a namespace. */
const NAMESPACE_LIMIT = 63;

/** Where an Application lands, and what its Environment says of that. */
export interface Placement {
  /** Name of the cluster. */
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccountName: string;
  /** What that account is bound to where its access is managed. */
  readonly managedRole: string | undefined;
  /** The account is acted as only where a label of the namespace says so, which its cluster is asked for. */
  readonly landsByLabel: boolean;
  readonly bounds: Bounds;
  /** Why nothing may be written there. */
  readonly refusal: TowpathError | undefined;
  /** Why nothing new may: it requires a policy that has the Application in a stage there. */
  readonly lacksPolicy: BlockedBy | undefined;
  readonly environment: Environment;
}

/** What of an Application decides where it lands, and whether it may. */
type Landing = Pick<Application, 'metadata' | 'spec'>;

/**
 * Where an Application lands that names an Environment. Pure.
 *
 * @param entry without `governance` where it only leaves: whom no policy lets in any more may go all the same. `isNew`: nothing of
 * it is there yet.
 * @throws TowpathError where that is not known, PlacementPending where it is not known yet
 */
export function placementOf(
  application: Landing,
  { name, governance, isNew = false }: { name: string; governance?: Governance; isNew?: boolean },
  environments: EnvironmentsView,
): Placement {
  const environment = readable(name, environments);
  const { access = {} } = environment.spec;
  const namespace = namespaceFor(application, environment);
  const refusal =
    namespaceRefusal(application, environment, environments) ??
    landingRefusal(environment, { namespace, tenant: application.metadata.namespace }, environments) ??
    repositoryRefusal(application, environment) ??
    (isNew ? goingRefusal(environment) : undefined);
  const isRequired = environment.spec.requirePolicy && governance !== undefined;
  return {
    cluster: clusterOf(environment, environments, refusal),
    namespace,
    serviceAccountName: access.serviceAccountName ?? MANAGED_ACCOUNT,
    managedRole: managedRoleOf(environment.spec),
    landsByLabel: namespace !== application.metadata.namespace && landsByLabel(environment) === 'Elsewhere',
    bounds: {
      environment: name,
      namespace,
      clusterScoped: new Set((access.clusterScoped ?? []).map(groupKind)),
      isManaged: access.serviceAccountName === undefined,
    },
    refusal,
    lacksPolicy: isRequired ? requiredPolicyGate(name, governance) : undefined,
    environment,
  };
}

/** It is being found out where an Environment is; there is nothing to tell yet. */
export class PlacementPending extends Error {
  constructor(name: string) {
    super(`It is being found out in which cluster Environment ${name} is.`);
  }
}

/** Who may not land there is told that alone. */
function clusterOf(
  environment: Environment,
  environments: EnvironmentsView,
  refusal: TowpathError | undefined,
): string {
  const whereabouts = environments.whereabouts(environment);
  if (whereabouts.is === 'Known') return whereabouts.cluster;
  if (whereabouts.is === 'Lost') throw refusal ?? whereabouts.error;
  throw new PlacementPending(environment.metadata.name);
}

function readable(name: string, environments: EnvironmentsView): Environment {
  const known = environments.get(name);
  if (known?.environment !== undefined) return known.environment;
  if (known !== undefined)
    throw new TowpathError(
      'Resource',
      'EnvironmentInvalid',
      `Environment ${name} cannot be read; nothing is written there until it is corrected: ${known.errors.join('; ')}`,
    );
  const { problem } = environments;
  if (problem !== undefined)
    throw new TowpathError(
      'Time',
      'EnvironmentsUnknown',
      `Environments cannot be listed, so that it is not known where ${name} is; it is tried again: ${problem}`,
    );
  throw new TowpathError(
    'Resource',
    'EnvironmentNotFound',
    `Environment ${name}, which spec.environments names, does not exist: create it, or name another one; what runs there stays. kubectl get environments lists those that exist.`,
  );
}

function namespaceFor({ metadata }: Landing, { metadata: { name }, spec }: Environment): string {
  const names = { namespace: metadata.namespace, name: metadata.name, environment: name };
  const namespace = namespaceBy(spec.namespace, names);
  if (namespace.length <= NAMESPACE_LIMIT && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace))
    return namespace;
  throw new TowpathError(
    'Person',
    'NamespaceInvalid',
    `Environment ${name} makes ${namespace.slice(0, 80)} of its spec.namespace for this Application, which no namespace can be called: at most ${NAMESPACE_LIMIT} lower-case letters, digits and "-". Name the Application otherwise, or use another Environment.`,
  );
}

/** S2: none is allowed unless it is named, or has the labels. */
function namespaceRefusal(
  { metadata: { namespace } }: Landing,
  { metadata: { name }, spec: { allowedNamespaces, namespaceSelector } }: Environment,
  environments: EnvironmentsView,
): TowpathError | undefined {
  const refusal = `Environment ${name} does not take Applications of namespace ${namespace}: nothing is written, and what runs stays.`;
  if (namespaceSelector === undefined) {
    if ((allowedNamespaces ?? []).some((pattern) => fits(pattern, namespace))) return undefined;
    const next = 'Who runs it can add the namespace to its spec.allowedNamespaces.';
    return new TowpathError('Resource', 'NamespaceNotAllowed', `${refusal} ${next}`, { next });
  }
  const known = environments.labelsOf(namespace);
  if ('problem' in known)
    return new TowpathError(
      'Time',
      'EnvironmentsUnknown',
      `Namespaces cannot be listed, so that it is not known whether Environment ${name} takes Applications of ${namespace}; it is tried again: ${known.problem}`,
    );
  const lacking = Object.entries(namespaceSelector.matchLabels ?? {}).filter(
    ([label, value]) => known.labels[label] !== value,
  );
  if (lacking.length === 0) return undefined;
  const labels = lacking.map(([label, value]) => `${label}=${value}`).join(' ');
  const next = `If it is meant to: kubectl label namespace ${namespace} ${labels}`;
  return new TowpathError('Resource', 'NamespaceNotAllowed', `${refusal} ${next}`, { next });
}

/** What came by now would keep it from going, or be left without it. */
function goingRefusal({ metadata: { name, deletionTimestamp } }: Environment): TowpathError | undefined {
  if (deletionTimestamp === undefined) return undefined;
  return new TowpathError(
    'Resource',
    'EnvironmentNotFound',
    `Environment ${name} is being deleted, and takes nothing new: name another one in spec.environments. One that is made under this name afterwards is noticed at once.`,
  );
}

function repositoryRefusal(
  { spec: { source, helm } }: Landing,
  { metadata: { name }, spec }: Environment,
): TowpathError | undefined {
  const foreign = foreignRepository(source, helm?.chart, spec.allowedRepositories);
  if (foreign === undefined) return undefined;
  return new TowpathError(
    'Resource',
    'RepositoryNotAllowed',
    `Environment ${name} takes nothing from the repository in ${foreign}: nothing is written, and what runs stays. Who runs it can add the repository to its spec.allowedRepositories.`,
  );
}

/** The field that names what is not allowed: either has to be. */
function foreignRepository(
  source: Landing['spec']['source'],
  chart: NonNullable<Landing['spec']['helm']>['chart'],
  allowed: readonly string[] | undefined,
): string | undefined {
  if (allowed === undefined) return undefined;
  if (source !== undefined && !isAllowedRepository(allowed, source.repoURL)) return 'spec.source.repoURL';
  if (chart !== undefined && !isAllowedChartRepository(allowed, chart.repoURL, chart.name))
    return 'spec.helm.chart.repoURL';
  return undefined;
}
