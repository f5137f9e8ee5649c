import { TowpathError } from '../../api/errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type ClusterAccess, readKubeConfig } from '../../kube/kubeconfig.ts';
import { type ReferencedContent, References } from '../candidate/references.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { ClusterLink, type Connect, KUBE_SYSTEM, type LinkFacts, type LinkState } from './cluster-link.ts';
import { hostRefusal } from './kubeconfig-hosts.ts';

/** The Secret, in the operator's namespace, and its key with the kubeconfig. */
export interface KubeConfigReference {
  readonly name: string;
  readonly key: string;
}

export interface ClustersOptions {
  /** The one that the operator runs in. */
  home: Cluster;
  /** Of the API server with the Secrets. */
  client: KubeClient;
  /** The operator's namespace. */
  namespace: string;
  connect: Connect;
  /** It is to be asked anew how the cluster of the Environment with that name stands. */
  onChange(environment: string): void;
}

/** What is known of an Environment's cluster, and the context of its own kubeconfig. */
export interface ClusterFacts extends LinkFacts {
  readonly context: string;
}

/** Whether there is a way to an Environment's cluster; why not, by the Secret that it names itself. */
export type StandState =
  | Exclude<LinkState, { readonly is: 'Lost' }>
  | { readonly is: 'Lost'; readonly error: TowpathError };

/** How an Environment's cluster stands, and what is known of it. */
export interface ClusterStand {
  readonly state: StandState;
  readonly facts: ClusterFacts | undefined;
}

interface Followed {
  readonly reference: KubeConfigReference;
  readonly ended: AbortController;
  link?: ClusterLink;
  /** Of its kubeconfig: that of others with the same link may have another name for it. */
  context: string;
  /** Why there is no link. */
  error?: TowpathError;
  isReading: boolean;
  /** The Secret changed while it was read. */
  isOutdated: boolean;
}

/** A Secret that could not be read is read again after so long. */
const READ_AGAIN_MS = 5_000;
const HOME_ANSWER_MS = 8_000;
const CONNECTING = { is: 'Connecting' } as const;

/**
 * The clusters that Environments are in. A way to one is known by the whole content of its kubeconfig, never by its URL
 * (B7): those that have the same share it, with its connections and watches, and two that have different rights on one
 * API server share nothing.
 */
export class Clusters {
  readonly #options: ClustersOptions;
  readonly #secrets: References;
  readonly #followed = new Map<string, Followed>();
  #homeUid: Promise<string> | undefined;

  constructor(options: ClustersOptions) {
    this.#options = options;
    this.#secrets = new References(options.client, (environment) => this.#read(environment));
  }

