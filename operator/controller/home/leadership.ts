import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../kube/client.ts';
import { LeaderElection, type LeaderElectionOptions, type LedBefore } from '../../kube/lease.ts';
import type { WriteGate } from '../../kube/write-gate.ts';
import type { Logger } from '../../observe/log.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { OngoingFault } from '../../retry/ongoing-fault.ts';

const RETRY = { firstMs: 200, longestMs: 5_000 };
/** A leader that cannot work gives the Lease up after so many times the duration of the Lease: a minute. */
const FRUITLESS_LEASES = 4;
/** What was interrupted and does not end by then is not waited for: it can write nothing any more. */
const END_MS = 5_000;

export interface LeadershipOptions {
  /** Of the API server with the Lease. */
  client: KubeClient;
  /** Of all API servers that this process writes to. */
  gate: WriteGate;
  log: Logger;
  lease: Pick<
    LeaderElectionOptions,
    'namespace' | 'name' | 'identity' | 'renewDeadlineMs' | 'retryPeriodMs'
  > & {
    leaseDurationMs: number;
  };
  /** Why nothing can be done by this replica at the moment, beside what is seen here; undefined: there is nothing. */
  obstacle(): string | undefined;
  /** @throws where the target records cannot be read, without which nothing is done */
  tryRecords(signal: AbortSignal): Promise<void>;
  /** What a leader does once, before it begins. */
  prepare(signal: AbortSignal): Promise<void>;
  /** Reads the target records and begins to work. It is called again where it throws; `before`: since it last did not. */
  begin(signal: AbortSignal, before: LedBefore): Promise<void>;
  /** Ends the work. */
  end(): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

/**
 * Who may work: competes for the Lease once this replica could do something with it, works while it holds it, and
 * gives it up where it cannot work for long, so that a healthy replica may lead (A9).
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #election: LeaderElection;
  readonly #recordFault = new OngoingFault('Whether the target records can be read is not known yet.');
  readonly #leaseFault = new OngoingFault('The Lease was not read yet.');
  #leading: AbortController | undefined;
  /** Since this process last began to work. */
  #before: LedBefore = 'another, or nobody';
  /** Since when it leads and cannot work, in milliseconds of a clock that only goes forward. */
  #fruitlessSince: number | undefined;

  /** `stopping` ends what waits. */
  constructor(options: LeadershipOptions, stopping: AbortSignal) {
    this.#options = options;
    const { client, lease, log } = options;
    this.#election = new LeaderElection({
      ...lease,
      client,
      onStartedLeading: (before) => void this.#lead(before),
      onStoppedLeading: () => {
        this.#leading?.abort(new Error('no longer leading'));
        log.info('This process follows.');
        void options.end();
        // Who follows is ready once it could take over.
        if (this.#recordFault.message !== undefined) void this.#fit(stopping).catch(() => undefined);
      },
      onFault: ({ message }) =>
        this.#warn(this.#leaseFault, `The Lease cannot be read or renewed; it is tried again: ${message}`),
      onAnswer: () => {
        this.#leaseFault.end();
        if (this.#isFruitless()) void this.#yield(stopping);
      },
    });
  }

  /** Whether this process may write now (D8). */
  isLeader(): boolean {
    return this.#election.isLeader();
  }

  /** Since the Lease was renewed by this process, in milliseconds; 0 for a follower. */
  get leaseAgeMs(): number {
    return this.#election.ageMs;
  }

  /** Until when whoever led before this process renewed the Lease. */
  get ledUntil(): Date | undefined {
    return this.#election.renewedBefore;
  }

  /** Why this replica could not take over, or leads and does nothing; undefined where nothing is in its way. */
  get problem(): string | undefined {
    return this.#recordFault.message ?? this.#leaseFault.message;
  }

  /** Resolves when it competes for the Lease, which it does not before it could work. @throws the signal's reason */
  async compete(stopping: AbortSignal): Promise<void> {
    await this.#fit(stopping);
    this.#election.start();
  }

  #fit(stopping: AbortSignal): Promise<void> {
    return this.#untilRead(() => this.#options.tryRecords(stopping), stopping);
  }

  /** Ends the work, then does what comes last, then gives the Lease up: a successor must not meet a write of ours (A7). */
  async stop(last: () => Promise<void>): Promise<void> {
    this.#leading?.abort(new Error('stopping'));
    await Promise.race([this.#options.end(), sleep(END_MS, undefined, { ref: false })]);
    await this.#options.gate.writesEnded();
    await last();
    await this.#election.stop();
  }

  async #lead(before: LedBefore): Promise<void> {
    const { log, prepare, begin } = this.#options;
    const leading = new AbortController();
    this.#leading = leading;
    const { signal } = leading;
    if (before !== 'this process') this.#before = before;
    log.info('This process leads.');
    await prepare(signal);
    // It ends by itself, or with the lead.
    await this.#untilRead(async () => {
      await begin(signal, this.#before);
      this.#before = 'this process';
    }, signal).catch(() => undefined);
  }

  /** Tries what reads the records until it succeeds. @throws the signal's reason */
  async #untilRead(read: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      try {
        await read();
        signal.throwIfAborted();
        this.#recordFault.end();
        return;
      } catch (error) {
        signal.throwIfAborted();
        const cause = error instanceof Error ? error.message : String(error);
        this.#warn(
          this.#recordFault,
          `The target records cannot be read, so nothing is deployed; it is tried again: ${cause}`,
        );
        const random = this.#options.random();
        await sleep(backoffMs({ ...RETRY, failures, jitter: 'Half', random }), undefined, { signal });
      }
    }
  }

  #isFruitless(): boolean {
    const isUseless = (this.problem ?? this.#options.obstacle()) !== undefined;
    if (!isUseless) this.#fruitlessSince = undefined;
    // Who loses the Lease in between and takes it again is no better.
    if (!isUseless || !this.isLeader()) return false;
    this.#fruitlessSince ??= performance.now();
    return performance.now() - this.#fruitlessSince >= FRUITLESS_LEASES * this.#options.lease.leaseDurationMs;
  }

  /** Another replica has the time of a Lease to lead in its place. */
  async #yield(stopping: AbortSignal): Promise<void> {
    const { log, lease, obstacle } = this.#options;
    this.#fruitlessSince = undefined;
    log.error(
      { reason: this.problem ?? obstacle() },
      'This process leads and cannot do its work for long: it gives the Lease up, so that another one may lead.',
    );
    await this.stop(async () => undefined);
    try {
      await sleep(lease.leaseDurationMs, undefined, { signal: stopping });
      await this.compete(stopping);
    } catch (error) {
      if (!stopping.aborted) throw error;
    }
  }

  #warn(fault: OngoingFault, problem: string): void {
    if (fault.note(problem)) this.#options.log.warn(problem);
  }
}
