import { TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import type { Credential } from '../credential.ts';
import { FirstPolls, PollTimer } from '../poll-timer.ts';
import { compareVersions, parseRange, parseVersion } from '../semver.ts';
import { tenantOf } from '../tenant.ts';
import type { ChartRepositories } from './chart-repositories.ts';
import { FollowedPlace, FollowedRange, toldOf } from './followed-place.ts';
import { isOci } from './oci-reference.ts';
import { type Asking, askingFor } from './published.ts';

export interface FollowedChart {
  repoURL: string;
  name: string;
  /** Exact, or a range. */
  version: string;
  credential?: Credential;
}

export interface WatchedChart {
  /**
   * The version that it stands for, as the last answer had it; asks where there was none yet.
   *
   * @param runs the version that runs: while the range allows it, it stands for none before that. So what vanished from
   * its repository, by mistake or with an old index, takes nobody back.
   * @throws TowpathError, or the signal's reason.
   */
  resolve(signal: AbortSignal, runs?: string): Promise<string>;
  /**
   * Asks now, once for all who wait; what it stands for, or that it stands for none, is known by then.
   *
   * @throws TowpathError where the repository did not say, or the signal's reason.
   */
  poll(signal: AbortSignal): Promise<void>;
  /** As the last poll left it: undefined where it answered. */
  readonly error: TowpathError | undefined;
  /** On the clock of performance.now(); undefined: not asked yet, or exact and never asked. */
  readonly checkedAt: number | undefined;
}

export interface ChartVersionsOptions {
  charts: Pick<ChartRepositories, 'list'>;
  /** Shared with all else that takes long. */
  slices?: Slices;
  /** Between 0 and 1; default Math.random. Spreads polls. */
  random?: () => number;
}

interface Subscription {
  watched: Watched;
  range: FollowedRange;
  rangeKey: string;
  intervalMs: number;
  onChange: () => void;
  /** What it knows of its range: what was given to it at first, or told later. */
  knows: string | undefined;
  chart: WatchedChart;
}

interface Watched {
  key: string;
  place: FollowedPlace;
  timer: PollTimer;
  subscriptions: Map<string, Subscription>;
}

/**
 * Which versions the ranges of charts stand for. However many follow charts of one Helm repository, its index is asked
 * for once in an interval, and so is the list of a chart in a registry; each credential asks by itself (D14).
 */
export class ChartVersions {
  readonly #options: ChartVersionsOptions;
  readonly #slices: Slices;
  readonly #watched = new Map<string, Watched>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #firstPolls = new FirstPolls();

  constructor(options: ChartVersionsOptions) {
    this.#options = options;
    this.#slices = options.slices ?? new Slices();
  }

  /**
   * Subscribes someone, `<namespace>/<name>`, to a chart; what they were subscribed to before, they no longer are, also when this throws. The
   * shortest interval counts of all who share a question. `onChange` is called when what the range stands for, or the
   * error, is another one.
   *
   * @throws TowpathError ChartRepositoryInvalid.
   */
  watch(subscriber: string, chart: FollowedChart, intervalMs: number, onChange: () => void): WatchedChart {
    if (isExactVersion(chart.version)) {
      this.unwatch(subscriber);
      return exactly(chart.version);
    }
    const [watched, range, rangeKey] = this.#rangeFor(subscriber, chart);
    const previous = this.#subscriptions.get(subscriber);
    if (previous?.range === range) {
      previous.onChange = onChange;
      const wasLonger = previous.intervalMs > intervalMs;
      previous.intervalMs = intervalMs;
      if (wasLonger) watched.timer.bringForward();
      return previous.chart;
    }
    const subscription = this.#subscription(watched, range, rangeKey, intervalMs, onChange);
    this.#subscriptions.set(subscriber, subscription);
    watched.subscriptions.set(subscriber, subscription);
    if (previous !== undefined) this.#leave(subscriber, previous);
    watched.timer.bringForward();
    return subscription.chart;
  }

  unwatch(subscriber: string): void {
    const subscription = this.#subscriptions.get(subscriber);
    if (subscription === undefined) return;
    this.#subscriptions.delete(subscriber);
    this.#leave(subscriber, subscription);
  }

  async stop(): Promise<void> {
    for (const subscriber of [...this.#subscriptions.keys()]) this.unwatch(subscriber);
    await Promise.all(this.#stopping);
  }

  /** A server is not to be asked on with a credential that was taken back. */
  #rangeFor(
    subscriber: string,
    chart: FollowedChart,
  ): [watched: Watched, range: FollowedRange, rangeKey: string] {
    const { repoURL: repository, name, version, credential } = chart;
    let asking: Asking;
    try {
      asking = askingFor({ repository, name, version }, credential);
    } catch (error) {
      this.unwatch(subscriber);
      throw error;
    }
    const watched = this.#watchedFor(asking);
    const rangeKey = JSON.stringify([name, version]);
    const range = watched.place.ranges.get(rangeKey) ?? new FollowedRange(asking.wanted);
    watched.place.ranges.set(rangeKey, range);
    return [watched, range, rangeKey];
  }

  #watchedFor({ wanted, repository, credential, scope }: Asking): Watched {
    const { name } = wanted;
    const what = isOci(wanted.repository) ? [repository.href, scope, name] : [repository.href, scope];
    const key = JSON.stringify(what);
    const existing = this.#watched.get(key);
    if (existing !== undefined) return existing;
    const subscriptions = new Map<string, Subscription>();
    const place = new FollowedPlace({
      list: (signal) => {
        const chart = { name, repository: wanted.repository };
        return this.#options.charts.list(chart, signal, credential, tenantsOf(subscriptions));
      },
      tenantsOf: (range) => tenantsOf(subscriptions, range),
      changed: (range) => void this.#tell(place, range, subscriptions),
      // What a server could not tell now is not left until the interval is over.
      failed: () => timer.bringForward(),
    });
    const timer = new PollTimer(place, {
      interval: () => shortestInterval(subscriptions),
      random: this.#options.random ?? Math.random,
    });
    const watched = { key, place, timer, subscriptions };
    this.#watched.set(key, watched);
    timer.schedule(this.#firstPolls.next());
    return watched;
  }

  #subscription(
    watched: Watched,
    range: FollowedRange,
    rangeKey: string,
    intervalMs: number,
    onChange: () => void,
  ): Subscription {
    const { place } = watched;
    const subscription: Subscription = {
      watched,
      range,
      rangeKey,
      intervalMs,
      onChange,
      knows: undefined,
      chart: {
        resolve: async (signal, runs) => {
          signal.throwIfAborted();
          try {
            await answered(place, range, signal);
          } finally {
            // Later ones are told, since it may follow the chart for more than the one who asks here.
            if (!signal.aborted) subscription.knows ??= toldOf(place, range);
          }
          return notBefore(range, runs);
        },
        poll: async (signal) => {
          signal.throwIfAborted();
          await unlessAborted(place.poll(), signal);
          if (place.placeError !== undefined) throw place.placeError;
          // That the range has no version there is an answer.
          if (range.error?.remedy === 'Time') throw range.error;
        },
        get error() {
          return place.placeError ?? range.error;
        },
        get checkedAt() {
          return place.checkedAt;
        },
      },
    };
    return subscription;
  }

  /** However many they are, nobody else waits for that. */
  async #tell(
    place: FollowedPlace,
    range: FollowedRange,
    subscriptions: ReadonlyMap<string, Subscription>,
  ): Promise<void> {
    // Who asked for it has the answer by then.
    await new Promise((resolve) => setImmediate(resolve));
    for (const [subscriber, subscription] of [...subscriptions]) {
      const pause = this.#slices.pause();
      if (pause !== undefined) await pause;
      if (subscription.range !== range || subscriptions.get(subscriber) !== subscription) continue;
      const tells = toldOf(place, range);
      if (subscription.knows === tells) continue;
      subscription.knows = tells;
      subscription.onChange();
    }
  }

  #leave(subscriber: string, { watched, range, rangeKey }: Subscription): void {
    const { key, place, timer, subscriptions } = watched;
    // Somebody of the same name may have come to another range there.
    if (subscriptions.get(subscriber)?.range === range) subscriptions.delete(subscriber);
    if (![...subscriptions.values()].some((each) => each.range === range)) place.ranges.delete(rangeKey);
    if (subscriptions.size > 0) return;
    timer.stop();
    this.#watched.delete(key);
    const stopping = place.stop().finally(() => this.#stopping.delete(stopping));
    this.#stopping.add(stopping);
  }
}

/** One that is no range: nobody has to be asked what it stands for. */
export function isExactVersion(version: string): boolean {
  return !version.startsWith('v') && parseVersion(version) !== undefined;
}

function exactly(version: string): WatchedChart {
  return {
    resolve: async (signal) => {
      signal.throwIfAborted();
      return version;
    },
    poll: async (signal) => signal.throwIfAborted(),
    error: undefined,
    checkedAt: undefined,
  };
}

/** Waits until it is known what a range stands for, where nobody has tried to find out yet. */
async function answered(place: FollowedPlace, range: FollowedRange, signal: AbortSignal): Promise<void> {
  if (range.isAnswered) return;
  if (place.checkedAt === undefined) await unlessAborted(place.pollOnce(), signal);
  // It may have come too late for that one. Where it failed, the next one is due soon.
  if (!range.isAnswered && place.placeError === undefined) await unlessAborted(place.poll(), signal);
  if (!range.isAnswered && place.placeError !== undefined) throw place.placeError;
}

function notBefore({ version, error, wanted }: FollowedRange, runs: string | undefined): string {
  // A range that was left while it was looked up has neither.
  if (version === undefined)
    throw error ?? new TowpathError('Time', 'Stopping', 'The chart is no longer followed.');
  const [there, running] = [parseVersion(version), runs === undefined ? undefined : parseVersion(runs)];
  if (runs === undefined || there === undefined || running === undefined) return version;
  const isBack = compareVersions(there, running) < 0;
  return isBack && parseRange(wanted.version)?.(running) === true ? runs : version;
}

/** Who follows something there, or one range. */
function tenantsOf(subscriptions: ReadonlyMap<string, Subscription>, range?: FollowedRange): Set<string> {
  const tenants = new Set<string>();
  for (const [subscriber, subscription] of subscriptions)
    if (range === undefined || subscription.range === range) tenants.add(tenantOf(subscriber));
  return tenants;
}

function shortestInterval(subscriptions: ReadonlyMap<string, Subscription>): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const { intervalMs } of subscriptions.values()) shortest = Math.min(shortest, intervalMs);
  return shortest;
}
