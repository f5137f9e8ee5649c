import type { HealthState } from '../api/v1alpha1/application.ts';
import { groupKind } from '../manifest/manifest.ts';
import { podFailure, podProblem } from './pod.ts';
import {
  at,
  conditionFacts,
  type Fact,
  type LiveObject,
  listAt,
  type ReducedCondition,
  type ReducedObject,
  scalarFacts,
} from './reduce.ts';

interface Verdict {
  state: HealthState;
  message?: string;
  /** When its own controller gave it up (RFC 3339): it does not become healthy by waiting. */
  failedAt?: string;
}

/** How the health of a kind is judged, and what that needs of a live object. */
export interface HealthRule {
  reduce(object: LiveObject): Record<string, Fact>;
  judge(object: ReducedObject): Verdict;
}

const HEALTHY: Verdict = { state: 'Healthy' };
const progressing = (message: string): Verdict => ({ state: 'Progressing', message });
const degraded = (message: string): Verdict => ({ state: 'Degraded', message });
const failedForGood = (message: string, by: ReducedCondition): Verdict =>
  by.lastTransitionTime === undefined
    ? degraded(message)
    : { state: 'Degraded', message, failedAt: by.lastTransitionTime };
/** Nothing is wrong, and yet there is something to tell. */
const healthyBut = (message: string): Verdict => ({ state: 'Healthy', message });
const suspended = (message: string): Verdict => ({ state: 'Suspended', message });

/** A rule that reads the scalars at `paths` and the conditions of `conditions`. */
function rule(
  paths: readonly string[],
  conditions: readonly string[],
  judge: (object: ReducedObject) => Verdict,
): HealthRule {
  return {
    reduce: (object) => ({ ...scalarFacts(object, paths), ...conditionFacts(object, conditions) }),
    judge,
  };
}

function count(object: ReducedObject, path: string, absent = 0): number {
  const value = object.facts[path];
  return typeof value === 'number' ? value : absent;
}

function condition(object: ReducedObject, type: string): ReducedCondition | undefined {
  const fact = object.facts[`condition.${type}`];
  return typeof fact === 'object' ? fact : undefined;
}

/** The message of a condition, or its reason, or what to say where it has neither. */
function said(by: ReducedCondition, otherwise: string): string {
  return by.message ?? by.reason ?? otherwise;
}

/** Set while the kind's controller has not judged the latest spec: what status says is about an older one. */
function unobserved(object: ReducedObject): Verdict | undefined {
  if (count(object, 'status.observedGeneration') >= object.generation) return undefined;
  return progressing('its controller has not seen the latest spec yet');
}

const REPLICA_FAILURE = 'ReplicaFailure';
const PROGRESSING = 'Progressing';

/**
 * A controller that cannot create Pods (quota, admission), or what makes them, goes on trying: told, and left to the
 * timeout.
 */
function withReplicaFailure(object: ReducedObject, message: string): Verdict {
  const failure = condition(object, REPLICA_FAILURE);
  if (failure?.status === 'True') return progressing(`${message}: ${said(failure, failure.status)}`);
  const progress = condition(object, PROGRESSING);
  if (progress?.status === 'False') return progressing(`${message}: ${said(progress, progress.status)}`);
  return progressing(message);
}

const deployment = rule(
  [
    'spec.replicas',
    'spec.paused',
    'status.replicas',
    'status.updatedReplicas',
    'status.readyReplicas',
    'status.availableReplicas',
  ],
  [PROGRESSING, REPLICA_FAILURE],
  (object) => {
    const stale = unobserved(object);
    if (stale !== undefined) return stale;
    if (object.facts['spec.paused'] === true) return paused(object);
    const progress = condition(object, PROGRESSING);
    if (progress?.reason === 'ProgressDeadlineExceeded')
      return failedForGood(said(progress, progress.reason), progress);
    const wanted = count(object, 'spec.replicas', 1);
    const updated = count(object, 'status.updatedReplicas');
    const available = count(object, 'status.availableReplicas');
    if (updated < wanted) return withReplicaFailure(object, `${updated} of ${wanted} replicas are updated`);
    const old = count(object, 'status.replicas') - updated;
    if (old > 0)
      return progressing(
        old === 1 ? '1 old replica is still running' : `${old} old replicas are still running`,
      );
    if (available < wanted)
      return withReplicaFailure(object, `${available} of ${wanted} replicas are available`);
    return HEALTHY;
  },
);

/** Nothing new is rolled out; what runs already is to be available all the same. */
function paused(object: ReducedObject): Verdict {
  const running = Math.min(count(object, 'spec.replicas', 1), count(object, 'status.replicas'));
  const available = count(object, 'status.availableReplicas');
  return available < running
    ? withReplicaFailure(
        object,
        `${available} of ${running} replicas are available, and its rollout is paused`,
      )
    : suspended('its rollout is paused');
}

