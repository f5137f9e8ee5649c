import { membersOf } from '../../api/foreign-object.ts';
import { type ReducedObject, reduceForHealth } from '../../health/health.ts';
import { at, listAt } from '../../health/reduce.ts';
import type { KubeClient, KubeObject, ServiceAccount } from '../../kube/client.ts';
import { isForbidden } from '../../kube/errors.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import { type GroupKind, groupKind } from '../../manifest/manifest.ts';
import { Refusal } from './refusal.ts';

/** A workload whose Pods are looked at while it is not healthy. */
export interface Workload {
  /** Object key. */
  key: string;
  namespace: string;
  /** As the API server takes a label selector in a query. */
  selector: string;
}

/** A Pod as `withPods` wants it. */
export interface WorkloadPod {
  name: string;
  pod: ReducedObject;
}

export interface PodWatchesOptions {
  client: KubeClient;
  /** A Pod of a workload came, changed or went. */
  onChange(targetId: string, key: string): void;
  /** How long a workload must be unhealthy before its Pods are asked for; most rollouts need no look. */
  patienceMs?: number;
}

interface SeenPod extends WorkloadPod {
  /** What its owner stamped it with; Pods of one revision have one. */
  revision: string;
  createdAt: string;
}

interface Watched {
  selector: string;
  identity: string;
  watch: ListWatch<SeenPod>;
  start: NodeJS.Timeout;
  /** The account may not list them. */
  refusal?: Refusal;
}

const PATIENCE_MS = 1_000;
/** Of all targets together; workloads beyond it are told without their Pods' reasons. */
const MOST_WATCHES = 256;

const WORKLOADS: ReadonlySet<GroupKind> = new Set([
  'apps/DaemonSet',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'batch/Job',
]);
/** Where controllers write which revision of a workload a Pod was made from. */
const REVISION_LABELS = ['pod-template-hash', 'controller-revision-hash'];
const PODS = { group: '', version: 'v1', plural: 'pods' };

/**
 * The Pods of workloads that are not healthy, watched as their target's ServiceAccount (S1) for as long as
 * that lasts: only a Pod knows why a container does not start.
 */
export class PodWatches {
  readonly #options: PodWatchesOptions;
  readonly #byTarget = new Map<string, Map<string, Watched>>();
  #size = 0;

  constructor(options: PodWatchesOptions) {
    this.#options = options;
  }

  /** Watches for exactly these workloads of the target; what it watched besides ends. */
  watch(targetId: string, workloads: Iterable<Workload>, as: ServiceAccount | undefined): void {
    const wanted = new Map([...workloads].map((workload) => [workload.key, workload]));
    for (const key of this.#byTarget.get(targetId)?.keys() ?? [])
      if (!wanted.has(key)) this.release(targetId, key);
    for (const workload of wanted.values()) this.#ensure(targetId, workload, as);
  }

  /** The Pods of the workload's newest revision that have not ended; none where nothing is watched. */
  of(targetId: string, key: string): WorkloadPod[] {
    const watched = this.#byTarget.get(targetId)?.get(key);
    if (watched === undefined) return [];
    const pods = [...watched.watch.values()].filter(
      ({ pod }) => !pod.deleting && pod.facts['status.phase'] !== 'Failed',
    );
    let newest: SeenPod | undefined;
    for (const pod of pods) if (newest === undefined || pod.createdAt > newest.createdAt) newest = pod;
    return pods
      .filter(({ revision }) => revision === newest?.revision)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  release(targetId: string, key: string): void {
    const ofTarget = this.#byTarget.get(targetId);
    const watched = ofTarget?.get(key);
    if (ofTarget === undefined || watched === undefined) return;
    ofTarget.delete(key);
    if (ofTarget.size === 0) this.#byTarget.delete(targetId);
    this.#size -= 1;
    clearTimeout(watched.start);
    void watched.watch.stop();
  }

  async stop(): Promise<void> {
    const all = [...this.#byTarget.values()].flatMap((ofTarget) => [...ofTarget.values()]);
    this.#byTarget.clear();
    this.#size = 0;
    for (const { start } of all) clearTimeout(start);
    await Promise.all(all.map(({ watch }) => watch.stop()));
  }

  #ensure(targetId: string, workload: Workload, as: ServiceAccount | undefined): void {
    const { key, namespace, selector } = workload;
    const identity = as === undefined ? '' : `${as.namespace}/${as.name}`;
    const existing = this.#byTarget.get(targetId)?.get(key);
    const isSame = existing?.selector === selector && existing.identity === identity;
    if (isSame && existing.refusal?.isDue() !== true) return;
    if (existing !== undefined) this.release(targetId, key);
    if (this.#size >= MOST_WATCHES) return;
    const watch = new ListWatch<SeenPod>({
      client: this.#options.client,
      resource: PODS,
      namespace,
      labelSelector: selector,
      reduce: reducePod,
      onEvent: () => this.#options.onChange(targetId, key),
      onState: (state) => {
        // Without the right to see Pods the workload's own conditions must do.
        if (state.state !== 'Failing' || !isForbidden(state.error)) return;
        watched.refusal = new Refusal();
        void watch.stop();
      },
      ...(as === undefined ? {} : { as }),
    });
    const start = setTimeout(() => watch.start(), this.#options.patienceMs ?? PATIENCE_MS);
    const watched: Watched = { selector, identity, watch, start };
    const ofTarget = this.#byTarget.get(targetId) ?? new Map<string, Watched>();
    this.#byTarget.set(targetId, ofTarget.set(key, watched));
    this.#size += 1;
  }
}

function reducePod(object: KubeObject): SeenPod {
  const { name, labels = {}, creationTimestamp = '' } = object.metadata;
  const label = REVISION_LABELS.find((candidate) => labels[candidate] !== undefined);
  return {
    name,
    revision: label === undefined ? '' : (labels[label] ?? ''),
    createdAt: creationTimestamp,
    pod: reduceForHealth({ ...object, apiVersion: 'v1', kind: 'Pod' }),
  };
}

/** The selector of a live workload's Pods; undefined for other kinds, and where it selects nothing. */
export function podSelectorOf(kind: { group: string; kind: string }, object: unknown): string | undefined {
  if (!WORKLOADS.has(groupKind(kind))) return undefined;
  const terms: string[] = [];
  const labels = membersOf(at(object, 'spec.selector.matchLabels'));
  for (const [name, value] of Object.entries(labels)) terms.push(`${name}=${String(value)}`);
  for (const expression of listAt(object, 'spec.selector.matchExpressions')) {
    const key = String(at(expression, 'key'));
    const values = listAt(expression, 'values').join(',');
    const operator = at(expression, 'operator');
    if (operator === 'In') terms.push(`${key} in (${values})`);
    else if (operator === 'NotIn') terms.push(`${key} notin (${values})`);
    else if (operator === 'Exists') terms.push(key);
    else if (operator === 'DoesNotExist') terms.push(`!${key}`);
  }
  return terms.length === 0 ? undefined : terms.join(',');
}
