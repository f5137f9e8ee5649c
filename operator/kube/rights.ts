import definitions from '../api/v1alpha1/definitions.json' with { type: 'json' };
import { GROUP } from '../api/v1alpha1/names.ts';

/** A rule of the operator's own roles, and why it is there. */
export interface Right {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  /** Of these objects alone. */
  resourceNames?: readonly string[];
  /** One sentence; it stands in the chart beside the rule, and in the docs. */
  why: string;
}

/**
 * What the operator does as itself where the Applications are: in the namespace that it watches, or in all. Everything
 * that it does for an Application it does as the Application's ServiceAccount (S1). The chart's roles are generated
 * from these lists, and the integration tests run with exactly these.
 */
export const WATCHED_RIGHTS: readonly Right[] = [
  {
    apiGroups: ['towpath.dev'],
    resources: ['applications'],
    verbs: ['get', 'list', 'watch', 'patch'],
    why: 'The Applications; patched is the finalizer alone, and got one whose values have integers beyond 2^53, or that somebody else wrote meanwhile.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['applications/status'],
    verbs: ['patch'],
    why: 'Their status.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['approvals'],
    verbs: ['list', 'watch', 'delete'],
    why: 'What people say to manifests that wait; deleted are old ones that were used, and no others: the admission policy sees to that.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['approvals/status'],
    verbs: ['patch'],
    why: 'That a deployment entered by it; none is made or changed.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['promotions'],
    verbs: ['get', 'list', 'watch', 'create', 'delete'],
    why: 'One for each deployment, as its record, and those by which people ask for something; deleted are old ones, when the archive has them.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['promotions/status'],
    verbs: ['patch'],
    why: 'What becomes of them.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['promotionpolicies'],
    verbs: ['list', 'watch'],
    why: 'In which order their environments get what is new.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['promotionpolicies/status'],
    verbs: ['patch'],
    why: 'Their status.',
  },
  {
    apiGroups: [''],
    resources: ['secrets', 'configmaps'],
    verbs: ['list', 'watch'],
    why: 'Those that an Application names in its own namespace: Git credentials and values. Each is watched by its name.',
  },
  {
    apiGroups: ['events.k8s.io'],
    resources: ['events'],
    verbs: ['create', 'patch'],
    why: 'Events about Applications.',
  },
];

/** What it does besides with what stands in no namespace. */
export const CLUSTER_RIGHTS: readonly Right[] = [
  {
    apiGroups: ['towpath.dev'],
    resources: ['environments'],
    verbs: ['get', 'list', 'watch', 'patch'],
    why: 'Where Applications may land; patched is the finalizer of one that is used, and got one whose values have integers beyond 2^53.',
  },
  {
    apiGroups: ['towpath.dev'],
    resources: ['environments/status'],
    verbs: ['patch'],
    why: 'Their status.',
  },
  {
    apiGroups: [''],
    resources: ['serviceaccounts', 'namespaces'],
    verbs: ['get'],
    why: 'Whether the ServiceAccount of a target is missing or may too little; whether its namespace is being deleted.',
  },
  {
    apiGroups: ['apiextensions.k8s.io'],
    resources: ['customresourcedefinitions'],
    verbs: ['get', 'list', 'watch'],
    why: 'Kinds that appear, change and go, and whether the definition of the Application itself is being deleted.',
  },
  {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterroles'],
    verbs: ['list', 'watch'],
    why: 'Those of other installations: none may look after the same Applications.',
  },
];

const DEFINITIONS = definitions.map(({ metadata }) => metadata.name);

/**
 * Definitions that the leader makes where they are missing, as after an upgrade from a release that had no such kind.
 * Without that of the Application nobody leads, and who deletes it means it.
 */
export const MADE_DEFINITIONS: readonly string[] = DEFINITIONS.filter(
  (name) => name !== `applications.${GROUP}`,
);

/** The same with --upgrade-definitions. */
export const UPGRADE_RIGHTS: readonly Right[] = [
  {
    apiGroups: ['apiextensions.k8s.io'],
    resources: ['customresourcedefinitions'],
    resourceNames: DEFINITIONS,
    verbs: ['patch'],
    why: 'Its own definitions, brought up to its version. None is deleted.',
  },
  {
    apiGroups: ['apiextensions.k8s.io'],
    resources: ['customresourcedefinitions'],
    resourceNames: MADE_DEFINITIONS,
    // A server-side apply that creates is allowed by its name; a POST never is.
    verbs: ['create'],
    why: 'Those of kinds that an older release did not have, which Helm installs in no upgrade.',
  },
];

