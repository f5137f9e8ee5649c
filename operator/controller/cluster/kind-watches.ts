import { TowpathError } from '../../api/errors.ts';
import { classify } from '../../apply/classify.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeClient, KubeObject, Resource, ServiceAccount } from '../../kube/client.ts';
import type { Discovery } from '../../kube/discovery.ts';
import { isForbidden } from '../../kube/errors.ts';
import { ListWatch, type WatchEvent } from '../../kube/list-watch.ts';
import type { Entry } from '../../kube/object-store.ts';
import { groupKind, type ObjectId } from '../../manifest/manifest.ts';
import { NEVER_AS_OPERATOR, type WatchedKind } from './lost-objects.ts';
import { Refusal } from './refusal.ts';

export interface KindWatchesOptions<T> {
  client: KubeClient;
  discovery: Discovery;
  labelSelector: string;
  isMetadataOnly(resource: Resource): boolean;
  /** What is kept of an object. */
  reduce(resource: Resource, object: KubeObject): T;
  onObject(event: KnownObject<T>): void;
  /** The object was deleted, or no watch tells of it any more. */
  onGone(object: T): void;
  /** These cannot be seen for a minute already, or can be seen again. */
  onSight(objects: T[]): void;
}

export type KnownObject<T> = Pick<WatchEvent<T>, 'object' | 'previous' | 'isAnew' | 'isAnswer'>;

/** Whose objects are to be watched, and as whom. */
export type WatchUser = Pick<TargetAccess, 'targetId' | 'as' | 'signal'>;

/** What tells one object from every other, and one of its states from the next. */
export type ObjectVersion = ObjectId & { uid: string; resourceVersion: string };

interface Watcher<T> {
  watch: ListWatch<T>;
  /** The targets that asked for it; without any it ends. */
  users: Set<string>;
  resource: Resource;
  /** Since when it fails, on the clock of performance.now(); absent while it works. */
  failingSince?: number;
  /** Whether those concerned were told that it fails. */
  isUnseen?: boolean;
  /** Resolves to false once listing was refused: the kind is then watched namespace by namespace. */
  forbidden: PromiseWithResolvers<false>;
  /** Of the operator's own account; while there is one the ServiceAccounts watch. */
  refusal?: Refusal;
  as: ServiceAccount | undefined;
}

/** A watch that fails for longer than this shows nothing that could be relied on. */
const UNSEEN_MS = 60_000;

/** An API server that has just started forbids all until it knows the roles. */
const LOST_MS = 10_000;

/** A kind whose API does not answer holds up its Applications no longer than this at a time. */
const FIRST_LIST_MS = 20_000;
const FAILING_LIST_MS = 500;

/**
 * One watch by kind. It serves all targets where the operator may read the kind cluster-wide; Secrets, and
 * kinds it may not read, are watched namespace by namespace as the target's ServiceAccount (S1). Each lasts as
 * long as a target asks for it.
 */
export class KindWatches<T extends ObjectVersion> {
  readonly #options: KindWatchesOptions<T>;
  readonly #watchers = new Map<string, Watcher<T>>();
  /** By target the keys of the watches that it uses, and whether it asked for them since `endUnused`. */
  readonly #uses = new Map<string, Map<string, 'now' | 'before'>>();
  /** By uid what only an answer tells of, and as whom it was asked: no watch has its kind, or none yet. */
  readonly #unwatched = new Map<string, { answer: Entry<T>; as: ServiceAccount | undefined }>();

  constructor(options: KindWatchesOptions<T>) {
    this.#options = options;
  }

