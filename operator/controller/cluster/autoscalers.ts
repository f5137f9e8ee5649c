import { LABEL_TARGET } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject, ServiceAccount } from '../../kube/client.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { ListWatch, type WatchEvent } from '../../kube/list-watch.ts';
import { type LiveObject, wasScaled } from '../../manifest/live.ts';
import { objectKey } from '../../manifest/manifest.ts';
import { type ScaleTarget, scaledKey } from '../../manifest/scale-target.ts';
import { Refusal } from './refusal.ts';

export interface AutoscalersOptions {
  client: KubeClient;
  /** The object of this key is scaled, or no longer. */
  onChange(key: string): void;
}

/** The target that asks. */
interface Asker {
  targetId: string;
  as?: ServiceAccount | undefined;
  signal: AbortSignal;
}

/** Whose objects may be scaled, and where they are. */
export interface ScaledTarget extends Asker {
  namespaces: ReadonlySet<string>;
}

/** What is kept of an autoscaler. */
interface Seen {
  /** Of what it scales. */
  key: string | undefined;
  /** The target that applied it, '' where none did. */
  target: string;
}

interface Watched {
  watch: ListWatch<Seen>;
  /** By what is scaled (its namespace is theirs) the autoscalers' names, with the target that applied each. */
  byKey: Map<string, Map<string, string>>;
  /** Resolves when the autoscalers are known, or cannot be for now. */
  looked: Promise<void>;
  /** It may not list them. */
  refusal?: Refusal;
}

const AUTOSCALERS = { group: 'autoscaling', version: 'v2', plural: 'horizontalpodautoscalers' };
/** An API server that does not answer holds up a look no longer than this. */
const FIRST_LIST_MS = 5_000;

/**
 * The HorizontalPodAutoscalers of the cluster, whoever made them: by hand, another Application, KEDA. One watch where
 * the operator's read role lists them, of which no target learns more than that its own object is scaled; else they
 * are watched namespace by namespace as the targets' ServiceAccounts (S1).
 */
export class Autoscalers {
  readonly #options: AutoscalersOptions;
  #ofCluster: Watched | undefined;
  /** By namespace and account, with the targets that use it. */
  readonly #ofAccounts = new Map<string, { watched: Watched; users: Set<string> }>();
  readonly #byTarget = new Map<string, ReadonlyMap<string, Watched>>();

  constructor(options: AutoscalersOptions) {
    this.#options = options;
  }

