import type { HealthState } from '../api/v1alpha1/application.ts';
import { groupKind } from '../manifest/manifest.ts';
import { genericRule, type HealthRule, hasProblem, RULES } from './kinds.ts';
import { type LiveObject, type ReducedObject, scalarFacts } from './reduce.ts';

export { classOfUnused, hasPodsOfLatest } from './kinds.ts';
export { type PodProblem, podProblem } from './pod.ts';
export type { LiveObject, ReducedObject } from './reduce.ts';

export interface Health {
  state: HealthState;
  /**
   * A clause without the object's name: `1 of 3 replicas are available`. Of a Healthy one what there is to tell
   * although nothing is wrong: that it waits for its first Pod, say.
   */
  message?: string;
  /** When its own controller gave it up (RFC 3339): it does not become healthy by waiting. */
  failedAt?: string;
}

/**
 * API groups that Kubernetes itself serves: their kinds have health by RULES or none. Kinds of every other
 * group are custom resources, which may follow kstatus.
 */
const BUILT_IN_GROUPS: ReadonlySet<string> = new Set([
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);

function ruleOf(group: string, kind: string): HealthRule | undefined {
  return RULES.get(groupKind({ group, kind })) ?? (BUILT_IN_GROUPS.has(group) ? undefined : genericRule);
}

/**
 * Whether objects of this kind can be anything but Healthy while they exist, so that they must be watched
 * with their status. Of the others (ConfigMap, Secret, Role …) metadata suffices.
 */
export function hasHealth(group: string, kind: string): boolean {
  return ruleOf(group, kind) !== undefined;
}

/** The part of a live object that decides its health. */
export function reduceForHealth(object: LiveObject): ReducedObject {
  const slash = object.apiVersion.lastIndexOf('/');
  const group = slash < 0 ? '' : object.apiVersion.slice(0, slash);
  const rule = ruleOf(group, object.kind);
  return {
    group,
    kind: object.kind,
    generation: object.metadata.generation ?? 0,
    deleting: object.metadata.deletionTimestamp !== undefined,
    facts: { ...scalarFacts(object, ['status.observedGeneration']), ...rule?.reduce(object) },
  };
}

/** Health of an object by the rule of its kind; undefined is an object that should exist and does not. */
export function healthOf(object: ReducedObject | undefined): Health {
  if (object === undefined) return { state: 'Missing', message: 'it does not exist' };
  if (object.deleting) return { state: 'Progressing', message: 'it is being deleted' };
  return ruleOf(object.group, object.kind)?.judge(object) ?? { state: 'Healthy' };
}

/**
 * Health of an object whose own manifest suspends or pauses it: that nothing of it runs is what was asked for. A
 * custom resource may look as if it were never done then.
 */
export function asWanted({
  group,
  deleting,
  health,
}: {
  group: string;
  deleting: boolean;
  health: Health;
}): Health {
  if (deleting) return health;
  if (health.state === 'Suspended') return { state: 'Healthy', message: `${health.message}, as Git has it` };
  const looksUnfinished = health.state === 'Progressing' && !BUILT_IN_GROUPS.has(group);
  return looksUnfinished ? { state: 'Healthy', message: 'it is suspended, as Git has it' } : health;
}

/**
 * Health of a claim that no Pod uses yet: with a StorageClass that waits for the first of them it is as it should be.
 */
export function withBindingMode(health: Health, volumeBindingMode: string | undefined): Health {
  return volumeBindingMode === 'WaitForFirstConsumer'
    ? { state: 'Healthy', message: 'it waits for its first Pod' }
    : health;
}

/**
 * Health of a workload that is Progressing or Degraded with regard to its Pods, which alone know why. One with a
 * Pod that cannot start is Degraded, long before its own controller gives it up; one with a Pod that no node takes
 * says so. Pass the Pods of the newest revision; `name` is a Pod's.
 */
export function withPods(health: Health, pods: Iterable<{ name: string; pod: ReducedObject }>): Health {
  if (health.state !== 'Progressing' && health.state !== 'Degraded') return health;
  let waits: string | undefined;
  for (const { name, pod } of pods) {
    const { state, message = '' } = healthOf(pod);
    const withPod = `${health.message ?? 'it is not ready'}: Pod ${name}: ${message}`;
    if (state === 'Degraded') return { ...health, state, message: withPod };
    if (hasProblem(pod)) waits ??= withPod;
  }
  return waits === undefined ? health : { ...health, message: waits };
}