const statefulSet = rule(
  [
    'spec.replicas',
    'spec.updateStrategy.type',
    'spec.updateStrategy.rollingUpdate.partition',
    'spec.minReadySeconds',
    'status.readyReplicas',
    'status.availableReplicas',
    'status.updatedReplicas',
    'status.currentRevision',
    'status.updateRevision',
  ],
  [],
  (object) => {
    const stale = unobserved(object);
    if (stale !== undefined) return stale;
    const wanted = count(object, 'spec.replicas', 1);
    const ready = count(object, 'status.readyReplicas');
    if (ready < wanted) return progressing(`${ready} of ${wanted} replicas are ready`);
    const available = count(object, 'status.availableReplicas');
    if (count(object, 'spec.minReadySeconds') > 0 && available < wanted)
      return progressing(`${available} of ${wanted} replicas are available`);
    // Then the user replaces Pods by hand: that old ones run is what was asked for.
    if (object.facts['spec.updateStrategy.type'] === 'OnDelete') return HEALTHY;
    const updated = count(object, 'status.updatedReplicas');
    const partition = count(object, 'spec.updateStrategy.rollingUpdate.partition');
    const toUpdate = Math.max(0, wanted - partition);
    const done =
      partition > 0
        ? updated >= toUpdate
        : object.facts['status.updateRevision'] === object.facts['status.currentRevision'];
    return done ? HEALTHY : progressing(`${updated} of ${toUpdate} replicas are updated`);
  },
);

const daemonSet = rule(
  [
    'spec.updateStrategy.type',
    'status.desiredNumberScheduled',
    'status.updatedNumberScheduled',
    'status.numberAvailable',
  ],
  [],
  (object) => {
    const stale = unobserved(object);
    if (stale !== undefined) return stale;
    const wanted = count(object, 'status.desiredNumberScheduled');
    const updated = count(object, 'status.updatedNumberScheduled');
    const available = count(object, 'status.numberAvailable');
    if (object.facts['spec.updateStrategy.type'] !== 'OnDelete' && updated < wanted) {
      return progressing(`its Pods are updated on ${updated} of ${wanted} nodes`);
    }
    if (available < wanted) return progressing(`its Pods are available on ${available} of ${wanted} nodes`);
    return HEALTHY;
  },
);

const replicas = rule(['spec.replicas', 'status.availableReplicas'], [REPLICA_FAILURE], (object) => {
  const stale = unobserved(object);
  if (stale !== undefined) return stale;
  const wanted = count(object, 'spec.replicas', 1);
  const available = count(object, 'status.availableReplicas');
  return available < wanted
    ? withReplicaFailure(object, `${available} of ${wanted} replicas are available`)
    : HEALTHY;
});

const job = rule(
  ['spec.suspend', 'spec.completions', 'status.succeeded', 'status.failed'],
  ['Complete', 'Failed'],
  (object) => {
    const failed = condition(object, 'Failed');
    if (failed?.status === 'True')
      return failedForGood(`it failed: ${said(failed, 'no reason is given')}`, failed);
    if (condition(object, 'Complete')?.status === 'True') return HEALTHY;
    if (object.facts['spec.suspend'] === true) return suspended('it is suspended');
    const failures = count(object, 'status.failed');
    const retried = failures > 0 ? `, ${failures} have failed and are tried again` : '';
    const done = count(object, 'status.succeeded');
    return progressing(`${done} of ${count(object, 'spec.completions', 1)} Pods have completed${retried}`);
  },
);

/** One that is never started again, whatever made it. */
function failedPod(object: ReducedObject): Verdict {
  const { facts } = object;
  const why = facts['status.message'] ?? facts['status.reason'] ?? facts['failure.message'];
  const message = why === undefined ? 'it failed' : `it failed: ${why}`;
  const at = facts['failure.at'] ?? condition(object, 'Ready')?.lastTransitionTime;
  return { ...degraded(message), ...(typeof at === 'string' ? { failedAt: at } : {}) };
}

/** Whether it is known why a Pod cannot start or keep running. */
export function hasProblem({ facts }: ReducedObject): boolean {
  return facts.problem !== undefined;
}