  /** Takes in what the Environment of that name says now; undefined: it is in the operator's own cluster, or gone. */
  follow(environment: string, reference: KubeConfigReference | undefined): void {
    const before = this.#followed.get(environment);
    if (before?.reference.name === reference?.name && before?.reference.key === reference?.key) return;
    if (before !== undefined) {
      before.ended.abort(new Error('the Environment names another Secret'));
      this.#followed.delete(environment);
      this.#secrets.forget(environment);
      this.#leave(before);
    }
    if (reference === undefined) return;
    this.#followed.set(environment, {
      reference,
      ended: new AbortController(),
      context: '',
      isReading: false,
      isOutdated: false,
    });
    this.#read(environment);
  }

  /** Undefined: the Environment is in the operator's own cluster. */
  stand(environment: string): ClusterStand | undefined {
    const followed = this.#followed.get(environment);
    if (followed === undefined) return undefined;
    const { link, context, error, reference } = followed;
    if (error !== undefined) return { state: { is: 'Lost', error }, facts: undefined };
    if (link === undefined) return { state: CONNECTING, facts: undefined };
    return { state: stateOf(link, this.#where(reference.name)), facts: { ...link.facts, context } };
  }

  /**
   * The cluster with that uid, by the Environment's kubeconfig. Nobody confirmed another one that it may lead to by now.
   *
   * @throws TowpathError where there is no way to it any more
   */
  of(environment: string, uid: string): Cluster {
    const cluster = this.#followed.get(environment)?.link?.clusterAt(uid);
    if (cluster !== undefined) return cluster;
    throw new TowpathError(
      'Time',
      'ClusterUnreachable',
      `The cluster of Environment ${environment} (${uid}) is not connected. It is tried again.`,
    );
  }

  /** All that are connected, the operator's own first. */
  all(): Cluster[] {
    const others = new Set([...this.#followed.values()].flatMap(({ link }) => link?.cluster ?? []));
    return [this.#options.home, ...others];
  }

  async stop(): Promise<void> {
    const links = new Set([...this.#followed.values()].flatMap(({ link }) => link ?? []));
    for (const { ended } of this.#followed.values()) ended.abort(new Error('stopping'));
    this.#followed.clear();
    await Promise.all([this.#secrets.stop(), ...[...links].map((link) => link.stop())]);
  }

  /** Reads the Secret; one read at a time for each Environment, and the last one counts. */
  #read(environment: string): void {
    const followed = this.#followed.get(environment);
    if (followed === undefined) return;
    followed.isOutdated = true;
    if (followed.isReading) return;
    followed.isReading = true;
    void this.#readAll(environment, followed).finally(() => {
      followed.isReading = false;
      // It changed between the last look and the end.
      if (followed.isOutdated && !followed.ended.signal.aborted) this.#read(environment);
    });
  }

  async #readAll(environment: string, followed: Followed): Promise<void> {
    const { reference, ended } = followed;
    const { signal } = ended;
    const { namespace } = this.#options;
    while (followed.isOutdated && !signal.aborted) {
      followed.isOutdated = false;
      try {
        const secret = { kind: 'Secret' as const, namespace, name: reference.name };
        const contents = await this.#secrets.read(environment, [secret], signal);
        if (signal.aborted) return;
        const content = contents.get(`Secret/${reference.name}`);
        this.#take(environment, followed, this.#accessIn(content, reference));
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof TowpathError)) throw error;
        this.#lose(environment, followed, error);
        // Nobody tells that it can be read again.
        if (error.remedy === 'Time') setTimeout(() => this.#read(environment), READ_AGAIN_MS).unref();
      }
    }
  }

  #accessIn(secret: ReferencedContent | undefined, { name, key }: KubeConfigReference): ClusterAccess {
    const { namespace } = this.#options;
    const content = secret?.data.get(key);
    if (content !== undefined) {
      const given = readKubeConfig(Buffer.from(content).toString('utf8'), this.#where(name));
      const refusal = hostRefusal({ name: `Secret ${namespace}/${name}`, hosts: secret?.hosts }, given);
      if (refusal !== undefined) throw refusal;
      return given;
    }
    const what =
      secret === undefined
        ? `Secret ${namespace}/${name}, which has the kubeconfig, does not exist`
        : `Secret ${namespace}/${name} has no key ${key}, which is to have the kubeconfig`;
    const next = 'Store it; what runs there stays.';
    throw new TowpathError('Resource', 'KubeConfigMissing', `${what}. ${next}`, { next });
  }

  #where(name: string): string {
    return `The kubeconfig in Secret ${this.#options.namespace}/${name}`;
  }

  #take(environment: string, followed: Followed, given: ClusterAccess): void {
    const { link: before, context, error, reference } = followed;
    delete followed.error;
    followed.context = given.context;
    const same =
      before?.digest === given.digest
        ? before
        : [...this.#followed.values()].find(({ link }) => link?.digest === given.digest)?.link;
    if (same !== undefined) this.#join(followed, same);
    else if (before !== undefined && this.#areAllOf(before, reference)) before.rotate(given);
    else this.#join(followed, this.#newLink(given));
    // One that others have told already how it stands, and knows no context.
    const isJoined = same !== undefined && same !== before;
    const isRenamed = before !== undefined && given.context !== context;
    if (isJoined || isRenamed || error !== undefined) this.#options.onChange(environment);
  }

  /** What the Secret had is no more to be used. */
  #lose(environment: string, followed: Followed, error: TowpathError): void {
    const isNews = followed.error?.message !== error.message;
    followed.error = error;
    this.#leave(followed);
    if (isNews) this.#options.onChange(environment);
  }

  #newLink(given: ClusterAccess): ClusterLink {
    const link = new ClusterLink({
      given,
      connect: this.#options.connect,
      homeUid: () => this.#askHome(),
      onChange: () => {
        for (const [environment, followed] of this.#followed)
          if (followed.link === link) this.#options.onChange(environment);
      },
    });
    link.start();
    return link;
  }

  /** Once: the cluster that one runs in is never another one. */
  #askHome(): Promise<string> {
    this.#homeUid ??= this.#options.home.client.getMetadata(KUBE_SYSTEM, { timeoutMs: HOME_ANSWER_MS }).then(
      ({ metadata }) => metadata.uid,
      (error: unknown) => {
        this.#homeUid = undefined;
        throw error;
      },
    );
    return this.#homeUid;
  }

  #join(followed: Followed, link: ClusterLink): void {
    const before = followed.link;
    followed.link = link;
    this.#endUnused(before);
  }

  #leave(followed: Followed): void {
    const { link } = followed;
    delete followed.link;
    this.#endUnused(link);
  }

  #endUnused(link: ClusterLink | undefined): void {
    const isUsed = [...this.#followed.values()].some((followed) => followed.link === link);
    if (link !== undefined && !isUsed) void link.stop();
  }

  /** Whether all that use the link have their kubeconfig from that key, so that they all go on to what it has now. */
  #areAllOf(link: ClusterLink, { name, key }: KubeConfigReference): boolean {
    return [...this.#followed.values()].every(
      ({ link: used, reference }) => used !== link || (reference.name === name && reference.key === key),
    );
  }
}

/** @param where The Environment's own kubeconfig, at the beginning of a sentence */
function stateOf({ state }: ClusterLink, where: string): StandState {
  return state.is === 'Lost' ? { is: 'Lost', error: state.trouble(where) } : state;
}
