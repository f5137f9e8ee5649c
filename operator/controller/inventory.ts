import { TowpathError } from '../api/errors.ts';
import { LABEL_TARGET } from '../api/v1alpha1/names.ts';
import { classify } from '../apply/classify.ts';
import { inParallel } from '../apply/run.ts';
import { type Health, hasHealth, healthOf, reduceForHealth, withPods } from '../health/health.ts';
import type { KubeClient, KubeObject, Resource, ServiceAccount } from '../kube/client.ts';
import type { Discovery } from '../kube/discovery.ts';
import { isForbidden } from '../kube/errors.ts';
import { ListWatch } from '../kube/list-watch.ts';
import { isNewerVersion } from '../kube/resource-version.ts';
import { keepReason } from '../manifest/keep.ts';
import { type LiveObject, liveObject } from '../manifest/live.ts';
import { groupKind, objectKey } from '../manifest/manifest.ts';
import { PodWatches, podSelectorOf, type Workload } from './pods.ts';
import { listTarget, NEVER_AS_OPERATOR, type SearchAccess, type WatchedKind } from './search.ts';

export interface ObservedObject extends LiveObject {
  health: Health;
  /** Present on a workload that is not healthy: whose Pods may tell why. */
  pods?: { selector: string; own: ObservedObject['health'] };
}

export interface InventoryOptions {
  client: KubeClient;
  discovery: Discovery;
  /** Something of the target changed in the cluster. */
  onChange(targetId: string): void;
}

interface Watcher {
  watch: ListWatch<ObservedObject>;
  resource: Resource;
  /** Since when it fails, on the clock of performance.now(); absent while it works. */
  failingSince?: number;
  /** Whether those concerned were told that it fails. */
  isUnseen?: boolean;
  /** Resolves to false once listing was refused: the kind is then watched namespace by namespace. */
  forbidden: PromiseWithResolvers<false>;
  isForbidden: boolean;
  as: ServiceAccount | undefined;
}

/** A watch that fails for longer than this shows nothing that could be relied on. */
const UNSEEN_MS = 60_000;

/** A kind whose API does not answer holds up its Applications no longer than this at a time. */
const FIRST_LIST_MS = 20_000;
const FAILING_LIST_MS = 500;

/**
 * What the targets have in the cluster, from watches by label: metadata alone, and for kinds that have
 * health the part of the object that decides it. One watch serves all targets where the operator may read
 * the kind cluster-wide; Secrets, and kinds it may not read, are watched namespace by namespace as the
 * target's ServiceAccount (S1).
 */
export class Inventory {
  readonly #options: InventoryOptions;
  readonly #watchers = new Map<string, Watcher>();
  readonly #listeners = new Set<(targetId: string) => void>();
  readonly #byTarget = new Map<string, Map<string, ObservedObject>>();
  readonly #pods: PodWatches;