const pod: HealthRule = {
  reduce: (object) => {
    const problem = podProblem(object);
    const failure = podFailure(object);
    return {
      ...scalarFacts(object, ['spec.restartPolicy', 'status.phase', 'status.reason', 'status.message']),
      ...conditionFacts(object, ['Ready']),
      ...(problem && { problem: problem.reason, 'problem.message': problem.message }),
      ...(failure && { 'failure.message': failure.message, 'failure.at': failure.at }),
    };
  },
  judge: (object) => {
    const { 'status.phase': phase, problem, 'problem.message': message } = object.facts;
    if (phase === 'Succeeded') return HEALTHY;
    if (phase === 'Failed') return failedPod(object);
    // A node may still come: the scheduler goes on trying.
    if (problem === 'Unschedulable') return progressing(String(message));
    if (problem !== undefined) return degraded(String(message));
    const ready = condition(object, 'Ready');
    if (ready?.status === 'True') return HEALTHY;
    if (ready?.status === 'Unknown' || phase === 'Unknown')
      return progressing('its node does not answer: whether it runs is not known');
    // The others of its containers run on, and what failed is not started again.
    const { 'spec.restartPolicy': restarts, 'failure.message': failure } = object.facts;
    if (restarts === 'Never' && failure !== undefined) return degraded(String(failure));
    return progressing(phase === 'Running' ? 'its containers are not ready yet' : 'it is starting');
  },
};

/** Set by the scheduler once a Pod that uses the claim has a node. */
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

const claim: HealthRule = {
  reduce: (object) => ({
    ...scalarFacts(object, ['status.phase', 'spec.storageClassName', 'spec.volumeName']),
    ...(object.metadata.annotations?.[SELECTED_NODE] !== undefined && { hasNode: true }),
  }),
  judge: (object) => {
    const phase = object.facts['status.phase'];
    if (phase === 'Bound') return HEALTHY;
    if (phase === 'Lost') return degraded('its PersistentVolume is gone');
    return progressing('it is not bound yet');
  },
};

/** The StorageClass of a claim that no Pod uses yet, as far as can be told; it may be one that waits for that. */
export function classOfUnused({ group, kind, facts, deleting }: ReducedObject): string | undefined {
  if (groupKind({ group, kind }) !== '/PersistentVolumeClaim' || deleting) return undefined;
  const { 'status.phase': phase, 'spec.storageClassName': storageClass, hasNode } = facts;
  const isUnused = (phase === undefined || phase === 'Pending') && hasNode === undefined;
  return isUnused &&
    facts['spec.volumeName'] === undefined &&
    typeof storageClass === 'string' &&
    storageClass !== ''
    ? storageClass
    : undefined;
}

/** Whether its provisioner could do what became of it: a claim that needs it is Healthy or not by itself. */
const volume = rule(['status.phase', 'status.message'], [], (object) =>
  object.facts['status.phase'] === 'Failed'
    ? degraded(`it could not be reclaimed: ${object.facts['status.message'] ?? 'no reason is given'}`)
    : HEALTHY,
);

/** What the API server found wrong in a policy's expressions: it is in force all the same. */
const admissionPolicy: HealthRule = {
  reduce: (object) => {
    const [warning] = listAt(object, 'status.typeChecking.expressionWarnings');
    const text = at(warning, 'warning');
    // The rest repeats the expression, with a mark below it.
    return typeof text === 'string' ? { warning: text.split('\n', 1)[0] ?? text } : {};
  },
  judge: ({ facts: { warning } }) =>
    warning === undefined ? HEALTHY : healthyBut(`an expression of it may never hold: ${warning}`),
};

/**
 * Whether a load balancer has an address: whoever made it Git's wish waits for it, however long. Addresses that Git
 * itself names are all there is to wait for, as for Helm.
 */
const service: HealthRule = {
  reduce: (object) => ({
    ...scalarFacts(object, ['spec.type', 'spec.loadBalancerClass']),
    addresses:
      listAt(object, 'status.loadBalancer.ingress').length + listAt(object, 'spec.externalIPs').length,
  }),
  judge: (object) => {
    const { 'spec.type': type, 'spec.loadBalancerClass': loadBalancerClass } = object.facts;
    if (type !== 'LoadBalancer' || count(object, 'addresses') > 0) return HEALTHY;
    const ofClass = loadBalancerClass === undefined ? '' : ` of class ${loadBalancerClass}`;
    return progressing(
      `its load balancer has no address yet: a controller for load balancers${ofClass} in the cluster is to give it one`,
    );
  },
};

const SCALING_MISTAKES: ReadonlySet<string> = new Set(['InvalidSelector', 'InvalidMetricSourceType']);

const autoscaler = rule([], ['AbleToScale', 'ScalingActive'], (object) => {
  const able = condition(object, 'AbleToScale');
  const active = condition(object, 'ScalingActive');
  if (able === undefined) return progressing('it has not looked at its target yet');
  if (able.status === 'False')
    return progressing(`it cannot scale its target: ${said(able, 'AbleToScale=False')}`);
  // ScalingDisabled: someone scaled the target to 0 on purpose.
  if (active?.status !== 'False' || active.reason === 'ScalingDisabled') return HEALTHY;
  const why = `it cannot compute replicas: ${said(active, 'ScalingActive=False')}`;
  // Without metrics it does nothing until there are some: that must hold up nobody whose Pods are ready.
  return SCALING_MISTAKES.has(active.reason ?? '') ? degraded(why) : healthyBut(why);
});