/**
 * The same for Environments that have their access managed, which is made with the operator's own rights. What it makes
 * has one name in each namespace, so that nothing of another name can be made by it. The verb `bind`, on the ClusterRoles
 * that the chart lists, stands in the chart's template.
 */
export const MANAGED_RIGHTS: readonly Right[] = [
  {
    apiGroups: [''],
    resources: ['namespaces'],
    verbs: ['create'],
    why: 'Those that Environments land in, with the labels that say for whom, and which Pods they take. None is changed or deleted.',
  },
  {
    apiGroups: [''],
    resources: ['serviceaccounts'],
    resourceNames: ['towpath'],
    verbs: ['create', 'patch'],
    why: 'The account of managed access, in each of them. Server-side apply tells the name of what it creates.',
  },
  {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['rolebindings'],
    resourceNames: ['towpath-managed'],
    verbs: ['get', 'create', 'patch', 'delete'],
    why: 'Its binding to a ClusterRole. Deleted is one whose role is another by now: a role that is bound cannot be changed.',
  },
];

/** What the operator does in its own namespace besides. */
export const OWN_NAMESPACE_RIGHTS: readonly Right[] = [
  {
    apiGroups: [''],
    resources: ['secrets'],
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
    why: 'The target records, and what webhooks are signed with.',
  },
  {
    apiGroups: [''],
    resources: ['configmaps'],
    verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
    why: 'Pushes that arrived at a replica that does not lead, in towpath-pushes, and the archive of Promotions; deleted is its oldest.',
  },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'list', 'watch', 'create', 'update'],
    why: 'Which replica leads.',
  },
];

/**
 * Kinds of which one watch serves all Applications: metadata, and of some the part of the status that decides
 * health. They are those of Kubernetes' own that people put into Git; what it makes itself (nodes, ResourceSlices) is
 * not among them. Without a rule for a kind it is watched namespace by namespace as the ServiceAccounts. Secrets never
 * belong here.
 */
export const READ_RIGHTS: readonly Right[] = [
  reads('', [
    'configmaps',
    'endpoints',
    'limitranges',
    'namespaces',
    'persistentvolumeclaims',
    'persistentvolumes',
    'pods',
    'podtemplates',
    'replicationcontrollers',
    'resourcequotas',
    'serviceaccounts',
    'services',
  ]),
  reads('admissionregistration.k8s.io', [
    'mutatingadmissionpolicies',
    'mutatingadmissionpolicybindings',
    'mutatingwebhookconfigurations',
    'validatingadmissionpolicies',
    'validatingadmissionpolicybindings',
    'validatingwebhookconfigurations',
  ]),
  reads('apiregistration.k8s.io', ['apiservices']),
  reads('apps', ['controllerrevisions', 'daemonsets', 'deployments', 'replicasets', 'statefulsets']),
  {
    ...reads('autoscaling', ['horizontalpodautoscalers']),
    why: 'Health, whether somebody changed what was applied, and which workloads an autoscaler scales, whoever made it.',
  },
  reads('batch', ['cronjobs', 'jobs']),
  reads('coordination.k8s.io', ['leases']),
  reads('discovery.k8s.io', ['endpointslices']),
  reads('flowcontrol.apiserver.k8s.io', ['flowschemas', 'prioritylevelconfigurations']),
  reads('networking.k8s.io', ['ingressclasses', 'ingresses', 'networkpolicies']),
  reads('node.k8s.io', ['runtimeclasses']),
  reads('policy', ['poddisruptionbudgets']),
  reads('rbac.authorization.k8s.io', ['clusterrolebindings', 'clusterroles', 'rolebindings', 'roles']),
  reads('resource.k8s.io', ['deviceclasses', 'resourceclaims', 'resourceclaimtemplates']),
  reads('scheduling.k8s.io', ['priorityclasses']),
  reads('storage.k8s.io', ['csidrivers', 'storageclasses', 'volumeattributesclasses']),
];

function reads(apiGroup: string, resources: readonly string[]): Right {
  return {
    apiGroups: [apiGroup],
    resources,
    verbs: ['list', 'watch'],
    why: 'Health, and whether somebody changed what was applied.',
  };
}