  constructor(options: InventoryOptions) {
    this.#options = options;
    const { client } = options;
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
   * Makes sure that the kinds are watched and that the first list is in; kinds the cluster does not serve
   * are passed over. Rejects with a TowpathError (the API server's "forbidden") where neither the operator nor the
   * ServiceAccount may list a kind.
   */
  async ensure(
    kinds: Iterable<WatchedKind>,
    as: ServiceAccount | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all([...kinds].map((kind) => this.#ensureKind(kind, as, signal)));
  }

  /**
   * Takes in what a write returned, so that the inventory is never behind our own writes. The run that wrote
   * knows it already: only those who wait in `until` are told, and the watch's echo then tells nothing new.
   */
  observe(object: KubeObject, resource: Resource): ObservedObject {
    const observed = reduce(resource, object);
    if (this.#store(observed) === 'changed') this.#tellWaiting(observed.target);
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
   * Lists the kinds anew, past what the watches have told so far, and takes in what is there. True: an object of
   * the target's own that may be deleted was found.
   */
  async lookAgain(kinds: Iterable<WatchedKind>, access: SearchAccess): Promise<boolean> {
    let found = false;
    await inParallel([...kinds], async ({ group, kind, namespace }) => {
      const resource = this.#options.discovery.resourceFor(group, kind);
      if (resource === undefined || !resource.verbs.includes('list')) return;
      for (const object of await listTarget(this.#options.client, resource, access, namespace)) {
        const live = liveObject(resource, object.metadata);
        if (keepReason(live, { ...access, prune: true }) !== undefined || live.deleting) continue;
        this.#store({ ...live, health: { state: 'Healthy' } });
        found = true;
      }
    });
    return found;
  }

  /** Watches the Pods of the target's workloads that are not healthy, as its ServiceAccount. */
  lookAtPods(targetId: string, as: ServiceAccount | undefined): void {
    const workloads: Workload[] = [];
    for (const [key, { namespace, pods }] of this.of(targetId))
      if (pods !== undefined) workloads.push({ key, namespace, selector: pods.selector });
    this.#pods.watch(targetId, workloads, as);
  }

  /** Ends the watches made as ServiceAccounts of a namespace that no Application there names any more. */
  release(namespace: string, stillNamed: ReadonlySet<string>): void {
    for (const [key, watcher] of this.#watchers) {
      if (watcher.as?.namespace !== namespace || stillNamed.has(watcher.as.name)) continue;
      this.#end(key, watcher);
    }
  }

  /** Ends the watches of kinds that the cluster no longer serves. */
  onDefinitionsChanged(): void {
    for (const [key, watcher] of this.#watchers) {
      const { group, kind, version } = watcher.resource;
      if (this.#options.discovery.resourceFor(group, kind, version) === undefined) this.#end(key, watcher);
    }
  }

  #end(key: string, watcher: Watcher): void {
    this.#watchers.delete(key);
    watcher.forbidden.reject(new WatchEnded());
    void watcher.watch.stop();
    this.#forget(watcher);
  }

  async stop(): Promise<void> {
    await this.#pods.stop();
    await Promise.all([...this.#watchers.values()].map(({ watch }) => watch.stop()));
    this.#watchers.clear();
  }

  /**
   * Why the objects of a kind cannot be seen, when that is so for a minute already; undefined: they are seen, or
   * the kind is not watched.
   */
  unseen(kind: WatchedKind, as: ServiceAccount | undefined): string | undefined {
    const own = this.#watchers.get(watcherKey(kind, kind.namespace || undefined, as));
    const shown = own ?? this.#watchers.get(watcherKey(kind, undefined, undefined));
    const failingSince = shown?.failingSince;
    if (failingSince === undefined || performance.now() - failingSince < UNSEEN_MS) return undefined;
    return shown?.watch.lastError?.message ?? 'no answer';
  }

  async #ensureKind(kind: WatchedKind, as: ServiceAccount | undefined, signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.#ensureWatch(kind, as, signal);
      } catch (error) {
        signal.throwIfAborted();
        // Whoever waited for its first list begins anew: perhaps in another version, or without the kind.
        if (!(error instanceof WatchEnded)) throw error;
      }
    }
  }

  async #ensureWatch(kind: WatchedKind, as: ServiceAccount | undefined, signal: AbortSignal): Promise<void> {
    const resource = await this.#options.discovery.ensure(kind.group, kind.kind, undefined, { signal });
    if (resource === undefined || !resource.verbs.includes('watch')) return;
    if (!NEVER_AS_OPERATOR.has(groupKind(kind))) {
      const shared = this.#watcher(resource, undefined, undefined);
      if (!shared.isForbidden && (await this.#synced(shared, kind, signal))) return;
    }
    const own = this.#watcher(resource, resource.namespaced ? kind.namespace : undefined, as);
    if (!(await this.#synced(own, kind, signal)) || isForbidden(own.watch.lastError))
      throw classify(own.watch.lastError, 'list', { ...kind, name: '*' }).error;
  }

  /** True when the first list is in; false when it is forbidden. Throws TowpathError where it does not come. */
  async #synced(watcher: Watcher, kind: WatchedKind, signal: AbortSignal): Promise<boolean> {
    if (watcher.watch.synced) return true;
    const waiting = new AbortController();
    // One that is known to fail is not waited for as long again: suspend, say, is to be told at once (A5).
    const patience = watcher.failingSince === undefined ? FIRST_LIST_MS : FAILING_LIST_MS;
    const stop = AbortSignal.any([signal, waiting.signal, AbortSignal.timeout(patience)]);
    try {
      const synced = watcher.watch.whenSynced(stop).then(() => true);
      synced.catch(() => undefined);
      return await Promise.race([synced, watcher.forbidden.promise]);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof WatchEnded) throw error;
      const { lastError } = watcher.watch;
      if (lastError === undefined) throw unlisted(kind);
      throw classify(lastError, 'list', { ...kind, name: '*' }).error;
    } finally {
      waiting.abort(new Error('no longer waited for'));
    }
  }

  #watcher(resource: Resource, namespace: string | undefined, as: ServiceAccount | undefined): Watcher {
    const key = watcherKey(resource, namespace, as);
    const existing = this.#watchers.get(key);
    if (existing !== undefined) return existing;
    const forbidden = Promise.withResolvers<false>();
    forbidden.promise.catch(() => undefined);
    const watch = new ListWatch<ObservedObject>({
      client: this.#options.client,
      resource,
      onState: (state) => {
        if (state.state === 'Failing') this.#failing(key, watcher, state.error);
        else if (state.state === 'Watching') this.#seen(watcher);
      },
      labelSelector: LABEL_TARGET,
      metadataOnly: !hasHealth(resource.group, resource.kind),
      reduce: (object) => reduce(resource, object),
      onEvent: (event) => {
        if (event.type === 'Deleted') this.#remove(event.object);
        else this.#follow(event.object, event.previous);
      },
      ...(namespace === undefined ? {} : { namespace }),
      ...(as === undefined ? {} : { as }),
    });
    const watcher: Watcher = { watch, resource, forbidden, isForbidden: false, as };
    this.#watchers.set(key, watcher);
    watch.start();
    return watcher;
  }

  #failing(key: string, watcher: Watcher, error: Error): void {
    const { watch, as, forbidden } = watcher;
    // A watch of the operator's that loses its right later is given up too: the ServiceAccounts watch then.
    if (isForbidden(error) && (!watch.synced || as === undefined)) {
      watcher.isForbidden = true;
      forbidden.resolve(false);
      void watch.stop();
      // The ServiceAccount may be granted the right at any moment; the operator's role does not change.
      if (as !== undefined) this.#watchers.delete(key);
      if (watch.synced) this.#forget(watcher);
      return;
    }
    watcher.failingSince ??= performance.now();
    if (watcher.isUnseen || performance.now() - watcher.failingSince < UNSEEN_MS) return;
    watcher.isUnseen = true;
    this.#wakeTargetsOf(watcher);
  }

  #seen(watcher: Watcher): void {
    delete watcher.failingSince;
    if (watcher.isUnseen !== true) return;
    watcher.isUnseen = false;
    this.#wakeTargetsOf(watcher);
  }

  #wakeTargetsOf({ watch }: Watcher): void {
    for (const target of new Set([...watch.values()].map((object) => object.target))) this.#changed(target);
  }

  /** Nobody tells of its objects any more, but for those that another watch has as well. */
  #forget(watcher: Watcher): void {
    const others = [...this.#watchers.values()].filter(
      (other) => other !== watcher && groupKind(other.resource) === groupKind(watcher.resource),
    );
    for (const object of watcher.watch.values()) {
      const { namespace, name, uid } = object;
      if (!others.some(({ watch }) => watch.get(namespace, name)?.uid === uid)) this.#remove(object);
    }
  }

  #changed(targetId: string): void {
    this.#tellWaiting(targetId);
    this.#options.onChange(targetId);
  }

  #tellWaiting(targetId: string): void {
    for (const look of this.#listeners) look(targetId);
  }

  #follow(object: ObservedObject, previous: ObservedObject | undefined): void {
    if (previous !== undefined && previous.target !== object.target) this.#remove(previous);
    if (this.#store(object) === 'changed') this.#changed(object.target);
  }

  #store(object: ObservedObject): 'changed' | 'known' {
    if (object.target === '') return 'known';
    const objects = this.#byTarget.get(object.target) ?? new Map<string, ObservedObject>();
    this.#byTarget.set(object.target, objects);
    const key = objectKey(object);
    const known = objects.get(key);
    if (known !== undefined && isNewerVersion(known.resourceVersion, object.resourceVersion)) return 'known';
    const judged = this.#withPods(object);
    objects.set(key, judged);
    return known === undefined || differs(known, judged) ? 'changed' : 'known';
  }