  /**
   * Makes sure that the kinds are watched and that the first list is in; kinds the cluster does not serve
   * are passed over. Rejects with a TowpathError (the API server's "forbidden") where neither the operator nor the
   * ServiceAccount may list a kind.
   */
  async ensure(kinds: Iterable<WatchedKind>, user: WatchUser): Promise<void> {
    await Promise.all([...kinds].map((kind) => this.#ensureKind(kind, user)));
  }

  /** Ends the target's use of what it did not ask for since the last call. */
  endUnused(targetId: string): void {
    for (const [key, lastUse] of [...(this.#uses.get(targetId) ?? [])]) {
      if (lastUse === 'before') this.#release(targetId, key);
      else this.#uses.get(targetId)?.set(key, 'before');
    }
  }

  /** Ends the target's use of all. */
  forget(targetId: string): void {
    for (const key of [...(this.#uses.get(targetId)?.keys() ?? [])]) this.#release(targetId, key);
  }

  /** Ends the watches of kinds that the cluster no longer serves. */
  onDefinitionsChanged(): void {
    for (const [key, watcher] of this.#watchers) {
      const { group, kind, version } = watcher.resource;
      if (this.#options.discovery.resourceFor(group, kind, version) === undefined) this.#end(key, watcher);
    }
  }

  /** What the operator's account may see is other by now: tried at once, since of that alone nobody looks at anything. */
  onRightsChanged(): void {
    for (const watcher of [...this.#watchers.values()].filter(({ refusal }) => refusal !== undefined)) {
      watcher.refusal?.expire();
      void this.#tryAgain(watcher);
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#watchers.values()].map(({ watch }) => watch.stop()));
    this.#watchers.clear();
    this.#uses.clear();
    this.#unwatched.clear();
  }

  /**
   * Why the objects of a kind cannot be seen, when that is so for a minute already; undefined: they are seen, or
   * the kind is not watched.
   */
  unseen(kind: WatchedKind, as: ServiceAccount | undefined): string | undefined {
    const shown = this.#watcherOf(kind, as);
    const failingSince = shown?.failingSince;
    if (failingSince === undefined || performance.now() - failingSince < UNSEEN_MS) return undefined;
    return shown?.watch.lastError?.message ?? 'no answer';
  }

  /**
   * Takes in an object as the answer to a request of `as` shows it, beside what the watch tells. False: the watch has
   * told its end already.
   */
  takeIn(object: T, as: ServiceAccount | undefined): boolean {
    const { namespace, name, uid, resourceVersion } = object;
    const answer = { namespace, name, uid, resourceVersion, object };
    const watcher = this.#watcherOf(object, as);
    if (watcher !== undefined) return watcher.watch.takeIn(answer);
    this.#unwatched.set(uid, { answer, as });
    this.#options.onObject({ object, isAnswer: true });
    return true;
  }

  /** A watch has listed what there is: it tells from now on what becomes of what only answers told. */
  #handOver(watcher: Watcher<T>): void {
    for (const [uid, { answer, as }] of [...this.#unwatched]) {
      if (this.#watcherOf(answer.object, as) !== watcher) continue;
      this.#unwatched.delete(uid);
      if (!watcher.watch.takeIn(answer)) this.#options.onGone(answer.object);
    }
  }

  #watcherOf(kind: WatchedKind, as: ServiceAccount | undefined): Watcher<T> | undefined {
    const own = this.#watchers.get(watcherKey(kind, kind.namespace || undefined, as));
    const shown = own ?? this.#watchers.get(watcherKey(kind, undefined, undefined));
    return shown?.refusal === undefined ? shown : undefined;
  }

  #release(targetId: string, key: string): void {
    const uses = this.#uses.get(targetId);
    uses?.delete(key);
    if (uses?.size === 0) this.#uses.delete(targetId);
    const watcher = this.#watchers.get(key);
    watcher?.users.delete(targetId);
    if (watcher?.users.size === 0) this.#end(key, watcher);
  }

  #end(key: string, watcher: Watcher<T>): void {
    this.#watchers.delete(key);
    watcher.forbidden.reject(new WatchEnded());
    void watcher.watch.stop();
    this.#forget(watcher);
  }

  async #ensureKind(kind: WatchedKind, user: WatchUser): Promise<void> {
    for (;;) {
      try {
        return await this.#ensureWatch(kind, user);
      } catch (error) {
        user.signal.throwIfAborted();
        // Whoever waited for its first list begins anew: perhaps in another version, or without the kind.
        if (!(error instanceof WatchEnded)) throw error;
      }
    }
  }

  async #ensureWatch(kind: WatchedKind, user: WatchUser): Promise<void> {
    const { as, signal } = user;
    const resource = await this.#options.discovery.ensure(kind.group, kind.kind, undefined, { signal });
    if (resource === undefined || !resource.verbs.includes('watch')) return;
    if (!NEVER_AS_OPERATOR.has(groupKind(kind))) {
      const shared = this.#watcher(resource, undefined, undefined, user);
      if (shared.refusal?.isDue() === true) void this.#tryAgain(shared);
      if (shared.refusal === undefined && (await this.#synced(shared, kind, signal))) return;
    }
    const own = this.#watcher(resource, resource.namespaced ? kind.namespace : undefined, as, user);
    if (!(await this.#synced(own, kind, signal)) || isForbidden(own.watch.lastError))
      throw classify(own.watch.lastError, 'list', { ...kind, name: '*' }).error;
  }

  /** Watches for all once more where that is allowed again; until its first list is in the ServiceAccounts' watches tell. */
  async #tryAgain({ resource, users }: Watcher<T>): Promise<void> {
    const key = watcherKey(resource, undefined, undefined);
    const refused = this.#watchers.get(key);
    try {
      const { client, labelSelector } = this.#options;
      const signal = AbortSignal.timeout(FIRST_LIST_MS);
      await client.listPage({ resource }, { labelSelector, limit: 1, metadataOnly: true }, '', { signal });
    } catch {
      return;
    }
    if (refused === undefined || this.#watchers.get(key) !== refused) return;
    const watcher = this.#newWatcher(key, resource, undefined, undefined);
    for (const targetId of users) watcher.users.add(targetId);
  }

  /** True when the first list is in; false when it is forbidden. Throws TowpathError where it does not come. */
  async #synced(watcher: Watcher<T>, kind: WatchedKind, signal: AbortSignal): Promise<boolean> {
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

  /** The watch, with the user among its own. A run that was broken off, its Application gone perhaps, uses none. */
  #watcher(
    resource: Resource,
    namespace: string | undefined,
    as: ServiceAccount | undefined,
    { targetId, signal }: WatchUser,
  ): Watcher<T> {
    signal.throwIfAborted();
    const key = watcherKey(resource, namespace, as);
    const watcher = this.#watchers.get(key) ?? this.#newWatcher(key, resource, namespace, as);
    watcher.users.add(targetId);
    const uses = this.#uses.get(targetId) ?? new Map<string, 'now' | 'before'>();
    this.#uses.set(targetId, uses.set(key, 'now'));
    return watcher;
  }

  #newWatcher(
    key: string,
    resource: Resource,
    namespace: string | undefined,
    as: ServiceAccount | undefined,
  ): Watcher<T> {
    const forbidden = Promise.withResolvers<false>();
    forbidden.promise.catch(() => undefined);
    const watch = new ListWatch<T>({
      client: this.#options.client,
      resource,
      onState: (state) => {
        if (state.state === 'Failing') this.#failing(key, watcher, state.error);
        else if (state.state === 'Watching') this.#seen(watcher);
      },
      labelSelector: this.#options.labelSelector,
      metadataOnly: this.#options.isMetadataOnly(resource),
      reduce: (object) => this.#options.reduce(resource, object),
      onEvent: (event) => {
        if (event.type === 'Deleted') this.#options.onGone(event.object);
        else this.#options.onObject(event);
      },
      onListed: () => this.#handOver(watcher),
      ...(namespace === undefined ? {} : { namespace }),
      ...(as === undefined ? {} : { as }),
    });
    const watcher: Watcher<T> = { watch, users: new Set(), resource, forbidden, as };
    this.#watchers.set(key, watcher);
    watch.start();
    return watcher;
  }

  #failing(key: string, watcher: Watcher<T>, error: Error): void {
    const { watch, as, forbidden } = watcher;
    watcher.failingSince ??= performance.now();
    const failingMs = performance.now() - watcher.failingSince;
    // A watch of the operator's that loses its right later is given up too: the ServiceAccounts watch then.
    const isLost = as === undefined && failingMs >= LOST_MS;
    if (isForbidden(error) && (!watch.synced || isLost)) {
      forbidden.resolve(false);
      void watch.stop();
      // The ServiceAccount may be granted the right at any moment; the operator's own is asked for now and then.
      if (as === undefined) watcher.refusal = new Refusal();
      else this.#watchers.delete(key);
      if (watch.synced) this.#forget(watcher);
      return;
    }
    if (watcher.isUnseen || failingMs < UNSEEN_MS) return;
    watcher.isUnseen = true;
    this.#options.onSight([...watcher.watch.values()]);
  }

  #seen(watcher: Watcher<T>): void {
    delete watcher.failingSince;
    if (watcher.isUnseen !== true) return;
    watcher.isUnseen = false;
    this.#options.onSight([...watcher.watch.values()]);
  }

  /** Nobody tells of its objects any more, but for those that another watch has as well. */
  #forget(watcher: Watcher<T>): void {
    const others = [...this.#watchers.values()].filter(
      (other) => other !== watcher && groupKind(other.resource) === groupKind(watcher.resource),
    );
    for (const object of watcher.watch.values()) {
      const { namespace, name, uid } = object;
      if (!others.some(({ watch }) => watch.get(namespace, name)?.uid === uid)) this.#options.onGone(object);
    }
  }
}

/** The watch that somebody waited for was ended: its kind is no longer served so, or nobody uses it any more. */
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