  /**
   * Watches what may scale objects of the target; resolves when the autoscalers are known, or cannot be for now.
   * Rejects with the signal's reason. A run that was broken off, its Application gone perhaps, watches nothing.
   */
  async watch(target: ScaledTarget): Promise<void> {
    target.signal.throwIfAborted();
    const limit = AbortSignal.any([target.signal, AbortSignal.timeout(FIRST_LIST_MS)]);
    this.#ofCluster ??= this.#begin({});
    await within(limit, this.#ofCluster.looked);
    target.signal.throwIfAborted();
    if (this.#ofCluster.refusal?.isDue() === true) void this.#tryAgain();
    if (this.#ofCluster.refusal !== undefined) await within(limit, this.#watchAsAccount(target));
    else this.forget(target.targetId);
    target.signal.throwIfAborted();
  }

  /**
   * Whether an autoscaler scales the object that is none of the target's own: of those its candidate tells. Where
   * they cannot be seen, that somebody scaled it must do.
   */
  isScaled(object: LiveObject, targetId: string): boolean {
    const watched =
      this.#ofCluster?.refusal !== undefined
        ? this.#byTarget.get(targetId)?.get(object.namespace)
        : this.#ofCluster;
    if (watched === undefined) return false;
    if (watched.refusal !== undefined || !watched.watch.synced) return wasScaled(object);
    const targets = watched.byKey.get(objectKey(object))?.values() ?? [];
    return [...targets].some((target) => target !== targetId);
  }

  /**
   * Of these objects of the target those that an autoscaler scales which is none of its own, as the API server says
   * now: its watch may be behind that of what it scaled. Asked only of what somebody scaled, and rejects with what
   * the API server answers.
   */
  async askScaled(
    { targetId, as, signal }: Asker,
    objects: readonly LiveObject[],
  ): Promise<ReadonlySet<string>> {
    const unsure = objects.filter((one) => wasScaled(one) && !this.isScaled(one, targetId));
    const scaled = new Set<string>();
    const user = this.#ofCluster?.refusal !== undefined && as !== undefined ? { as } : {};
    for (const namespace of new Set(unsure.map((one) => one.namespace))) {
      const path = { resource: AUTOSCALERS, namespace };
      const { items } = await this.#options.client.list(path, {}, { signal, ...user });
      for (const { key, target } of items.map(reduce))
        if (key !== undefined && target !== targetId) scaled.add(key);
    }
    return new Set(unsure.map(objectKey).filter((key) => scaled.has(key)));
  }

  forget(targetId: string): void {
    this.#byTarget.delete(targetId);
    this.#release(targetId, new Set());
  }

  /** What the operator's account may see is other by now: tried at once, since of that alone nobody looks at anything. */
  onRightsChanged(): void {
    if (this.#ofCluster?.refusal === undefined) return;
    this.#ofCluster.refusal.expire();
    void this.#tryAgain();
  }

  async stop(): Promise<void> {
    const all = [...this.#ofAccounts.values()].map(({ watched }) => watched);
    if (this.#ofCluster !== undefined) all.push(this.#ofCluster);
    this.#ofAccounts.clear();
    this.#byTarget.clear();
    await Promise.all(all.map(({ watch }) => watch.stop()));
  }

  /** The accounts' watches tell until that of the cluster has listed them. */
  async #tryAgain(): Promise<void> {
    const refused = this.#ofCluster;
    const next = this.#begin({});
    await next.looked;
    if (next.watch.synced && this.#ofCluster === refused) this.#ofCluster = next;
    else void next.watch.stop();
  }

  async #watchAsAccount({ targetId, namespaces, as }: ScaledTarget): Promise<void> {
    const wanted = new Map([...namespaces].map((one) => [one, this.#ensure(targetId, one, as)]));
    this.#byTarget.set(targetId, wanted);
    const kept = new Set(wanted.values());
    this.#release(targetId, kept);
    await Promise.all([...kept].map(({ looked }) => looked));
  }

  #ensure(targetId: string, namespace: string, as: ServiceAccount | undefined): Watched {
    const id = `${namespace} ${as === undefined ? '' : `${as.namespace}/${as.name}`}`;
    let shared = this.#ofAccounts.get(id);
    // The account may have been granted the right since.
    if (shared === undefined || shared.watched.refusal !== undefined) {
      const where = { namespace, ...(as === undefined ? {} : { as }) };
      shared = { watched: this.#begin(where), users: shared?.users ?? new Set() };
      this.#ofAccounts.set(id, shared);
    }
    shared.users.add(targetId);
    return shared.watched;
  }

  #begin(where: { namespace?: string; as?: ServiceAccount }): Watched {
    const looked = Promise.withResolvers<void>();
    const byKey: Watched['byKey'] = new Map();
    const watch = new ListWatch<Seen>({
      client: this.#options.client,
      resource: AUTOSCALERS,
      reduce,
      onEvent: (event) => {
        index(byKey, event);
        for (const key of changedKeys(event)) this.#options.onChange(key);
      },
      onListed: () => looked.resolve(),
      onState: (state) => {
        if (state.state !== 'Failing') return;
        if (isForbidden(state.error) || isNotFound(state.error)) {
          watched.refusal = new Refusal();
          void watch.stop();
        }
        looked.resolve();
      },
      ...where,
    });
    const watched: Watched = { watch, byKey, looked: looked.promise };
    watch.start();
    return watched;
  }

  /** Ends the target's use of all but these. */
  #release(targetId: string, kept: ReadonlySet<Watched>): void {
    for (const [id, { watched, users }] of this.#ofAccounts) {
      if (kept.has(watched) || !users.delete(targetId) || users.size > 0) continue;
      this.#ofAccounts.delete(id);
      void watched.watch.stop();
    }
  }
}

/** Waits no longer than the signal lets it; what comes later is found by the next look. */
async function within(limit: AbortSignal, looked: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  if (limit.aborted) return;
  limit.addEventListener('abort', end, { once: true });
  await Promise.race([looked, promise]);
  limit.removeEventListener('abort', end);
}

function index(byKey: Watched['byKey'], { type, name, object, previous }: WatchEvent<Seen>): void {
  const former = (type === 'Deleted' ? object : previous)?.key;
  if (former !== undefined) {
    const left = byKey.get(former);
    left?.delete(name);
    if (left?.size === 0) byKey.delete(former);
  }
  if (type === 'Deleted' || object.key === undefined) return;
  const same = byKey.get(object.key) ?? new Map<string, string>();
  byKey.set(object.key, same.set(name, object.target));
}

/** Their status changes every few seconds, and is nothing here. */
function changedKeys({ type, object, previous }: WatchEvent<Seen>): Set<string> {
  if (type === 'Modified' && previous?.key === object.key && previous?.target === object.target)
    return new Set();
  return new Set([object.key, previous?.key].filter((key) => key !== undefined));
}

function reduce(object: KubeObject): Seen {
  const { namespace = '', labels = {} } = object.metadata;
  return { key: scaledKey(namespace, object as ScaleTarget), target: labels[LABEL_TARGET] ?? '' };
}
