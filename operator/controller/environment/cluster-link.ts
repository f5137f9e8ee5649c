import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../kube/client.ts';
import { type AccessSource, GivenAccess } from '../../kube/credentials.ts';
import { UnreachableError } from '../../kube/errors.ts';
import type { ClusterAccess } from '../../kube/kubeconfig.ts';
import type { Cluster } from '../cluster/cluster.ts';
import {
  clusterIsHome,
  clusterUnreachable,
  homeUnknown,
  hostOf,
  type Trouble,
  troubleOf,
} from './cluster-trouble.ts';
import { Reachability } from './reachability.ts';

/** How an API server of others is connected to. */
export interface Connect {
  client(access: AccessSource, beforeWrite: () => Promise<void> | undefined): KubeClient;
  /** `host`: of its API server, for the log. */
  cluster(client: KubeClient, host: string): Cluster;
}

export interface ClusterLinkOptions {
  given: ClusterAccess;
  connect: Connect;
  /** Uid of the operator's own cluster. @throws where that is not known for now */
  homeUid(): Promise<string>;
  /** It is to be asked anew how it stands. */
  onChange(): void;
}

/** Whether there is a way to a cluster. */
export type LinkState =
  /** Nobody knows yet. */
  | { readonly is: 'Connecting' }
  | { readonly is: 'Lost'; readonly trouble: Trouble }
  | { readonly is: 'Reached'; readonly uid: string };

/** What is known of a cluster, also while it is out of reach. */
export interface LinkFacts {
  readonly version: string | undefined;
  readonly uid: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly issuedAt: Date | undefined;
}

interface Connected {
  readonly client: KubeClient;
  readonly source: GivenAccess;
}

interface Known extends Connected {
  readonly uid: string;
  readonly cluster: Cluster;
  /** Since when, on the clock of performance.now(). */
  readonly since: number;
  /** It is known what is served. */
  isStarted: boolean;
}

/** A cluster is known by the uid of this namespace: the address says nothing, and this one nobody replaces. */
export const KUBE_SYSTEM = {
  resource: { group: '', version: 'v1', plural: 'namespaces' },
  name: 'kube-system',
};
/** Between two questions whether it is still there, and still the same. One out of reach is told within a minute (B2). */
const ASK_MS = 10_000;
const ANSWER_MS = 8_000;
/** After a question without an answer. */
const RETRY_MS = 3_000;
/** An API server that has just started refuses all until it knows the roles. */
const REFUSED_RETRY_MS = 10_000;
/** So long before a write it is known whom it goes to. */
const FRESH_MS = 2_000;
const WRITE_PATIENCE_MS = 4_000;
/** Where nobody asks whose it is. */
const ANY = 'The kubeconfig';
/** Until it is known what is served. */
const START_MS = 20_000;

/**
 * The way to one cluster of others: who it is, asked again and again, and whether it answers. It never gives up; what
 * is known of the cluster is kept until it turns out to be another one.
 */
export class ClusterLink {
  readonly #options: ClusterLinkOptions;
  readonly #stopping = new AbortController();
  #given: ClusterAccess;
  #known: Known | undefined;
  /** A kubeconfig that nothing was heard with yet. */
  #next: (Connected & { given: ClusterAccess }) | undefined;
  #trouble: Trouble | undefined;
  readonly #reachability = new Reachability();
  #verifiedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #woken = Promise.withResolvers<void>();
  #told = '';
  #running: Promise<void> | undefined;