/** One that cannot be worked out (Pods of something that cannot be scaled, say) is never observed. */
const disruptionBudget = rule([], ['DisruptionAllowed'], (object) => {
  const allowed = condition(object, 'DisruptionAllowed');
  if (allowed?.reason === 'SyncFailed')
    return healthyBut(`it is not worked out, and allows no disruption: ${said(allowed, 'SyncFailed')}`);
  return unobserved(object) ?? HEALTHY;
});

const customResourceDefinition = rule([], ['NamesAccepted', 'Established'], (object) => {
  const names = condition(object, 'NamesAccepted');
  if (names?.status === 'False')
    return degraded(`its names are taken: ${said(names, 'NamesAccepted=False')}`);
  return condition(object, 'Established')?.status === 'True'
    ? HEALTHY
    : progressing('it is not established yet');
});

const apiService = rule([], ['Available'], (object) => {
  const available = condition(object, 'Available');
  if (available?.status === 'True') return HEALTHY;
  return progressing(
    available ? `it is not available: ${said(available, available.status)}` : 'it is not available yet',
  );
});

/** The contract of kstatus, which well-made custom resources follow; one without conditions is Healthy. */
function judgeByContract(object: ReducedObject): Verdict {
  const observed = object.facts['status.observedGeneration'];
  if (typeof observed === 'number' && observed < object.generation) {
    return progressing('its controller has not seen the latest spec yet');
  }
  const stalled = condition(object, 'Stalled');
  if (stalled?.status === 'True') return failedForGood(said(stalled, 'Stalled'), stalled);
  const reconciling = condition(object, 'Reconciling');
  if (reconciling?.status === 'True') return progressing(said(reconciling, 'Reconciling'));
  const ready = condition(object, 'Ready');
  if (ready === undefined) return HEALTHY;
  if (ready.observedGeneration !== undefined && ready.observedGeneration < object.generation) {
    return progressing('its controller has not seen the latest spec yet');
  }
  return ready.status === 'True' ? HEALTHY : progressing(said(ready, `Ready=${ready.status}`));
}

const CONTRACT = ['Ready', 'Reconciling', 'Stalled'];

export const genericRule: HealthRule = rule([], CONTRACT, judgeByContract);

/** An Application that deploys Applications: kstatus, but never Healthy before it was looked at. */
const application = rule(['spec.suspend'], CONTRACT, (object) =>
  object.facts['spec.suspend'] === true
    ? suspended('it is suspended')
    : (unobserved(object) ?? judgeByContract(object)),
);

/**
 * Rules by kind. An Ingress has none, as in kstatus: many controllers never publish an address. A
 * PersistentVolumeClaim that is not bound is Progressing, as in kstatus and Argo CD.
 */
export const RULES: ReadonlyMap<string, HealthRule> = new Map([
  ['apps/Deployment', deployment],
  ['apps/StatefulSet', statefulSet],
  ['apps/DaemonSet', daemonSet],
  ['apps/ReplicaSet', replicas],
  ['/ReplicationController', replicas],
  ['batch/Job', job],
  [
    'batch/CronJob',
    rule(['spec.suspend'], [], (object) =>
      object.facts['spec.suspend'] === true ? suspended('it is suspended') : HEALTHY,
    ),
  ],
  ['/Pod', pod],
  ['/PersistentVolumeClaim', claim],
  ['/PersistentVolume', volume],
  ['/Service', service],
  ['autoscaling/HorizontalPodAutoscaler', autoscaler],
  ['policy/PodDisruptionBudget', disruptionBudget],
  ['apiextensions.k8s.io/CustomResourceDefinition', customResourceDefinition],
  ['apiregistration.k8s.io/APIService', apiService],
  ['admissionregistration.k8s.io/ValidatingAdmissionPolicy', admissionPolicy],
  ['towpath.dev/Application', application],
]);

/** Where workloads that replace their Pods by themselves count those of the latest spec. */
const UPDATED: ReadonlyMap<string, string> = new Map([
  ['apps/Deployment', 'status.updatedReplicas'],
  ['apps/DaemonSet', 'status.updatedNumberScheduled'],
]);

/** Whether a workload's controller has made Pods for its latest spec: before, those that are there say nothing of it. */
export function hasPodsOfLatest(object: ReducedObject): boolean {
  const observed = object.facts['status.observedGeneration'];
  const updated = UPDATED.get(groupKind(object));
  if (typeof observed === 'number' && observed < object.generation) return false;
  return updated === undefined || count(object, updated) > 0;
}
