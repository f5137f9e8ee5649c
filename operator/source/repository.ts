import { join } from 'node:path';
import { TowpathError } from '../api/errors.ts';
import { unlessAborted } from '../kube/unless-aborted.ts';
import type { Slices } from '../observe/event-loop-slices.ts';
import { BoundedMap } from './bounded-map.ts';
import type { Credential } from './credential.ts';
import type { DiskSpace, Occupant } from './disk-space.ts';
import type { Limits } from './limits.ts';
import { notACommit } from './pack/not-a-commit.ts';
import { type History, Packs, refusalError } from './pack/packs.ts';
import { AdvertisedRefs, type GitRef, type Missing, maxEquals, type Resolved } from './refs.ts';
import { SharedPoll } from './shared-poll.ts';
import { networkError } from './transport/network-error.ts';
import { CommitTree, isDamage } from './tree/commit-tree.ts';
import { type Advertisement, RemoteRefusal, readAdvertisement, sameRefs } from './wire/advertisement.ts';
import type { Timeouts, Transport } from './wire/transport.ts';
import type { RunWork } from './work.ts';

/** A remote repository, as everyone sees it who has the same URL and credential. */
export interface Repository {
  /** Identifies URL and credential; holds neither. */
  readonly key: string;
  /** What the remote had when it was last asked with success; undefined until then. */
  readonly advertisement: Advertisement | undefined;
  /** Why the last poll failed; undefined when it did not. */
  readonly error: TowpathError | undefined;
  /** When the last poll ended, on the clock of `performance.now()`; undefined until then. */
  readonly checkedAt: number | undefined;
  /** When that poll was sent: what the remote had by then is known, unless it failed. */
  readonly sentAt: number | undefined;
  /** When the remote told of something new last. */
  readonly changedAt: number | undefined;
  /**
   * Asks the remote now: what it answers was sent for no earlier than this call. Concurrent callers share one
   * request. The signal ends this caller's wait only.
   *
   * @throws TowpathError, the same as `error` afterwards.
   */
  poll(signal?: AbortSignal): Promise<void>;
  /**
   * Finds a ref in the advertisement, without asking the remote.
   *
   * @throws TowpathError RefNotFound, RefInvalid, RepositoryEmpty; before the first answer `error` or NotPolled.
   */
  resolve(ref: GitRef): Resolved;
  /** The same without words; undefined before the first answer. */
  find(ref: GitRef): Resolved | Missing | undefined;
  /**
   * Of several tags of one version the one whose commit is newest, by its committer's time; what else was resolved
   * is returned as it is. Their commits are fetched, together and once: only they say when they were made.
   */
  newest(resolved: Resolved, signal?: AbortSignal): Promise<Resolved>;
  /**
   * Fetches the commit unless it is there. The signal ends this caller's wait only: what was not begun for it
   * is left undone.
   */
  open(resolved: Resolved, signal?: AbortSignal): Promise<CommitTree>;
  /**
   * The paths at which the files of two commits differ, the second of which is fetched unless it is there; undefined
   * where that cannot be told. The signal is as for `open`.
   */
  changes(from: string, to: string, signal?: AbortSignal): Promise<readonly string[] | undefined>;
}

/** What happened, for metrics. */
export interface SourceObserver {
  /** `reason` is '' for success. */
  polled?(event: { repository: string; milliseconds: number; reason: string }): void;
  fetched?(event: { repository: string; milliseconds: number; bytes: number; reason: string }): void;
}

export interface RepositorySettings {
  key: string;
  /** The URL, which has no credentials in it. */
  where: string;
  /** Never told: it is taken out of what the server says. */
  credential: Credential | undefined;
  transport: Transport;
  directory: string;
  limits: Limits;
  timeouts: Timeouts;
  run: RunWork;
  observer: SourceObserver;
  slices: Slices;
  /** Called when what the remote has, or whether it can be reached, changed. */
  changed(): void;
  /** The room on disk that it shares with all others, and with whom it shares what one tenant may have of it. */
  space: DiskSpace;
  tenant: string;
}

const ANY_WANT = ['allow-reachable-sha1-in-want', 'allow-any-sha1-in-want'];
const maxKnownTimes = 8 * maxEquals;
/** What a fetch brings is bounded: commits come with all their files. */
const timesAFetch = 32;