  constructor(options: ClusterLinkOptions) {
    this.#options = options;
    this.#given = options.given;
    this.#next = { ...this.#connect(options.given), given: options.given };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new UnreachableError('Closed', 'The cluster is used no more.'));
    this.#woken.resolve();
    const [known, next] = [this.#known, this.#next];
    await Promise.all([known?.cluster.stop(), this.#running]);
    await Promise.all([known?.client.close(), next?.client.close()]);
  }

  get digest(): string {
    return this.#next?.given.digest ?? this.#given.digest;
  }

  get state(): LinkState {
    if (this.#trouble !== undefined) return { is: 'Lost', trouble: this.#trouble };
    const known = this.#known;
    if (known === undefined) return { is: 'Connecting' };
    if (known.isStarted) return { is: 'Reached', uid: known.uid };
    if (performance.now() - known.since < START_MS) return { is: 'Connecting' };
    const why = known.cluster.problem ?? 'what it serves is not known';
    return { is: 'Lost', trouble: clusterUnreachable(hostOf(this.#given), why) };
  }

  get facts(): LinkFacts {
    const { expiresAt, issuedAt } = this.#next?.given ?? this.#given;
    const version = this.#known?.cluster.discovery.kubeVersion() || undefined;
    return { version, uid: this.#known?.uid, expiresAt, issuedAt };
  }

  /** The cluster that was found last. */
  get cluster(): Cluster | undefined {
    return this.#known?.cluster;
  }

  /** The cluster that was found last, where that is the one with this uid. */
  clusterAt(uid: string): Cluster | undefined {
    return this.#known?.uid === uid ? this.#known.cluster : undefined;
  }

  /** Another kubeconfig takes the place of the one before, as soon as it is known where it leads. */
  rotate(given: ClusterAccess): void {
    if (given.digest === this.digest) return;
    void this.#next?.client.close();
    this.#next = { ...this.#connect(given), given };
    this.#reachability.startAnew();
    this.#woken.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#woken = Promise.withResolvers<void>();
      await this.#ask();
      const pause = sleep(this.#pauseMs(), undefined, { signal, ref: false }).catch(() => undefined);
      await Promise.race([pause, this.#woken.promise]);
    }
  }

  #pauseMs(): number {
    if (this.#reachability.failures === 0) return this.#known?.isStarted === true ? ASK_MS : RETRY_MS;
    const isRefusal = this.#trouble !== undefined && !isSilence(this.#trouble);
    return isRefusal ? REFUSED_RETRY_MS : RETRY_MS;
  }

  /** Who comes meanwhile shares the answer. */
  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
      // Before whoever asked goes on: a write is the first to notice that it is another cluster.
      this.#tell();
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const { signal } = this.#stopping;
    const next = this.#next;
    const client = next?.client ?? this.#known?.client;
    if (client === undefined) return;
    const askedAt = performance.now();
    // Another kubeconfig may have come meanwhile.
    const isOutdated = () => signal.aborted || this.#next !== next;
    try {
      const { metadata } = await client.getMetadata(KUBE_SYSTEM, { timeoutMs: ANSWER_MS, signal });
      const home = await this.#homeUid();
      if (isOutdated() || home === undefined) return;
      if (metadata.uid === home) {
        this.#foundHome();
        return;
      }
      this.#found(metadata.uid, next);
      this.#verifiedAt = askedAt;
      this.#reachability.answered(performance.now());
      this.#trouble = undefined;
    } catch (error) {
      if (isOutdated()) return;
      const given = next?.given ?? this.#given;
      const trouble = troubleOf(error, given, client.now());
      const how = isSilence(trouble) ? 'Unanswered' : 'Refused';
      if (this.#reachability.failed(how, performance.now())) this.#trouble = trouble;
    }
  }

  #found(uid: string, next: (Connected & { given: ClusterAccess }) | undefined): void {
    const before = this.#known;
    if (next !== undefined) {
      this.#next = undefined;
      this.#given = next.given;
    }
    if (before?.uid === uid) {
      if (next === undefined) return;
      // What is known of the cluster stays, and its watches go on: they begin anew with the new credentials by and by.
      before.source.replace(next.given.access);
      // Another account perhaps, which may see more.
      before.cluster.inventory.onRightsChanged();
      this.#told = '';
      void next.client.close();
      return;
    }
    // What is under way with the client before must not go on in another cluster.
    this.#know(uid, next ?? this.#connect(this.#given));
    void before?.cluster.stop().finally(() => before.client.close());
  }

  /** Undefined: nobody can tell for now, and before that nothing is written. */
  async #homeUid(): Promise<string | undefined> {
    try {
      return await this.#options.homeUid();
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#refuse((where) => homeUnknown(where, error));
      return undefined;
    }
  }

  /** What is known of a cluster of others is of no use here, and what is under way with its client must not go on. */
  #foundHome(): void {
    const before = this.#known;
    this.#next ??= { ...this.#connect(this.#given), given: this.#given };
    this.#known = undefined;
    void before?.cluster.stop().finally(() => before.client.close());
    this.#refuse(clusterIsHome);
  }

  #refuse(trouble: Trouble): void {
    this.#reachability.failed('Refused', performance.now());
    this.#trouble = trouble;
  }

  #know(uid: string, { client, source }: Connected): void {
    const cluster = this.#options.connect.cluster(client, hostOf(this.#given));
    const known: Known = { uid, cluster, client, source, since: performance.now(), isStarted: false };
    this.#known = known;
    cluster.start().then(
      () => {
        known.isStarted = true;
        this.#tell();
      },
      // It was stopped before.
      () => undefined,
    );
  }

  #connect(given: ClusterAccess): Connected {
    const source = new GivenAccess(given.access);
    const client: KubeClient = this.#options.connect.client(source, () => this.#beforeWrite(client));
    return { client, source };
  }

  /** Whom a write goes to is asked first, unless that is known since a moment ago: behind the address may be another one by now. */
  #beforeWrite(client: KubeClient): Promise<void> | undefined {
    const isFresh = () => performance.now() - this.#verifiedAt < FRESH_MS;
    if (isFresh() && client === this.#known?.client && this.#trouble === undefined) return undefined;
    return this.#isAnswered().then((isAnswered) => {
      const why =
        client === this.#known?.client ? this.#trouble?.(ANY).message : 'it is another cluster by now';
      if (why === undefined && isAnswered && this.#reachability.failures === 0) return;
      throw new UnreachableError('Unverified', `Nothing is written: ${why ?? 'the cluster does not answer'}`);
    });
  }

  /** Who is to write does not wait as long as it takes to tell that the cluster is out of reach. */
  async #isAnswered(): Promise<boolean> {
    const given = new AbortController();
    const late = sleep(WRITE_PATIENCE_MS, false, { signal: given.signal, ref: false });
    late.catch(() => undefined);
    const isAnswered = await Promise.race([this.#ask().then(() => true), late]);
    given.abort();
    return isAnswered;
  }

  /** Only what changed is told. */
  #tell(): void {
    if (this.#stopping.signal.aborted) return;
    const { state, facts } = this;
    const error = state.is === 'Lost' ? state.trouble(ANY) : undefined;
    const now = JSON.stringify([state.is, error?.reason, error?.message, facts]);
    if (now === this.#told) return;
    this.#told = now;
    this.#options.onChange();
  }
}

/** Whether it did not answer at all. */
function isSilence(trouble: Trouble): boolean {
  return trouble(ANY).reason === 'ClusterUnreachable';
}
