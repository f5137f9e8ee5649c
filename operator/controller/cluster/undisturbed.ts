import { callOptions, type TargetAccess } from '../../apply/target.ts';
import { at, listAt } from '../../health/reduce.ts';
import type { KubeObject } from '../../kube/client.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import type { LiveObject } from '../../manifest/live.ts';
import { type GroupKind, groupKind, objectKey } from '../../manifest/manifest.ts';
import { isPassedOver } from '../../manifest/never-pruned.ts';
import { listTarget } from './lost-objects.ts';
import { podSelectorOf } from './pods.ts';

const POD: GroupKind = '/Pod';
/** Workloads whose containers are to run all the time. */
const RUNNING: ReadonlySet<GroupKind> = new Set([
  POD,
  'apps/DaemonSet',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/StatefulSet',
]);
const PODS = { group: '', version: 'v1', plural: 'pods' };

/** So long it may take to find out: what is not known by then is taken for disturbed. */
const ASK_MS = 10_000;

/**
 * Whether nothing of what a target runs was written, begun anew or out of order since a moment, as far as that shows now:
 * by when each field manager wrote to its objects, and by when the Pods of its workloads were made, ready, and their
 * containers started. Some requests for each kind of workload: for a time in which nobody looked. What cannot be seen is no
 * proof. Never rejects but where the look is broken off.
 *
 * @param since by the cluster's clock
 */
export async function isUndisturbed(
  access: TargetAccess,
  live: Iterable<LiveObject>,
  since: Date,
): Promise<boolean> {
  const objects = [...live].filter((one) => !isPassedOver(one));
  // Times of objects are cut to the second.
  const from = Math.floor(since.getTime() / 1_000) * 1_000;
  if (objects.some((one) => writtenAt(one) >= from)) return false;
  const workloads = objects.filter((one) => RUNNING.has(groupKind(one)));
  const signal = AbortSignal.any([access.signal, AbortSignal.timeout(ASK_MS)]);
  try {
    return await areUndisturbed({ ...access, signal }, workloads, from);
  } catch {
    access.signal.throwIfAborted();
    return false;
  }
}

/** In milliseconds. Status is not what somebody wants of it, and not among these. */
function writtenAt({ entry, others = [] }: LiveObject): number {
  const times = [entry?.time, ...others.map(({ time }) => time)].map((time = '') => Date.parse(time));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}

async function areUndisturbed(
  access: TargetAccess,
  workloads: readonly LiveObject[],
  from: number,
): Promise<boolean> {
  const found = await inFull(access, workloads);
  let isOneDisturbed = false;
  await inParallel(workloads, async (one) => {
    const object = found.get(objectKey(one));
    const pods = object === undefined || isOneDisturbed ? undefined : await podsOf(access, one, object);
    if (pods === undefined || pods.some((pod) => turnedAt(pod) >= from)) isOneDisturbed = true;
  });
  return !isOneDisturbed;
}

/** By object key, of what may be listed. */
async function inFull(
  access: TargetAccess,
  workloads: readonly LiveObject[],
): Promise<ReadonlyMap<string, KubeObject>> {
  const found = new Map<string, KubeObject>();
  const kinds = new Map(workloads.map((one) => [`${groupKind(one)} ${one.namespace}`, one]));
  await inParallel([...kinds.values()], async ({ group, kind, namespace }) => {
    const resource = access.discovery.resourceFor(group, kind);
    if (resource === undefined) return;
    const all = await listTarget(access.client, resource, access, namespace, { metadataOnly: false });
    for (const object of all) {
      const { name, namespace: its = '' } = object.metadata;
      found.set(objectKey({ group, kind, namespace: its, name }), object);
    }
  });
  return found;
}

/** Undefined: that is not known. */
async function podsOf(
  access: TargetAccess,
  workload: LiveObject,
  object: KubeObject,
): Promise<readonly KubeObject[] | undefined> {
  if (groupKind(workload) === POD) return [object];
  const labelSelector = podSelectorOf(workload, object);
  if (labelSelector === undefined) return undefined;
  const path = { resource: PODS, namespace: workload.namespace };
  return (await access.client.list(path, { labelSelector }, callOptions(access))).items;
}

/** When a Pod was made, or last became ready or unready, or a container of it was started or ended; in milliseconds. */
function turnedAt(pod: KubeObject): number {
  const isReady = (condition: unknown) => at(condition, 'type') === 'Ready';
  const containers = [
    ...listAt(pod, 'status.containerStatuses'),
    ...listAt(pod, 'status.initContainerStatuses'),
  ];
  const times = [
    pod.metadata.creationTimestamp,
    ...listAt(pod, 'status.conditions')
      .filter(isReady)
      .map((one) => at(one, 'lastTransitionTime')),
    ...containers.flatMap((one) => [
      at(one, 'state.running.startedAt'),
      at(one, 'state.terminated.finishedAt'),
      at(one, 'lastState.terminated.finishedAt'),
    ]),
  ].map((time) => (typeof time === 'string' ? Date.parse(time) : Number.NaN));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}
