import { LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import { finished, isWaitedFor } from '../../apply/hooks.ts';
import {
  classOfUnused,
  type Health,
  hasHealth,
  hasPodsOfLatest,
  healthOf,
  reduceForHealth,
  withBindingMode,
  withPods,
} from '../../health/health.ts';
import type { KubeClient, KubeObject, Resource, ServiceAccount } from '../../kube/client.ts';
import type { Discovery } from '../../kube/discovery.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import { isNewerVersion } from '../../kube/resource-version.ts';
import { type LiveObject, liveObject } from '../../manifest/live.ts';
import { objectKey } from '../../manifest/manifest.ts';
import { keepReason } from '../../manifest/never-pruned.ts';
import { Autoscalers } from './autoscalers.ts';
import { KindWatches, type KnownObject, type WatchUser } from './kind-watches.ts';
import { listTarget, type SearchAccess, type WatchedKind } from './lost-objects.ts';
import { PodWatches, podSelectorOf, type Workload } from './pods.ts';
import { StorageClasses } from './storage-classes.ts';

export interface ObservedObject extends LiveObject {
  health: Health;
  /** Present on a workload that is not healthy: whose Pods may tell why, once there are some of its latest spec. */
  pods?: { selector: string; own: Health; areLatest: boolean };
  /** A hook's Job or Pod, or a check's Job, that has not ended. */
  runs?: true;
  /** Present on a claim that no Pod uses yet: its class may wait for that. */
  claim?: { storageClass: string; own: Health };
}

export interface InventoryOptions {
  client: KubeClient;
  discovery: Discovery;
  /** Something of the target changed in the cluster. */
  onChange(targetId: string): void;
}

/**
 * What the targets have in the cluster, from watches by label: metadata alone, and for kinds that have
 * health the part of the object that decides it.
 */
export class Inventory {
  /** The watches that tell of them: of which kinds, and as whom. */
  readonly watches: KindWatches<ObservedObject>;
  readonly #options: InventoryOptions;
  readonly #listeners = new Set<(targetId: string) => void>();
  readonly #byTarget = new Map<string, Map<string, ObservedObject>>();
  readonly #pods: PodWatches;
  readonly #autoscalers: Autoscalers;
  readonly #classes: StorageClasses;

  constructor(options: InventoryOptions) {
    this.#options = options;
    const { client, discovery } = options;
    this.watches = new KindWatches({
      client,
      discovery,
      labelSelector: LABEL_TARGET,
      isMetadataOnly: (resource) => howMuchOf(resource).metadataOnly,
      reduce,
      onObject: (event) => this.#follow(event),
      onGone: (object) => this.#remove(object),
      onSight: (objects) => {
        for (const target of new Set(objects.map((object) => object.target))) this.#changed(target);
      },
    });
    this.#classes = new StorageClasses({ client, onChange: () => this.#judgeClaims() });
    this.#autoscalers = new Autoscalers({ client, onChange: (key) => this.#wakeOwners(key) });
    this.#pods = new PodWatches({ client, onChange: (id, key) => this.#judgeAgain(id, key) });
  }

  /** The objects that carry the target's label, by object key. */
  of(targetId: string): ReadonlyMap<string, ObservedObject> {
    return this.#byTarget.get(targetId) ?? new Map();
  }

  get size(): number {
    let count = 0;
    for (const objects of this.#byTarget.values()) count += objects.size;
    return count;
  }

  /**
   * Takes in what a write returned, so that the inventory is never behind our own writes. The run that wrote
   * knows it already: only those who wait in `until` are told, and the watch's echo then tells nothing new. An
   * answer that comes after the news of the object's deletion is not taken in, and the target is looked at again.
   * `as`: who wrote.
   */
  observe(object: KubeObject, resource: Resource, as: ServiceAccount | undefined): ObservedObject {
    const observed = reduce(resource, object);
    if (observed.target === '') return observed;
    // Who wrote takes it for there.
    if (!this.watches.takeIn(observed, as)) this.#options.onChange(observed.target);
    return observed;
  }

  /** Resolves as soon as `holds` is true of the target's objects; rejects with the signal's reason. */
  async until(targetId: string, holds: () => boolean, signal: AbortSignal): Promise<void> {
    if (holds()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (changed: string) => {
      if (changed === targetId && holds()) resolve();
    };
    const aborted = () => reject(signal.reason);
    this.#listeners.add(look);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      signal.throwIfAborted();
      await promise;
    } finally {
      this.#listeners.delete(look);
      signal.removeEventListener('abort', aborted);
    }
  }

  /**
   * Lists the kinds anew, past what the watches have told so far, and takes in what is there, but for what they told
   * the end of. True: an object of the target's own that may be deleted was found, and none of those that are left to
   * others (by object key).
   */
  async lookAgain(
    kinds: Iterable<WatchedKind>,
    access: SearchAccess,
    left: ReadonlyMap<string, unknown>,
  ): Promise<boolean> {
    let found = false;
    await inParallel([...kinds], async ({ group, kind, namespace }) => {
      const resource = this.#options.discovery.resourceFor(group, kind);
      if (resource === undefined || !resource.verbs.includes('list')) return;
      const { client } = this.#options;
      for (const object of await listTarget(client, resource, access, namespace, howMuchOf(resource))) {
        const live = liveObject(resource, object.metadata);
        if (keepReason(live, { ...access, prune: true }) !== undefined || live.deleting) continue;
        if (left.has(objectKey(live))) continue;
        if (this.watches.takeIn(reduce(resource, object), access.as)) found = true;
      }
    });
    return found;
  }

  /** Finds out which autoscalers there are where the target has objects. */
  async seeAutoscalers({ targetId, as, signal }: WatchUser): Promise<void> {
    const namespaces = new Set<string>();
    for (const { namespace } of this.of(targetId).values()) if (namespace !== '') namespaces.add(namespace);
    await this.#autoscalers.watch({ targetId, namespaces, as, signal });
  }

  /** Whether an autoscaler that is none of the target's own decides the replicas of its object of this key. */
  isScaled(targetId: string, key: string): boolean {
    const object = this.of(targetId).get(key);
    return object !== undefined && this.#autoscalers.isScaled(object, targetId);
  }

  /** Those of the target's objects of these keys that are scaled and are not known to be, as the API server says now. */
  askScaled(user: WatchUser, keys: readonly string[]): Promise<ReadonlySet<string>> {
    const live = this.of(user.targetId);
    return this.#autoscalers.askScaled(
      user,
      keys.flatMap((key) => live.get(key) ?? []),
    );
  }

  /** Watches the Pods of the target's workloads that are not healthy, as its ServiceAccount. */
  lookAtPods(targetId: string, as: ServiceAccount | undefined): void {
    const workloads: Workload[] = [];
    for (const [key, { namespace, pods }] of this.of(targetId))
      if (pods !== undefined) workloads.push({ key, namespace, selector: pods.selector });
    this.#pods.watch(targetId, workloads, as);
  }

  /** Nothing is watched any more for a target whose Application is gone. */
  forget(targetId: string): void {
    this.#pods.watch(targetId, [], undefined);
    this.#autoscalers.forget(targetId);
    this.watches.forget(targetId);
  }

  /** What the operator's own account may see is other by now. */
  onRightsChanged(): void {
    this.watches.onRightsChanged();
    this.#autoscalers.onRightsChanged();
    this.#classes.onRightsChanged();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#pods.stop(), this.#autoscalers.stop(), this.#classes.stop()]);
    await this.watches.stop();
  }

  #wakeOwners(key: string): void {
    for (const [targetId, objects] of this.#byTarget) if (objects.has(key)) this.#options.onChange(targetId);
  }

  #changed(targetId: string): void {
    this.#tellWaiting(targetId);
    this.#options.onChange(targetId);
  }

  #tellWaiting(targetId: string): void {
    for (const look of this.#listeners) look(targetId);
  }

  #follow({ object, previous, isAnew, isAnswer }: KnownObject<ObservedObject>): void {
    if (previous !== undefined && previous.target !== object.target) this.#remove(previous);
    // What is known may be of a history that there is no more.
    if (isAnew) this.#byTarget.get(object.target)?.delete(objectKey(object));
    if (this.#store(object) === 'unchanged') return;
    // The run that wrote knows it.
    if (isAnswer) this.#tellWaiting(object.target);
    else this.#changed(object.target);
  }

  #store(object: ObservedObject): 'changed' | 'unchanged' {
    if (object.target === '') return 'unchanged';
    const objects = this.#byTarget.get(object.target) ?? new Map<string, ObservedObject>();
    this.#byTarget.set(object.target, objects);
    const key = objectKey(object);
    const stored = objects.get(key);
    if (stored !== undefined && isNewerVersion(stored.resourceVersion, object.resourceVersion))
      return 'unchanged';
    const judged = this.#judged(object);
    objects.set(key, judged);
    return stored === undefined || differs(stored, judged) ? 'changed' : 'unchanged';
  }

  /** With regard to what else in the cluster decides its health. */
  #judged(object: ObservedObject): ObservedObject {
    if (object.claim !== undefined) {
      const { own, storageClass } = object.claim;
      return { ...object, health: withBindingMode(own, this.#classes.bindingMode(storageClass)) };
    }
    if (object.pods === undefined) return object;
    const { own, areLatest } = object.pods;
    const pods = areLatest ? this.#pods.of(object.target, objectKey(object)) : [];
    return { ...object, health: withPods(own, pods) };
  }

  /** A Pod of a workload changed. */
  #judgeAgain(targetId: string, key: string): void {
    const objects = this.#byTarget.get(targetId);
    const stored = objects?.get(key);
    if (objects === undefined || stored === undefined) return;
    const judged = this.#judged(stored);
    objects.set(key, judged);
    if (differs(stored, judged)) this.#changed(targetId);
  }

  /** A StorageClass changed. */
  #judgeClaims(): void {
    for (const [targetId, objects] of this.#byTarget)
      for (const [key, { claim }] of objects) if (claim !== undefined) this.#judgeAgain(targetId, key);
  }

  #remove(object: ObservedObject): void {
    const objects = this.#byTarget.get(object.target);
    const key = objectKey(object);
    const stored = objects?.get(key);
    if (objects === undefined || stored === undefined) return;
    // A deletion seen late must not hide the object that was made under the same name since.
    if (stored.uid !== object.uid && isNewerVersion(stored.resourceVersion, object.resourceVersion)) return;
    objects.delete(key);
    this.#pods.release(object.target, key);
    if (objects.size === 0) this.#byTarget.delete(object.target);
    this.#changed(object.target);
  }
}