  #withPods(object: ObservedObject): ObservedObject {
    if (object.pods === undefined) return object;
    const { own } = object.pods;
    const pods = this.#pods.of(object.target, objectKey(object));
    // A Deployment that ran out of its own deadline does not say why either.
    const seen = withPods({ ...own, state: 'Progressing' }, pods);
    if (seen.state !== 'Degraded') return { ...object, health: own };
    const { failedAt } = own;
    return { ...object, health: failedAt === undefined ? seen : { ...seen, failedAt } };
  }

  /** A Pod of a workload changed. */
  #judgeAgain(targetId: string, key: string): void {
    const objects = this.#byTarget.get(targetId);
    const known = objects?.get(key);
    if (objects === undefined || known === undefined) return;
    const judged = this.#withPods(known);
    objects.set(key, judged);
    if (differs(known, judged)) this.#changed(targetId);
  }

  #remove(object: ObservedObject): void {
    const objects = this.#byTarget.get(object.target);
    const key = objectKey(object);
    const known = objects?.get(key);
    if (objects === undefined || known === undefined) return;
    // A deletion seen late must not hide the object that was made under the same name since.
    if (known.uid !== object.uid && isNewerVersion(known.resourceVersion, object.resourceVersion)) return;
    objects.delete(key);
    this.#pods.release(object.target, key);
    if (objects.size === 0) this.#byTarget.delete(object.target);
    this.#changed(object.target);
  }
}