export class RemoteRepository implements Repository, Occupant {
  readonly key: string;
  error: TowpathError | undefined;
  checkedAt: number | undefined;
  sentAt: number | undefined;
  changedAt: number | undefined;
  /** Polls that failed in a row. */
  failures = 0;
  readonly #settings: RepositorySettings;
  readonly #stopped = new AbortController();
  #refs: AdvertisedRefs | undefined;
  readonly #polls = new SharedPoll(() => this.#pollNow());
  #packs: Packs | undefined;
  /** Outgrown packs that trees may still be read from. */
  #previous: Packs | undefined;
  #generation = 0;
  /** When commits were made, of those that were asked for; milliseconds since 1970. */
  readonly #times = new BoundedMap<string, number>(maxKnownTimes);
  #fetches: Promise<unknown> = Promise.resolve();
  /** How many of them wait or run, and of what waits for its turn among them. */
  #underWay = 0;
  /** Fetches that wait for their turn or run, by commit, with the signals of all who wait for them. */
  readonly #fetching = new Map<string, { packs: Promise<Packs>; signals: (AbortSignal | undefined)[] }>();

  constructor(settings: RepositorySettings) {
    this.key = settings.key;
    this.#settings = settings;
  }

  /** Bytes on disk, and when they were last used. */
  get cached(): { bytes: number; lastUsed: number } {
    const bytes = (this.#packs?.bytes ?? 0) + (this.#previous?.bytes ?? 0);
    return { bytes, lastUsed: this.#packs?.lastUsed ?? 0 };
  }

  get advertisement(): Advertisement | undefined {
    return this.#refs?.advertisement;
  }

  poll(signal?: AbortSignal): Promise<void> {
    return unlessAborted(this.#polls.poll(), signal);
  }

  /** The poll that is under way, or a new one: for who knows of nothing newer. */
  pollOnce(): Promise<void> {
    return this.#polls.pollOnce();
  }

  resolve(ref: GitRef): Resolved {
    if (this.#refs) return this.#refs.resolve(ref);
    throw (
      this.error ??
      new TowpathError('Time', 'NotPolled', `The repository ${this.#settings.where} has not answered yet.`)
    );
  }

  find(ref: GitRef): Resolved | Missing | undefined {
    return this.#refs?.find(ref);
  }

  async newest({ commit, ref, equals }: Resolved, signal?: AbortSignal): Promise<Resolved> {
    if (equals === undefined) return { commit, ref };
    const missing = [
      ...new Set(equals.map((each) => each.commit).filter((oid) => this.#times.get(oid) === undefined)),
    ];
    for (let from = 0; from < missing.length; from += timesAFetch)
      await unlessAborted(this.#learnTimes(missing.slice(from, from + timesAFetch)), signal);
    const timeOf = (each: { commit: string }) => this.#times.get(each.commit) ?? 0;
    return equals.reduce((best, each) => (timeOf(each) > timeOf(best) ? each : best));
  }

  open(resolved: Resolved, signal?: AbortSignal): Promise<CommitTree> {
    return unlessAborted(this.#open(resolved.commit, signal), signal);
  }

  changes(from: string, to: string, signal?: AbortSignal): Promise<readonly string[] | undefined> {
    return unlessAborted(this.#changes(from, to, signal), signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(
      new TowpathError('Time', 'Stopping', `The repository ${this.#settings.where} is no longer watched.`),
    );
    await this.#settings.transport.close();
    await this.#polls.running?.catch(() => undefined);
    await this.#dropPacks();
  }

  get tenant(): string {
    return this.#settings.tenant;
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  evict(): void {
    this.#packs?.giveUp();
    this.#previous?.giveUp();
    void this.#dropPacks().catch(() => undefined);
  }

  /** Gives the disk back when no fetch runs; the next `open` fetches again. */
  #dropPacks(): Promise<void> {
    return this.#inTurn(() => this.#drop());
  }

  /** After the fetches that wait already. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++;
    const done = this.#fetches
      .catch(() => undefined)
      .then(work)
      .finally(() => {
        this.#underWay--;
      });
    this.#fetches = done;
    return done;
  }

  async #drop(): Promise<void> {
    const [packs, previous] = [this.#packs, this.#previous];
    this.#packs = undefined;
    this.#previous = undefined;
    await packs?.remove();
    await previous?.remove();
  }

  async #pollNow(): Promise<void> {
    const { transport, timeouts, observer, changed, where, slices } = this.#settings;
    const started = performance.now();
    const before = this.error;
    let refsChanged = false;
    try {
      const advertisement = await this.#within(timeouts.advertiseMs, async (signal) => {
        const packets = transport.advertise(signal);
        try {
          return await readAdvertisement(packets);
        } finally {
          await packets.return(undefined);
        }
      });
      refsChanged = !(await sameRefs(this.advertisement, advertisement, slices));
      // Equal ones stay the same, with what was derived from them.
      if (refsChanged) this.#refs = await AdvertisedRefs.read(advertisement, this.#refs, where, slices);
      this.error = undefined;
      this.failures = 0;
    } catch (error) {
      this.error = error as TowpathError;
      this.failures++;
    }
    this.checkedAt = performance.now();
    this.sentAt = started;
    if (refsChanged) this.changedAt = this.checkedAt;
    const reason = this.error?.reason ?? '';
    observer.polled?.({ repository: this.key, milliseconds: this.checkedAt - started, reason });
    if (refsChanged || before?.message !== this.error?.message) changed();
    if (this.error) throw this.error;
  }

  async #open(commit: string, signal: AbortSignal | undefined): Promise<CommitTree> {
    const packs = await this.#withCommit(commit, signal);
    packs.lastUsed = performance.now();
    const { limits } = this.#settings;
    const run: RunWork = async (operation, input, signal) => {
      packs.lastUsed = performance.now();
      try {
        return await this.#settings.run(operation, input, signal);
      } catch (error) {
        if (isDamage(error)) this.#distrust(packs);
        throw error;
      }
    };
    const described = await run('commit', { directory: packs.directory, limits, oid: commit }, signal);
    return new CommitTree(commit, described, { directory: packs.directory, limits, run });
  }

  /** The former commit is not there after a start, or where packs began anew: what it has besides is little to ask for. */
  async #changes(from: string, to: string, signal: AbortSignal | undefined): Promise<string[] | undefined> {
    if (from === to) return [];
    const packs = await this.#withCommit(to, signal);
    if (!(await packs.has(from, signal))) {
      if (!this.#givesAny) return undefined;
      if ((await this.#withCommit(from, signal)) !== packs) return undefined;
    }
    const { limits, run } = this.#settings;
    packs.lastUsed = performance.now();
    return run('changes', { directory: packs.directory, limits, from, to }, signal);
  }

  /** Whether the server gives commits that no ref names. */
  get #givesAny(): boolean {
    return ANY_WANT.some((capability) => this.advertisement?.capabilities.has(capability));
  }

  /** The packs that hold a commit; one fetch at a time, and one for all who want the same. */
  async #withCommit(commit: string, signal: AbortSignal | undefined): Promise<Packs> {
    const current = this.#packs;
    if (current && (await current.has(commit, signal))) return current;
    const shared = this.#fetching.get(commit);
    if (shared !== undefined) {
      shared.signals.push(signal);
      return shared.packs;
    }
    const signals = [signal];
    const packs = this.#inTurn(async () => {
      // Nobody is left who wants it.
      if (signals.every((each) => each?.aborted)) signals[0]?.throwIfAborted();
      return this.#fetchUnlessThere(commit);
    }).finally(() => this.#fetching.delete(commit));
    this.#fetching.set(commit, { packs, signals });
    return packs;
  }

  async #fetchUnlessThere(commit: string): Promise<Packs> {
    this.#stopped.signal.throwIfAborted();
    if (this.#packs && (await this.#packs.has(commit))) return this.#packs;
    await this.#observed(async () => {
      const advertisement = this.advertisement ?? (await this.#firstAdvertisement());
      const fetch = (signal: AbortSignal) => this.#fetch(advertisement, commit, signal);
      return this.#within(this.#settings.timeouts.fetchMs, fetch);
    });
    if (!this.#packs) throw new Error('a fetch left no packs');
    this.#packs.lastUsed = performance.now();
    return this.#packs;
  }

  /** Does a fetch, which returns how many bytes came, and tells how it ended. */
  async #observed(fetch: () => Promise<number>): Promise<void> {
    const started = performance.now();
    let reason = '';
    let bytes = 0;
    try {
      bytes = await fetch();
    } catch (error) {
      reason = error instanceof TowpathError ? error.reason : 'Unknown';
      throw error;
    } finally {
      const milliseconds = performance.now() - started;
      this.#settings.observer.fetched?.({ repository: this.key, milliseconds, bytes, reason });
    }
  }

  #learnTimes(commits: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#fetchTimes(commits));
  }

  async #fetchTimes(commits: readonly string[]): Promise<void> {
    this.#stopped.signal.throwIfAborted();
    const { directory } = await this.#fetchTagged(commits);
    const { limits, run } = this.#settings;
    for (const oid of commits) {
      const { commit } = await run('commit', { directory, limits, oid });
      this.#times.set(oid, Date.parse(commit.committedAt));
    }
  }

  /** What tags of one version name is advertised: all of it comes in one pack. */
  async #fetchTagged(commits: readonly string[]): Promise<Packs> {
    const { transport, timeouts } = this.#settings;
    const advertisement = this.advertisement ?? (await this.#firstAdvertisement());
    const packs = await this.#roomyPacks();
    const missing: string[] = [];
    for (const commit of commits) if (!(await packs.has(commit))) missing.push(commit);
    if (missing.length === 0) return packs;
    const wants = missing.map((commit) => advertisement.wants.get(commit) ?? commit);
    const fetch = (signal: AbortSignal) => packs.fetch(transport, advertisement, wants, missing, signal);
    await this.#observed(() => this.#within(timeouts.fetchMs, fetch));
    return packs;
  }

  async #firstAdvertisement(): Promise<Advertisement> {
    await this.poll();
    if (!this.advertisement) throw new Error('a poll left no advertisement');
    return this.advertisement;
  }

  async #fetch(advertisement: Advertisement, commit: string, signal: AbortSignal): Promise<number> {
    const { transport } = this.#settings;
    const tagged = advertisement.tagged.get(commit);
    if (tagged !== undefined) throw notACommit(commit, tagged);
    const want = advertisement.wants.get(commit);
    if (want !== undefined || this.#givesAny) {
      try {
        const packs = await this.#roomyPacks();
        return await packs.fetch(transport, advertisement, [want ?? commit], [commit], signal);
      } catch (error) {
        if (!(error instanceof RemoteRefusal) || !/not our ref|unadvertised/i.test(error.message))
          throw error;
        throw want === undefined ? this.#gone(commit) : this.#moved(commit);
      }
    }
    return this.#fetchHistory(advertisement, commit, signal);
  }

  /** A server that gives only tips: the commit is in the history of one of them, or nowhere. */
  async #fetchHistory(advertisement: Advertisement, commit: string, signal: AbortSignal): Promise<number> {
    const named = [...advertisement.refs].filter(([name]) => /^refs\/(heads|tags)\//.test(name));
    const commits = [...new Set(named.map(([, oid]) => oid))];
    if (commits.length === 0) throw this.#gone(commit);
    const current = this.#packs;
    const packs = current?.history === 'Full' && !current.isFull ? current : await this.#newPacks('Full');
    const missing: string[] = [];
    for (const oid of commits) if (!(await packs.has(oid))) missing.push(oid);
    if (missing.length === 0) throw this.#gone(commit);
    const wants = [...new Set(missing.map((oid) => advertisement.wants.get(oid) ?? oid))];
    const bytes = await packs.fetch(this.#settings.transport, advertisement, wants, missing, signal);
    if (!(await packs.has(commit))) throw this.#gone(commit);
    return bytes;
  }

  async #roomyPacks(): Promise<Packs> {
    return this.#packs && !this.#packs.isFull ? this.#packs : this.#newPacks('Shallow');
  }

  async #newPacks(history: History): Promise<Packs> {
    await this.#previous?.remove();
    this.#previous = this.#packs;
    const { limits, run, space, tenant, where } = this.#settings;
    const directory = join(this.#settings.directory, `packs-${this.#generation++}`);
    this.#packs = new Packs({ directory, history, limits, run, space, of: { tenant, where } });
    return this.#packs;
  }

  #distrust(packs: Packs): void {
    if (this.#packs !== packs) return;
    this.#packs = undefined;
    void packs.remove();
  }

  #moved(commit: string): TowpathError {
    return new TowpathError(
      'Time',
      'RefMoved',
      `The repository ${this.#settings.where} had the commit ${commit} a moment ago, and gives it no longer: its branch or tag was moved. The next poll finds where to.`,
    );
  }

  #gone(commit: string): TowpathError {
    return new TowpathError(
      'Person',
      'RefNotFound',
      `The repository ${this.#settings.where} does not have the commit ${commit}, or no branch or tag leads to it any more. Name another one in spec.source.ref, or push it.`,
    );
  }

  /** Bounds a conversation in time, and turns what it throws into errors for the user. */
  async #within<T>(milliseconds: number, talk: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { transport, where, credential } = this.#settings;
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(milliseconds)]);
    try {
      signal.throwIfAborted();
      return await talk(signal);
    } catch (error) {
      this.#stopped.signal.throwIfAborted();
      if (error instanceof TowpathError) throw error;
      const refused = refusalError(error, transport.host, where, credential);
      throw refused instanceof TowpathError ? refused : networkError(error, transport.host);
    }
  }
}
