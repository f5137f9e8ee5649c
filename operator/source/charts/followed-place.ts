import { ENDED_BY_LIMITS, TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { SharedPoll } from '../shared-poll.ts';
import { printable } from '../text.ts';
import type { ChartListing } from './chart-listing.ts';
import type { WantedChart } from './published.ts';

/** A range of versions of one chart, and what it stands for. */
export class FollowedRange {
  readonly wanted: WantedChart;
  /** The highest version, as the last answer had it. */
  version: string | undefined;
  /** Why there is none. */
  error: TowpathError | undefined;
  /** Of the listing that it was looked up in; undefined where that is to be done again. */
  state: string | undefined;
  /** As whoever follows it was told last. */
  told: string | undefined;

  constructor(wanted: WantedChart) {
    this.wanted = wanted;
  }

  get isAnswered(): boolean {
    return this.version !== undefined || this.error !== undefined;
  }
}

export interface FollowedPlaceOptions {
  /** Asks once for all that is followed here. @throws TowpathError */
  list(signal: AbortSignal): Promise<ChartListing>;
  /** Who follows a range. */
  tenantsOf(range: FollowedRange): ReadonlySet<string>;
  /** What a range stands for, or an error in its place, is another one now. */
  changed(range: FollowedRange): void;
  /** A poll failed of which time heals it, whoever asked for it. */
  failed(): void;
}

/**
 * What is asked with one question for all who follow something there: a Helm repository, or one chart of a registry;
 * with one credential.
 */
export class FollowedPlace {
  readonly ranges = new Map<string, FollowedRange>();
  /** Of the place as a whole, as the last poll left it. */
  placeError: TowpathError | undefined;
  checkedAt: number | undefined;
  failures = 0;
  readonly #options: FollowedPlaceOptions;
  readonly #stopped = new AbortController();
  readonly #polls = new SharedPoll(() => this.#pollNow());

  constructor(options: FollowedPlaceOptions) {
    this.#options = options;
  }

  /** What time heals, of the place or of a range in it: it is asked again soon. */
  get error(): TowpathError | undefined {
    if (this.placeError !== undefined) return this.placeError;
    for (const { error } of this.ranges.values()) if (error?.remedy === 'Time') return error;
    return undefined;
  }

  /** Asks now; never rejects. Who calls while a question is under way shares the next one. */
  poll(): Promise<void> {
    return this.#polls.poll();
  }

  /** The poll that is under way, or a new one: for who knows of nothing newer. */
  pollOnce(): Promise<void> {
    return this.#polls.pollOnce();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new TowpathError('Time', 'Stopping', 'The chart is no longer followed.'));
    await Promise.all([this.#polls.running, this.#polls.next]);
  }

  async #pollNow(): Promise<void> {
    const { signal } = this.#stopped;
    try {
      signal.throwIfAborted();
      const listing = await this.#options.list(signal);
      this.placeError = undefined;
      // Chart by chart; who comes meanwhile asks once more.
      const ranges = [...this.ranges.values()].sort((a, b) => (a.wanted.name < b.wanted.name ? -1 : 1));
      for (const range of ranges) await this.#lookUp(range, listing);
    } catch (error) {
      this.placeError = this.#told(error);
      // Nobody is to be told of it any more.
      if (signal.aborted) return;
    }
    this.checkedAt = performance.now();
    this.failures = this.error === undefined ? 0 : this.failures + 1;
    // Not before: who waits for the whole has what came of it by then.
    for (const range of this.ranges.values()) this.#tell(range);
    if (this.error !== undefined) this.#options.failed();
  }

  async #lookUp(range: FollowedRange, listing: ChartListing): Promise<void> {
    const tenants = this.#options.tenantsOf(range);
    // It may have been left since the list was asked for.
    if (range.state === listing.state || tenants.size === 0) return;
    const { signal } = this.#stopped;
    try {
      range.version = await unlessAborted(listing.highest(range.wanted, tenants), signal);
      range.error = undefined;
      range.state = listing.state;
    } catch (error) {
      signal.throwIfAborted();
      range.error = this.#told(error);
      // A version that cannot be found out is what it was; one that is not there is not.
      if (range.error.reason === 'ChartNotFound') range.version = undefined;
      // What a limit ended may have had bad luck; the rest is the same as long as the list is.
      const isLasting = range.error.remedy !== 'Time' && !ENDED_BY_LIMITS.has(range.error.reason);
      range.state = isLasting ? listing.state : undefined;
    }
  }

  #tell(range: FollowedRange): void {
    if (!range.isAnswered && this.placeError === undefined) return;
    const tells = toldOf(this, range);
    if (range.told === tells) return;
    range.told = tells;
    this.#options.changed(range);
  }

  /** What nobody foresaw, as a disk that is full, is tried again. */
  #told(error: unknown): TowpathError {
    if (error instanceof TowpathError) return error;
    const [first] = this.ranges.values();
    const what = error instanceof Error ? error.message : String(error);
    return new TowpathError(
      'Time',
      'RepositoryDamaged',
      `What ${printable(first?.wanted.repository ?? '', 200)} has of charts cannot be kept on the operator's own disk, or be read there: ${printable(what, 200)}. It is asked for again.`,
      { cause: error },
    );
  }
}

/** What is to be known of a range: the same as long as nobody has to look again. */
export function toldOf({ placeError }: FollowedPlace, { version, error }: FollowedRange): string {
  return JSON.stringify([version, (placeError ?? error)?.message]);
}