/** The watch that somebody waited for was ended: its kind is no longer served so, or its account no longer named. */
class WatchEnded extends Error {}

/** The API server has not answered; that is no fault of what is to be deployed. */
function unlisted({ group, kind }: Pick<WatchedKind, 'group' | 'kind'>): TowpathError {
  return new TowpathError(
    'Time',
    'ClusterUnreachable',
    `The objects of kind ${kind}${group === '' ? '' : ` (${group})`} cannot be listed: the API server does not answer. It is tried again.`,
  );
}

function watcherKey(
  kind: Pick<WatchedKind, 'group' | 'kind'>,
  namespace: string | undefined,
  as: ServiceAccount | undefined,
): string {
  const identity = as === undefined ? '' : `${as.namespace}/${as.name}`;
  return `${groupKind(kind)} ${namespace ?? '*'} ${identity}`;
}

function reduce(resource: Resource, object: KubeObject): ObservedObject {
  const live = liveObject(resource, object.metadata);
  if (!hasHealth(resource.group, resource.kind)) return { ...live, health: { state: 'Healthy' } };
  const health = healthOf(reduceForHealth({ ...object, kind: resource.kind, apiVersion: live.apiVersion }));
  const { state } = health;
  const isUnhealthy = state === 'Progressing' || (state === 'Degraded' && resource.kind !== 'Job');
  const selector = isUnhealthy ? podSelectorOf(resource, object) : undefined;
  return selector === undefined ? { ...live, health } : { ...live, health, pods: { selector, own: health } };
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
    a.health.state !== b.health.state ||
    a.health.message !== b.health.message
  );
}
