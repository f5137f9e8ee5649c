import { isDeepStrictEqual } from 'node:util';
import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Access, GitRef, Repository, Resolved, Sources } from '../../source/sources.ts';
import type { CommitTree } from '../../source/tree/commit-tree.ts';
import type { Target } from '../record/target.ts';
import { CommitWakes, type Wake } from './commit-wakes.ts';
import { Followers } from './followers.ts';
import { ANSWER_MS, patienceWith, patiently } from './patience.ts';
import { Questions } from './questions.ts';
import { commitOf, moveBetween, type RefState, stateOf } from './ref-states.ts';
import type { ReferencedContent } from './references.ts';
import { gitAccessOf, gitSourceOf, namingSecret, refsOf } from './spec-inputs.ts';

export interface FollowingOptions {
  sources: Sources;
  slices: Slices;
  /** The same for every way to write the URL of a repository; undefined where it is none. */
  nameOf(url: string): string | undefined;
  /** The commit that an Application's ref names, or the error in the place of it, is another one now. */
  onChange(application: string, wake: Wake): void;
}

export interface Followed {
  /** `<namespace>/<name>` */
  key: string;
  application: Application;
  /** What of the repository it is followed for. */
  target: Pick<Target, 'name' | 'overlay'>;
  /** Candidates whose manifests are kept: with any, it is not kept waiting for a Git server. */
  kept: readonly unknown[];
}

interface Subscription {
  access: string;
  interval: number;
  repository: Repository;
  /** When it began, on the clock of performance.now(). */
  since: number;
  /** The same for all who follow one repository, whatever opens it. */
  name: string;
  /** Tells whether the ref names another commit by now. */
  notice(): void;
  /** Of its refs, as they were noticed last. */
  states: readonly RefState[] | undefined;
}

const IN_TURN: Wake = { rank: 'InTurn' };

/** Many Applications that are made at once share a look at their repository. */
const RECENT_MS = 1_000;

/**
 * So long Git servers are asked for those who follow a repository with another credential, before what another one
 * there gives up is deleted.
 */
const OTHERS_MS = 10_000;

/** Follows each Application's ref in its repository. */
export class Following {
  readonly #options: FollowingOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** The refs that each Application follows. */
  readonly #refs = new Map<string, readonly GitRef[]>();
  readonly #questions: Questions;
  /** When a repository was last polled for others' sake, and when that is over, however it ends. */
  readonly #pollsForOthers = new WeakMap<Repository, { at: number; over: Promise<void> }>();
  /** What targets read there. */
  readonly followers = new Followers();
  readonly #wakes: CommitWakes;
  /** The commits whose fetch goes on after an Application gave up waiting for it. */
  readonly #awaited = new Map<string, string>();

