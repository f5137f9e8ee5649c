import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../manifest/digest.ts';
import { Slices } from '../observe/event-loop-slices.ts';
import { newCache } from './cache-directory.ts';
import type { Credential } from './credential.ts';
import { DiskSpace } from './disk-space.ts';
import { defaultLimits, defaultTimeouts, type Limits } from './limits.ts';
import { FirstPolls, PollTimer } from './poll-timer.ts';
import { parseRemoteUrl } from './remote-url.ts';
import { RemoteRepository, type Repository, type SourceObserver } from './repository.ts';
import { tenantOf } from './tenant.ts';
import { WorkLanes } from './threads/work-lanes.ts';
import type { AddressRules } from './transport/address.ts';
import { HttpTransport } from './transport/http-transport.ts';
import type { ProxyRule } from './transport/proxy.ts';
import { SshTransport } from './transport/ssh-transport.ts';
import type { Timeouts, Transport } from './wire/transport.ts';
import type { RunWork } from './work.ts';

export type { CommitInfo } from './pack/object-store.ts';
export type { GitRef, Resolved } from './refs.ts';
export type { Repository, SourceObserver } from './repository.ts';
export type { CommitTree } from './tree/commit-tree.ts';
export type { Advertisement } from './wire/advertisement.ts';
export type { ListedEntry, PathStat, ReadResult, TreeFile } from './work.ts';

/** Where a repository is, and what opens it. */
export interface Access {
  url: string;
  credential?: Credential;
}

export interface SourcesOptions extends AddressRules {
  /** Whether credentials may travel over plain HTTP; default false. */
  allowPlainHttpCredentials?: boolean;
  limits?: Partial<Limits>;
  timeouts?: Partial<Timeouts>;
  /**
   * Where packs are kept, in a directory that is removed on `stop`. It is this process's alone: what an earlier
   * one left there is removed. Default: the system's directory for temporary files.
   */
  cacheDirectory?: string;
  /** Threads that packs are read in; default 2. */
  workers?: number;
  /** Between 0 and 1; default Math.random. Spreads polls. */
  random?: () => number;
  /** For Git over HTTP; default none. */
  proxies?: ProxyRule;
  observer?: SourceObserver;
  /** Shared with all else that takes long. */
  slices?: Slices;
}

interface Subscription {
  watched: Watched;
  intervalMs: number;
  onChange: () => void;
}

interface Watched {
  repository: RemoteRepository;
  subscriptions: Map<string, Subscription>;
  timer: PollTimer;
  url: string;
  /** The poll that a push asked for and that has not been sent. */
  pushed: NodeJS.Timeout | undefined;
  /** When the last one was sent, on the clock of performance.now(). */
  pushedAt: number;
}

/** However many pushes are told, a repository is asked for them once in so many milliseconds. */
const pushSpacingMs = 1_000;
/** Indexing a pack larger than this goes to a thread of its own, so that no other repository waits. */
const largePackBytes = 1 << 20;

/** As many rounds as are taken need a tenth of that. Milliseconds. */
const keyMs = 30_000;

