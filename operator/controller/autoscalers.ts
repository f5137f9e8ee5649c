import { LABEL_TARGET } from '../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject, ServiceAccount } from '../kube/client.ts';
import { isForbidden, isNotFound } from '../kube/errors.ts';
import { ListWatch, type WatchEvent } from '../kube/list-watch.ts';
import { type ScaleTarget, scaledKey } from '../manifest/scale-target.ts';

export interface AutoscalersOptions {
  client: KubeClient;
  /** In a namespace of the target's another object is scaled, or one no longer. */
  onChange(targetId: string): void;
}

/** Whose workloads somebody scaled, and where. */
export interface ScaledTarget {
  targetId: string;
  namespaces: ReadonlySet<string>;
  as: ServiceAccount | undefined;
  signal: AbortSignal;
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
  users: Set<string>;
  isForbidden: boolean;
}

const AUTOSCALERS = { group: 'autoscaling', version: 'v2', plural: 'horizontalpodautoscalers' };
/** An API server that does not answer holds up a look no longer than this. */
const FIRST_LIST_MS = 5_000;

/**
 * The HorizontalPodAutoscalers of namespaces in which somebody scaled a workload of ours, whoever made them: by hand,
 * another Application, KEDA. Watched as the target's ServiceAccount (S1), for as long as that shows on the workload.
 */
export class Autoscalers {
  readonly #options: AutoscalersOptions;
  /** By namespace and account. */
  readonly #watched = new Map<string, Watched>();
  readonly #byTarget = new Map<string, ReadonlyMap<string, Watched>>();

  constructor(options: AutoscalersOptions) {
    this.#options = options;
  }

  /**
   * Watches exactly these namespaces for the target; resolves when the autoscalers in them are known, or cannot be for
   * now. Rejects with the signal's reason.
   */
  async watch({ targetId, namespaces, as, signal }: ScaledTarget): Promise<void> {
    const before = this.#byTarget.get(targetId);
    if (before === undefined && namespaces.size === 0) return;
    const wanted = new Map([...namespaces].map((one) => [one, this.#ensure(targetId, one, as)]));
    if (wanted.size === 0) this.#byTarget.delete(targetId);
    else this.#byTarget.set(targetId, wanted);
    const kept = new Set(wanted.values());
    for (const watched of before?.values() ?? []) if (!kept.has(watched)) this.#release(targetId, watched);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(FIRST_LIST_MS)]);
    await Promise.all([...kept].map((watched) => firstLook(watched, limit)));
    signal.throwIfAborted();
  }

  /**
   * Whether an autoscaler scales the object of this key that is none of the target's own: of those its candidate
   * tells. Where the account may not see them, that somebody scaled it must do.
   */
  isScaled(key: string, namespace: string, targetId: string): boolean {
    const watched = this.#byTarget.get(targetId)?.get(namespace);
    if (watched === undefined) return false;
    if (watched.isForbidden) return true;
    for (const seen of watched.watch.values()) if (seen.key === key && seen.target !== targetId) return true;
    return false;
  }

  forget(targetId: string): void {
    for (const watched of this.#byTarget.get(targetId)?.values() ?? []) this.#release(targetId, watched);
    this.#byTarget.delete(targetId);
  }

  async stop(): Promise<void> {
    const all = [...this.#watched.values()];
    this.#watched.clear();
    this.#byTarget.clear();
    await Promise.all(all.map(({ watch }) => watch.stop()));
  }

  #ensure(targetId: string, namespace: string, as: ServiceAccount | undefined): Watched {
    const id = `${namespace} ${as === undefined ? '' : `${as.namespace}/${as.name}`}`;
    const known = this.#watched.get(id) ?? this.#begin(id, namespace, as);
    known.users.add(targetId);
    return known;
  }

  #begin(id: string, namespace: string, as: ServiceAccount | undefined): Watched {
    const users = new Set<string>();
    const watch = new ListWatch<Seen>({
      client: this.#options.client,
      resource: AUTOSCALERS,
      namespace,
      reduce,
      onEvent: (event) => {
        if (isNews(event)) for (const user of users) this.#options.onChange(user);
      },
      onState: (state) => {
        if (state.state !== 'Failing' || !(isForbidden(state.error) || isNotFound(state.error))) return;
        watched.isForbidden = true;
        void watch.stop();
      },
      ...(as === undefined ? {} : { as }),
    });
    const watched: Watched = { watch, users, isForbidden: false };
    this.#watched.set(id, watched);
    watch.start();
    return watched;
  }

  #release(targetId: string, watched: Watched): void {
    watched.users.delete(targetId);
    if (watched.users.size > 0) return;
    for (const [id, one] of this.#watched) if (one === watched) this.#watched.delete(id);
    void watched.watch.stop();
  }
}

async function firstLook({ watch, isForbidden }: Watched, signal: AbortSignal): Promise<void> {
  if (isForbidden || watch.lastError !== undefined) return;
  await watch.whenSynced(signal).catch(() => undefined);
}

/** Their status changes every few seconds, and is nothing here. */
function isNews({ type, object, previous }: WatchEvent<Seen>): boolean {
  return type !== 'Modified' || previous?.key !== object.key || previous?.target !== object.target;
}

function reduce(object: KubeObject): Seen {
  const { namespace = '', labels = {} } = object.metadata;
  return { key: scaledKey(namespace, object as ScaleTarget), target: labels[LABEL_TARGET] ?? '' };
}
