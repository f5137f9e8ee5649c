import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { CHART_VERSION_LIMIT, isFollowable } from '../../api/v1alpha1/revision.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { sha256 } from '../../manifest/digest.ts';
import { type ChartVersions, isExactVersion, type WatchedChart } from '../../source/charts/chart-versions.ts';
import { asChartOfSpec } from '../../source/charts/chart-words.ts';
import type { Credential } from '../../source/credential.ts';
import { pinnedRepository } from '../record/chart-pins.ts';
import type { Candidate } from '../record/record.ts';
import { publishedCredentialOf, secretFieldOf } from './chart-credentials.ts';
import type { Wake } from './commit-wakes.ts';
import { patienceWith, patiently } from './patience.ts';
import { type Asked, Questions } from './questions.ts';
import type { ReferencedContent } from './references.ts';

/** What versions a chart has, asked for at an interval. */
export type ChartWatcher = Pick<ChartVersions, 'watch' | 'unwatch'>;

export interface ChartFollowingOptions {
  chartVersions: ChartWatcher;
  onChange(application: string, wake: Wake): void;
}

/** What spec.helm.chart asks for. */
export interface FollowedChart {
  /** As the spec has it. */
  version: string;
  /** Undefined of an exact version: nobody is asked which one that is. */
  range: WatchedChart | undefined;
}

interface Subscription extends FollowedChart {
  /** Of what is asked, with what credential. */
  access: string;
  interval: number;
  asked: Asked;
  /** Where the spec names the Secret. */
  secret: string;
  /** When it began, on the clock of performance.now(). */
  since: number;
}

type Chart = NonNullable<NonNullable<Application['spec']['helm']>['chart']>;

export interface ChartFollower {
  key: string;
  application: Application;
  /** Candidates whose manifests are kept, the newest first: with any, it is not kept waiting for a repository. */
  kept: readonly Pick<Candidate, 'published'>[];
}

/** However long a repository takes, a question ends. */
const QUESTION_MS = 150_000;
/** Many Applications that are made at once share an answer. */
const RECENT_MS = 10_000;

/** Follows the chart that each Application names in its spec. */
export class ChartFollowing {
  readonly #options: ChartFollowingOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #questions: Questions;

  constructor(options: ChartFollowingOptions) {
    this.#options = options;
    this.#questions = new Questions((key) => options.onChange(key, { rank: 'First' }));
  }

  stopPolling(): void {
    for (const key of this.#subscriptions.keys()) this.#options.chartVersions.unwatch(key);
    this.#subscriptions.clear();
    this.#questions.clear();
  }

  forget(key: string): void {
    if (this.#subscriptions.delete(key)) this.#options.chartVersions.unwatch(key);
    this.#questions.forget(key);
  }

  /** The repository's state as the last poll left it: undefined where it answered, or is not polled. */
  error(key: string): TowpathError | undefined {
    const subscription = this.#subscriptions.get(key);
    const error = asChartOfSpec(subscription?.range?.error, subscription?.secret ?? '');
    return error instanceof TowpathError ? error : undefined;
  }

  /** Whether the repository answered since this request was seen: of an exact version there is nothing to ask. */
  hasAnswered(key: string, request: string): boolean {
    return this.#subscriptions.get(key) === undefined || this.#questions.isAnswered(key, request);
  }

  /** Undefined without a chart in the spec. @throws TowpathError where its repository or the credential cannot be used. */
  follow(input: ChartFollower, contents: ReadonlyMap<string, ReferencedContent>): FollowedChart | undefined {
    const { chart } = input.application.spec.helm ?? {};
    if (chart === undefined || isExactVersion(chart.version)) {
      this.forget(input.key);
      return chart && { version: chart.version, range: undefined };
    }
    try {
      return this.#followRange(input, chart, publishedCredentialOf(input.application, contents));
    } catch (error) {
      // The repository is then no longer asked with an older credential.
      this.forget(input.key);
      throw asChartOfSpec(error, secretFieldOf(input.application));
    }
  }

  #followRange(
    { key, application }: ChartFollower,
    chart: Chart,
    credential: Credential | undefined,
  ): Subscription {
    const { repoURL, name, version } = chart;
    const access = sha256(JSON.stringify([repoURL, name, version, credential ?? null]));
    const interval = parseDuration(chart.interval);
    const existing = this.#subscriptions.get(key);
    if (existing?.access === access && existing.interval === interval) return existing;
    const wanted = { repoURL, name, version, ...(credential === undefined ? {} : { credential }) };
    const range = this.#options.chartVersions.watch(key, wanted, interval, () =>
      this.#options.onChange(key, { rank: 'First' }),
    );
    const subscription = {
      version,
      range,
      access,
      interval,
      asked: { poll: () => range.poll(AbortSignal.timeout(QUESTION_MS)) },
      secret: secretFieldOf(application),
      since: performance.now(),
    };
    this.#subscriptions.set(key, subscription);
    return subscription;
  }