  constructor(options: FollowingOptions) {
    this.#options = options;
    this.#questions = new Questions((key) => options.onChange(key, { rank: 'First' }));
    this.#wakes = new CommitWakes({
      slices: options.slices,
      followersOf: (repository) => options.sources.subscribersOf(repository),
      wake: (key, wake) => options.onChange(key, wake),
    });
  }

  /** Ends the polls of all repositories, until they are wanted again. */
  stopPolling(): void {
    for (const key of this.#subscriptions.keys()) this.#options.sources.unwatch(key);
    this.#subscriptions.clear();
    this.#questions.clear();
    this.followers.clear();
  }

  forget(key: string): void {
    this.#options.sources.unwatch(key);
    this.#subscriptions.delete(key);
    this.#refs.delete(key);
    this.#questions.forget(key);
    this.followers.forget(key);
    this.#awaited.delete(key);
  }

  /** The Git server's state as the last poll left it: undefined where it answered. */
  error(key: string): TowpathError | undefined {
    return this.#subscriptions.get(key)?.repository.error;
  }

  /** Whether the server answered since this request was seen. */
  hasAnswered(key: string, request: string): boolean {
    return this.#questions.isAnswered(key, request);
  }

  /** Throws TowpathError where the credential is missing or wrong. */
  follow(input: Followed, contents: Map<string, ReferencedContent>): Repository {
    const refs = refsOf(input.application);
    const isSame = isDeepStrictEqual(this.#refs.get(input.key), refs);
    this.#refs.set(input.key, refs);
    const access = this.#access(input, contents);
    const digest = sha256(JSON.stringify([access.url, access.credential ?? null]));
    const interval = parseDuration(gitSourceOf(input.application).interval);
    const existing = this.#subscriptions.get(input.key);
    if (existing?.access === digest && existing.interval === interval) {
      // Where those are that it followed before says nothing of how these move.
      if (!isSame) existing.states = this.#knownStates(input.key, existing.repository);
      return existing.repository;
    }
    // Should the watch fail, nothing is watched any more: what was valid before is to be watched anew.
    this.#subscriptions.delete(input.key);
    const notice = () => this.#notice(input.key);
    const repository = namingSecret(input.application, () =>
      this.#options.sources.watch(input.key, access, interval, notice),
    );
    const name = this.#options.nameOf(access.url) ?? access.url;
    const since = performance.now();
    const states = this.#knownStates(input.key, repository);
    this.#subscriptions.set(input.key, { access: digest, interval, repository, since, name, notice, states });
    return repository;
  }

  /** What is known of it already, who follows it from now on sees by itself. */
  #knownStates(key: string, repository: Repository): RefState[] | undefined {
    return repository.advertisement === undefined ? undefined : this.#statesOf(key, repository);
  }

  #statesOf(key: string, repository: Repository): RefState[] {
    return (this.#refs.get(key) ?? []).map((ref) => stateOf(repository, ref));
  }

  /** A push to another branch of the repository is no reason to look at anything. */
  #notice(key: string): void {
    const subscription = this.#subscriptions.get(key);
    if (subscription === undefined) return;
    const { repository, states: before } = subscription;
    const now = this.#statesOf(key, repository);
    if (isDeepStrictEqual(now, before)) return;
    subscription.states = now;
    const move = moveBetween(before, now);
    if (move === undefined) {
      this.#options.onChange(key, IN_TURN);
      return;
    }
    this.#wakes.tell({
      application: key,
      repository,
      ...move,
      concern: (touched) => {
        if (this.#subscriptions.get(key) !== subscription) return undefined;
        const hasSeen = this.followers.haveSeen(key, ({ overlay }) => commitOf(repository, overlay.ref));
        return hasSeen ? undefined : this.followers.concern(key, touched);
      },
    });
  }

  /**
   * Has those see what an Application's repository told last who follow it, too, but are told by themselves: with
   * another credential, or by another URL. Each is asked once for it; what a server does not tell in time is left.
   * Rejects with the signal's reason.
   */
  async othersSee(owner: string, signal: AbortSignal): Promise<void> {
    const own = this.#subscriptions.get(owner);
    const changedAt = own?.repository.changedAt;
    if (own === undefined || changedAt === undefined) return;
    await unlessAborted(this.#wakes.decided(own.repository), signal);
    const polls = new Map<Repository, Promise<void>>();
    for (const { name, repository } of [...this.#subscriptions.values()]) {
      const isSame = repository === own.repository || name !== own.name;
      if (isSame || (repository.sentAt ?? Number.NEGATIVE_INFINITY) >= changedAt) continue;
      polls.set(repository, this.#pollForOthers(repository, changedAt));
    }
    if (polls.size === 0) return;
    await unlessAborted(Promise.all(polls.values()), signal);
    for (const { repository, notice } of [...this.#subscriptions.values()])
      if (polls.has(repository)) notice();
    const decided = [...polls.keys()].map((repository) => this.#wakes.decided(repository));
    await unlessAborted(Promise.all(decided), signal);
  }

  #pollForOthers(repository: Repository, changedAt: number): Promise<void> {
    const latest = this.#pollsForOthers.get(repository);
    if (latest !== undefined && latest.at >= changedAt) return latest.over;
    const at = performance.now();
    const over = repository.poll(AbortSignal.timeout(OTHERS_MS)).catch(() => undefined);
    this.#pollsForOthers.set(repository, { at, over });
    return over;
  }

  /** Throws where the credential is missing or wrong; the server is then no longer asked with an older one. */
  #access(input: Followed, contents: Map<string, ReferencedContent>): Access {
    try {
      return namingSecret(input.application, () => gitAccessOf(input.application, contents));
    } catch (error) {
      this.#options.sources.unwatch(input.key);
      this.#subscriptions.delete(input.key);
      throw error;
    }
  }

  /** The commit that the ref names, as the last poll told; for a request as the server tells since it was seen. */
  async resolve(
    input: Followed,
    repository: Repository,
    request: string | undefined,
    signal: AbortSignal,
  ): Promise<Resolved> {
    const resolved = await this.#resolve(input, repository, request, signal);
    // Of an Application that went meanwhile nothing is remembered.
    if (this.#subscriptions.has(input.key)) this.followers.noteLook(input.target, resolved.commit);
    return resolved;
  }

  async #resolve(
    input: Followed,
    repository: Repository,
    request: string | undefined,
    signal: AbortSignal,
  ): Promise<Resolved> {
    const { ref } = input.target.overlay;
    if (ref.commit !== undefined) return { commit: ref.commit, ref: '' };
    if (request !== undefined) await this.#ask(input, repository, request, signal);
    const { error } = repository;
    if (error !== undefined && (error.remedy === 'Person' || repository.advertisement === undefined))
      throw error;
    if (repository.advertisement === undefined) await this.#poll(input, repository, signal);
    else if (this.#isOld(input, repository)) await this.#pollIfPossible(repository, signal);
    await this.#options.slices.pause();
    return this.#newest(input, repository, signal);
  }

  /** Which of several tags of one version is meant may have to be asked of the server. */
  #newest(input: Followed, repository: Repository, signal: AbortSignal): Promise<Resolved> {
    const resolved = repository.resolve(input.target.overlay.ref);
    return this.#patiently(input, signal, (limited) => repository.newest(resolved, limited));
  }

  #ask(input: Followed, repository: Repository, request: string, signal: AbortSignal): Promise<void> {
    return this.#questions.ask(input.key, repository, request, (answer) =>
      this.#patiently(input, signal, (limited) => unlessAborted(answer, limited)),
    );
  }

  /** What others had asked for before this Application was made may be older than its author's last push. */
  #isOld({ key, kept }: Followed, { checkedAt = 0 }: Repository): boolean {
    const since = this.#subscriptions.get(key)?.since ?? 0;
    return kept.length === 0 && checkedAt < since - RECENT_MS;
  }

  /** Where the server does not answer, what is known of it will do. */
  async #pollIfPossible(repository: Repository, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.timeout(ANSWER_MS);
    await repository.poll(AbortSignal.any([signal, limit])).catch(() => signal.throwIfAborted());
  }

  /** Where something runs already, it is not left alone for as long as a Git server hangs (A4). */
  async #poll(input: Followed, repository: Repository, signal: AbortSignal): Promise<void> {
    return this.#patiently(input, signal, (limited) => repository.poll(limited));
  }

  async open(
    input: Followed,
    repository: Repository,
    resolved: Resolved,
    signal: AbortSignal,
  ): Promise<CommitTree> {
    try {
      return await this.#patiently(input, signal, (limited) => repository.open(resolved, limited));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TowpathError && error.reason === 'Timeout')
        this.#wakeWhenFetched(input.key, repository, resolved);
      throw error;
    }
  }

  /** The fetch goes on; its end is told by nobody else. */
  #wakeWhenFetched(key: string, repository: Repository, resolved: Resolved): void {
    const { commit } = resolved;
    if (this.#awaited.get(key) === commit) return;
    this.#awaited.set(key, commit);
    const done = () => {
      if (this.#awaited.get(key) === commit) this.#awaited.delete(key);
    };
    const wake = () => {
      if (this.#awaited.get(key) === commit) this.#options.onChange(key, IN_TURN);
    };
    void repository
      .open(resolved)
      .then(wake, () => undefined)
      .finally(done);
  }

  #patiently<T>(
    { kept, application }: Followed,
    signal: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = (seconds: number) =>
      `The Git server of ${gitSourceOf(application).repoURL} has not answered for ${seconds} s`;
    return patiently(patienceWith(kept), signal, ask, late);
  }

  /**
   * Refs that were polled for others, before anyone asked for this Application, may be older than what its
   * author pushed for it: before it is told that something is missing, the server is asked once more.
   */
  async isOutdated(
    input: Followed,
    repository: Repository,
    resolved: Resolved,
    signal: AbortSignal,
  ): Promise<boolean> {
    const since = this.#subscriptions.get(input.key)?.since ?? 0;
    if ((repository.checkedAt ?? 0) >= since) return false;
    try {
      await this.#poll(input, repository, signal);
    } catch {
      signal.throwIfAborted();
      // What was found out already is told, and the next poll tells of the server.
      return false;
    }
    return (await this.#newest(input, repository, signal)).commit !== resolved.commit;
  }
}
