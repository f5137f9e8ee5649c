import { ANNOTATION_WAVE } from '../api/v1alpha1/names.ts';
import { groupKind, type ObjectId, objectKey } from '../manifest/manifest.ts';
import { waveNumber } from './own-annotations.ts';

/** What ordering needs to know of an object: a Manifest, or a live object's metadata. */
export interface Ordered extends ObjectId {
  readonly annotations: Readonly<Record<string, string>>;
}

const RBAC = 'rbac.authorization.k8s.io';
const ADMISSION = 'admissionregistration.k8s.io';

/**
 * Stages that follow each other inside a wave, each the kinds that go in parallel, sent in the order listed
 * here. A kind stands in a later stage than another only where the API server (or a controller's first look)
 * refuses it otherwise: every stage costs a round trip.
 */
const STAGES: readonly (readonly string[])[] = [
  ['/Namespace'],
  ['apiextensions.k8s.io/CustomResourceDefinition'],
  // What admission of later objects asks for: quotas and accounts of Pods, classes, roles to bind.
  [
    '/ResourceQuota',
    '/LimitRange',
    'scheduling.k8s.io/PriorityClass',
    'node.k8s.io/RuntimeClass',
    'storage.k8s.io/StorageClass',
    'storage.k8s.io/CSIDriver',
    'networking.k8s.io/IngressClass',
    'gateway.networking.k8s.io/GatewayClass',
    '/ServiceAccount',
    `${RBAC}/ClusterRole`,
    `${RBAC}/Role`,
  ],
  // A binding needs its role, a token Secret its ServiceAccount.
  [
    `${RBAC}/ClusterRoleBinding`,
    `${RBAC}/RoleBinding`,
    'networking.k8s.io/NetworkPolicy',
    '/Secret',
    '/ConfigMap',
    '/PersistentVolume',
    '/PersistentVolumeClaim',
    '/Service',
    '/Endpoints',
    'discovery.k8s.io/EndpointSlice',
    'policy/PodDisruptionBudget',
  ],
  [
    'apps/DaemonSet',
    '/Pod',
    '/ReplicationController',
    'apps/ReplicaSet',
    'apps/Deployment',
    'apps/StatefulSet',
    'batch/Job',
    'batch/CronJob',
    'autoscaling/HorizontalPodAutoscaler',
    'networking.k8s.io/Ingress',
  ],
  // Kinds that stand nowhere here, custom resources above all. After the workloads, so that in the reverse
  // order they are gone while the controllers that hold their finalizers still run.
  [],
  // What can refuse other objects while its own workload is not running yet.
  [
    'apiregistration.k8s.io/APIService',
    `${ADMISSION}/MutatingAdmissionPolicy`,
    `${ADMISSION}/MutatingAdmissionPolicyBinding`,
    `${ADMISSION}/ValidatingAdmissionPolicy`,
    `${ADMISSION}/ValidatingAdmissionPolicyBinding`,
    `${ADMISSION}/MutatingWebhookConfiguration`,
    `${ADMISSION}/ValidatingWebhookConfiguration`,
  ],
];

/** More than any stage has kinds. */
const STAGE_SIZE = 100;
const CUSTOM_STAGE = STAGES.findIndex((kinds) => kinds.length === 0);
const RANKS: ReadonlyMap<string, number> = new Map(
  STAGES.flatMap((kinds, stage) => kinds.map((kind, index) => [kind, stage * STAGE_SIZE + index] as const)),
);

/** Where a kind stands in the order of applying: lower goes first. Its hundreds are the stage. */
export function orderOfKind(group: string, kind: string): number {
  return RANKS.get(groupKind({ group, kind })) ?? CUSTOM_STAGE * STAGE_SIZE;
}

/**
 * The order of applying: waves, in each wave stages, in each stage objects that may go in parallel, to be
 * sent in this order. Wave N+1 begins when wave N is Healthy; a stage begins when the one before is applied
 * and what it brought is there to be used (namespaces exist, CRDs are established). Empty ones are left out.
 * Hooks have an order of their own: leave them out. An annotation that names no wave counts as wave 0: it was
 * refused when the objects were judged.
 */
export function waves<Item extends Ordered>(objects: readonly Item[]): Item[][][] {
  const sorted = objects
    .map((object) => ({
      object,
      wave: waveNumber(object.annotations[ANNOTATION_WAVE]) ?? 0,
      rank: orderOfKind(object.group, object.kind),
      key: objectKey(object),
    }))
    .sort((a, b) => a.wave - b.wave || a.rank - b.rank || (a.key < b.key ? -1 : Number(a.key > b.key)));
  const result: Item[][][] = [];
  let before: { wave: number; stage: number } | undefined;
  for (const { object, wave, rank } of sorted) {
    const stage = Math.floor(rank / STAGE_SIZE);
    if (wave !== before?.wave) result.push([]);
    if (wave !== before?.wave || stage !== before.stage) result.at(-1)?.push([]);
    result.at(-1)?.at(-1)?.push(object);
    before = { wave, stage };
  }
  return result;
}

/**
 * The reverse, for deleting: the last wave first, in it the last stage first. Rights go last of all, those by
 * which the rest is deleted may be among them.
 */
export function deletionWaves<Item extends Ordered>(objects: readonly Item[]): Item[][][] {
  const { accounts = [], roles = [], others = [] } = Object.groupBy(objects, partInRights);
  const reversed = waves(others)
    .reverse()
    .map((stages) => stages.reverse().map((stage) => stage.reverse()));
  const last = [accounts, roles].filter((stage) => stage.length > 0);
  return last.length === 0 ? reversed : [...reversed, last];
}

function partInRights({ group, kind }: ObjectId): 'accounts' | 'roles' | 'others' {
  if (group === RBAC) return 'roles';
  return group === '' && kind === 'ServiceAccount' ? 'accounts' : 'others';
}
