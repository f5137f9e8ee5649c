import type { TowpathError } from '../../api/errors.ts';
import { revisionOf } from '../../api/v1alpha1/revision.ts';
import { NoFiles, type RenderTree } from '../../render/renderer.ts';
import type { Repository, Resolved } from '../../source/sources.ts';
import type { Candidate } from '../record/record.ts';
import {
  type ChartFollower,
  ChartFollowing,
  type ChartFollowingOptions,
  type FollowedChart,
} from './chart-following.ts';
import type { Followers } from './followers.ts';
import { type Followed, Following, type FollowingOptions } from './following.ts';
import type { ReferencedContent } from './references.ts';

/** Where what an Application is made of comes from: a Git repository, a chart that was published, or both. */
export interface Origin {
  readonly repository: Repository | undefined;
  readonly chart: FollowedChart | undefined;
}

/** What its origins have for an Application. */
export interface Newest {
  /** The commit, the chart's version, or both: api/v1alpha1/revision.ts. */
  revision: string;
  /** Of the commit; '' without one. */
  ref: string;
  commit?: Resolved;
  version?: string;
}

/** What is read of a Git repository, with what is told of its commit. */
export type OriginTree = RenderTree & { readonly commit?: Candidate['commit'] };

/** Follows what each Application is made of. */
export class Origins {
  readonly #git: Following;
  readonly #charts: ChartFollowing;
  readonly #followed = new Map<string, Origin>();

  constructor(options: FollowingOptions & ChartFollowingOptions) {
    this.#git = new Following(options);
    this.#charts = new ChartFollowing(options);
  }

  /** What targets read of their repositories. */
  get followers(): Followers {
    return this.#git.followers;
  }

  /** Ends the polls of all repositories, until they are wanted again. */
  stopPolling(): void {
    this.#git.stopPolling();
    this.#charts.stopPolling();
    this.#followed.clear();
  }

  forget(key: string): void {
    this.#git.forget(key);
    this.#charts.forget(key);
    this.#followed.delete(key);
  }

  /** Has others see what the Application's repository told last. Rejects with the signal's reason. */
  othersSee(owner: string, signal: AbortSignal): Promise<void> {
    return this.#git.othersSee(owner, signal);
  }

  /** The state of its servers as the last polls left them: undefined where they answered. */
  error(key: string): TowpathError | undefined {
    return this.#git.error(key) ?? this.#charts.error(key);
  }

  /** Whether its servers answered since this request was seen. */
  hasAnswered(key: string, request: string): boolean {
    const origin = this.#followed.get(key);
    if (origin === undefined) return false;
    const hasGit = origin.repository === undefined || this.#git.hasAnswered(key, request);
    return hasGit && this.#charts.hasAnswered(key, request);
  }

  /** Throws TowpathError where a credential is missing or wrong. */
  follow(input: Followed & ChartFollower, contents: Map<string, ReferencedContent>): Origin {
    const hasRepository = input.application.spec.source !== undefined;
    if (!hasRepository) this.#git.forget(input.key);
    const repository = hasRepository ? this.#git.follow(input, contents) : undefined;
    const origin = { repository, chart: this.#charts.follow(input, contents) };
    this.#followed.set(input.key, origin);
    return origin;
  }

  /**
   * As the last polls told; for a request as the servers tell since it was seen.
   *
   * @param onCommit what Git has, also where nobody says then which version the chart has
   */
  async resolve(
    input: Followed & ChartFollower & { readonly lookNow: string | undefined },
    { repository, chart }: Origin,
    { onCommit }: { onCommit(commit: string): void },
    signal: AbortSignal,
  ): Promise<Newest> {
    const { lookNow: request } = input;
    const commit = repository && (await this.#git.resolve(input, repository, request, signal));
    if (commit !== undefined) onCommit(commit.commit);
    const version = chart && (await this.#charts.resolve(input, chart, request, signal));
    return {
      revision: revisionOf({
        ...(version === undefined ? {} : { version }),
        ...(commit === undefined ? {} : { commit: commit.commit }),
      }),
      ref: commit?.ref ?? '',
      ...(commit === undefined ? {} : { commit }),
      ...(version === undefined ? {} : { version }),
    };
  }

  /** The files of the commit; none without a repository. */
  async open(
    input: Followed,
    { repository }: Origin,
    { revision, commit }: Newest,
    signal: AbortSignal,
  ): Promise<OriginTree> {
    if (repository === undefined || commit === undefined) return new NoFiles(revision);
    return this.#git.open(input, repository, commit, signal);
  }

  /** Whether what is known of the repository was out of date: see Following. */
  async isOutdated(
    input: Followed,
    { repository }: Origin,
    { commit }: Newest,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (repository === undefined || commit === undefined) return false;
    return this.#git.isOutdated(input, repository, commit, signal);
  }
}