  /**
   * The version that is wanted: of a range the one that the repository told last; for a request since it was seen.
   *
   * @throws TowpathError, or the signal's reason
   */
  async resolve(
    input: ChartFollower,
    { version, range }: FollowedChart,
    request: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    if (range === undefined) return followable(version);
    try {
      if (request !== undefined) await this.#ask(input, request, signal);
      else if (this.#isOld(input, range))
        await this.#patiently(input, signal, (limited) => range.poll(limited));
      const { error } = range;
      if (error?.remedy === 'Person') throw error;
      return followable(
        await this.#patiently(input, signal, (limited) => range.resolve(limited, acceptedBy(input))),
      );
    } catch (error) {
      signal.throwIfAborted();
      throw asChartOfSpec(error, secretFieldOf(input.application));
    }
  }

  /** What others had asked for before this Application was made may lack what was published for it. */
  #isOld({ key, kept }: ChartFollower, { checkedAt }: WatchedChart): boolean {
    const { since } = this.#subscriptions.get(key) ?? { since: 0 };
    return kept.length === 0 && checkedAt !== undefined && checkedAt < since - RECENT_MS;
  }

  async #ask(input: ChartFollower, request: string, signal: AbortSignal): Promise<void> {
    const subscription = this.#subscriptions.get(input.key);
    if (subscription === undefined) return;
    await this.#questions.ask(input.key, subscription.asked, request, (answer) =>
      this.#patiently(input, signal, (limited) => unlessAborted(answer, limited)),
    );
  }

  #patiently<T>(
    { kept, application }: ChartFollower,
    signal: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { repoURL = '' } = application.spec.helm?.chart ?? {};
    const late = (seconds: number) => `The chart repository ${repoURL} has not answered for ${seconds} s`;
    return patiently(patienceWith(kept), signal, ask, late);
  }
}

/**
 * The version that was accepted last: one that vanished from its repository takes nobody back. Where the record has
 * none any more the status tells.
 */
function acceptedBy({ application: { spec, status }, kept: [newest] }: ChartFollower): string | undefined {
  const { chart } = spec.helm ?? {};
  if (chart === undefined) return undefined;
  const of = (repository: string, { name, version }: Pick<Chart, 'name' | 'version'>) =>
    name === chart.name && repository === pinnedRepository(chart.repoURL) ? version : undefined;
  if (newest !== undefined) return newest.published && of(newest.published.repository, newest.published);
  const told = status?.source?.chart;
  return told && of(told.repoURL, told);
}

/** What status and record have room for. */
function followable(version: string): string {
  if (isFollowable(version)) return version;
  throw new TowpathError(
    'Person',
    'ChartNotFound',
    `Version ${cut(version, CHART_VERSION_LIMIT)} of the chart has more than ${CHART_VERSION_LIMIT} characters, or no dot, and is not followed. Use another version in spec.helm.chart.version, or have it published under another one.`,
  );
}