function howMuchOf({ group, kind }: Resource): { metadataOnly: boolean } {
  return { metadataOnly: !hasHealth(group, kind) };
}

function reduce(resource: Resource, object: KubeObject): ObservedObject {
  const live: Omit<ObservedObject, 'health'> = liveObject(resource, object.metadata);
  if (!hasHealth(resource.group, resource.kind)) return { ...live, health: { state: 'Healthy' } };
  const reduced = reduceForHealth({ ...object, kind: resource.kind, apiVersion: live.apiVersion });
  const health = healthOf(reduced);
  if ((live.hook || live.check === true) && isWaitedFor(resource) && !finished(object).done) live.runs = true;
  const storageClass = classOfUnused(reduced);
  if (storageClass !== undefined) return { ...live, health, claim: { storageClass, own: health } };
  const { state } = health;
  const isUnhealthy = state === 'Progressing' || (state === 'Degraded' && resource.kind !== 'Job');
  const selector = isUnhealthy ? podSelectorOf(resource, object) : undefined;
  if (selector === undefined) return { ...live, health };
  return { ...live, health, pods: { selector, own: health, areLatest: hasPodsOfLatest(reduced) } };
}

/** Whether what anybody acts on is different: a status heartbeat alone wakes no target. */
function differs(a: ObservedObject, b: ObservedObject): boolean {
  return (
    a.uid !== b.uid ||
    a.deleting !== b.deleting ||
    a.owner !== b.owner ||
    a.prune !== b.prune ||
    a.pods?.selector !== b.pods?.selector ||
    a.entry?.hash !== b.entry?.hash ||
    a.entry?.time !== b.entry?.time ||
    a.runs !== b.runs ||
    a.health.state !== b.health.state ||
    a.health.message !== b.health.message
  );
}