/** All repositories that someone watches: one poll and one fetch each, however many subscribers. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #limits: Limits;
  readonly #timeouts: Timeouts;
  readonly #directory: string;
  readonly #slices: Slices;
  readonly #lanes: WorkLanes;
  readonly #largeLane: WorkLanes;
  /** Keys have a thread of their own: whoever wrote one decides how long it takes to read. */
  readonly #keyLane: WorkLanes;
  readonly #watched = new Map<string, Watched>();
  readonly #space: DiskSpace;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #firstPolls = new FirstPolls();
  #count = 0;

  constructor(options: SourcesOptions = {}) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#directory = newCache(options.cacheDirectory, 'towpath-source-');
    this.#slices = options.slices ?? new Slices();
    const use = { reason: 'RepositoryCacheFull', of: 'Git repositories' } as const;
    this.#space = new DiskSpace(this.#limits.cacheBytes, use, () => repositoriesOf(this.#watched));
    const { workMs } = this.#limits;
    this.#lanes = new WorkLanes({ workMs, lanes: options.workers ?? 2 });
    // Two of them, too: one large pack that takes its time must not hold up all others.
    this.#largeLane = new WorkLanes({ workMs, idleMs: 60_000, lanes: 2 });
    this.#keyLane = new WorkLanes({ workMs: keyMs, idleMs: 60_000 });
  }

  /**
   * Subscribes someone, `<namespace>/<name>`, to a repository; what they were subscribed to before, they no longer
   * are, also when this throws: the server is not to be asked on with a credential that was taken back. The shortest
   * interval of all subscribers counts. `onChange` is called whenever refs or errors changed; the state is to be read
   * from the repository.
   *
   * @throws TowpathError URLInvalid, AddressRefused, PlainHTTPRefused, CredentialInvalid, AuthenticationFailed,
   * HostKeyUnknown.
   */
  watch(subscriber: string, access: Access, intervalMs: number, onChange: () => void): Repository {
    const watched = this.#repositoryFor(subscriber, access);
    const previous = this.#subscriptions.get(subscriber);
    const subscription = { watched, intervalMs, onChange };
    this.#subscriptions.set(subscriber, subscription);
    watched.subscriptions.set(subscriber, subscription);
    if (previous && previous.watched !== watched) this.#leave(subscriber, previous);
    watched.timer.bringForward();
    return watched.repository;
  }

  /** How many are subscribed to a repository. */
  subscribersOf({ key }: Repository): number {
    return this.#watched.get(key)?.subscriptions.size ?? 0;
  }

  unwatch(subscriber: string): void {
    const subscription = this.#subscriptions.get(subscriber);
    if (!subscription) return;
    this.#subscriptions.delete(subscriber);
    this.#leave(subscriber, subscription);
  }

  /** Asks the repositories at these URLs now, whatever their intervals: somebody pushed. */
  ask(urls: ReadonlySet<string>): void {
    for (const watched of this.#watched.values()) {
      if (!urls.has(watched.url) || watched.pushed !== undefined) continue;
      const wait = Math.max(0, watched.pushedAt + pushSpacingMs - performance.now());
      watched.pushed = setTimeout(() => void this.#pollPushed(watched), wait);
    }
  }

  async #pollPushed(watched: Watched): Promise<void> {
    watched.pushed = undefined;
    watched.pushedAt = performance.now();
    const { repository } = watched;
    await repository.poll().catch(() => undefined);
    // What the server could not tell now is not left until the interval is over.
    if (repository.error !== undefined) watched.timer.bringForward();
  }

  async stop(): Promise<void> {
    for (const subscriber of [...this.#subscriptions.keys()]) this.unwatch(subscriber);
    await Promise.all(this.#stopping);
    await Promise.all([this.#lanes.stop(), this.#largeLane.stop(), this.#keyLane.stop()]);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #repositoryFor(subscriber: string, access: Access): Watched {
    try {
      return this.#repository(subscriber, access);
    } catch (error) {
      this.unwatch(subscriber);
      throw error;
    }
  }

  #repository(subscriber: string, access: Access): Watched {
    const key = accessKey(access);
    const existing = this.#watched.get(key);
    if (existing) return existing;
    const subscriptions = new Map<string, Subscription>();
    const repository = new RemoteRepository({
      key,
      where: access.url,
      credential: access.credential,
      transport: this.#transport(access),
      directory: join(this.#directory, `${key}-${this.#count++}`),
      limits: this.#limits,
      timeouts: this.#timeouts,
      run: this.#runner(),
      observer: this.#options.observer ?? {},
      slices: this.#slices,
      changed: () => void this.#tell(subscriptions),
      space: this.#space,
      // Who watches a repository first has it counted.
      tenant: tenantOf(subscriber),
    });
    const timer = new PollTimer(repository, {
      interval: () => shortestInterval(subscriptions),
      random: this.#options.random ?? Math.random,
    });
    const watched: Watched = {
      repository,
      subscriptions,
      timer,
      url: access.url,
      pushed: undefined,
      pushedAt: Number.NEGATIVE_INFINITY,
    };
    this.#watched.set(key, watched);
    timer.schedule(this.#firstPolls.next());
    return watched;
  }

  /** However many they are, nobody else waits for that. */
  async #tell(subscriptions: ReadonlyMap<string, Subscription>): Promise<void> {
    for (const [subscriber, subscription] of [...subscriptions]) {
      const pause = this.#slices.pause();
      if (pause !== undefined) await pause;
      if (subscriptions.get(subscriber) === subscription) subscription.onChange();
    }
  }

  #transport({ url, credential }: Access): Transport {
    const remote = parseRemoteUrl(url);
    const { allowPlainHttpCredentials = false } = this.#options;
    const options = { ...this.#options, allowPlainHttpCredentials, timeouts: this.#timeouts };
    return remote.scheme === 'ssh'
      ? new SshTransport(remote, credential, { ...options, run: this.#keyLane.forRepository() })
      : new HttpTransport(remote, credential, options);
  }

  /** A repository keeps to one worker while it can, because that has its trees in memory. */
  #runner(): RunWork {
    const run = this.#lanes.forRepository();
    const runLarge = this.#largeLane.forRepository();
    return async (operation, input, signal) => {
      const large = operation === 'addPack' && 'bytes' in input && input.bytes > largePackBytes;
      if (!large) return run(operation, input, signal);
      try {
        return await runLarge(operation, input, signal);
      } finally {
        void runLarge('forget', { directory: input.directory }).catch(() => undefined);
      }
    };
  }

  #leave(subscriber: string, { watched }: Subscription): void {
    watched.subscriptions.delete(subscriber);
    if (watched.subscriptions.size > 0) return;
    watched.timer.stop();
    clearTimeout(watched.pushed);
    this.#watched.delete(watched.repository.key);
    const stopping = watched.repository.stop().finally(() => this.#stopping.delete(stopping));
    this.#stopping.add(stopping);
  }
}

function* repositoriesOf(watched: ReadonlyMap<string, Watched>): Generator<RemoteRepository> {
  for (const { repository } of watched.values()) yield repository;
}

function shortestInterval(subscriptions: ReadonlyMap<string, Subscription>): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const { intervalMs } of subscriptions.values()) shortest = Math.min(shortest, intervalMs);
  return shortest;
}

/** The same for the same URL and the same content of the credential (D14), and no way back to either. */
function accessKey({ url, credential }: Access): string {
  const content = Object.entries(credential ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify([url, content]));
}
