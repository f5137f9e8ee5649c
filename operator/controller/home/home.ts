import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeClient } from '../../kube/client.ts';
import { EventRecorder } from '../../kube/events.ts';
import type { WriteGate } from '../../kube/write-gate.ts';
import type { Logger } from '../../observe/log.ts';
import { Installations, type KnownInstallations, leaseName } from './installations.ts';
import { Leadership, type LeadershipOptions } from './leadership.ts';
import { upgradeDefinitions } from './own-definitions.ts';

export interface HomeOptions extends Pick<LeadershipOptions, 'obstacle' | 'tryRecords' | 'begin' | 'end'> {
  client: KubeClient;
  gate: WriteGate;
  log: Logger;
  /** Where the Lease and the records are. */
  namespace: string;
  installation: string;
  /** That stands for this installation; '': unknown. */
  clusterRole: string;
  /** Of the Applications that are looked after; '': all. */
  watchNamespace: string;
  times: Pick<LeadershipOptions['lease'], 'leaseDurationMs' | 'renewDeadlineMs' | 'retryPeriodMs'>;
  upgradesDefinitions: boolean;
  /** Called where another installation comes to look after the same Applications: it must stop this one. */
  giveWay(): void;
  /** There are other installations than before. */
  onInstallations(): void;
  onEventFault(error: unknown): void;
  random(): number;
}

/** What waits to be told gets this long. */
const EVENTS_MS = 1_000;

/**
 * The operator's own API server, with the Applications: what they are told by events, that there is no other
 * installation for them, and that this process leads.
 */
export class Home {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  /** Name of the Lease. */
  readonly lease: string;
  readonly #options: HomeOptions;
  readonly #installations: Installations;
  readonly #leadership: Leadership;

  /** `stopping` ends what waits. */
  constructor(options: HomeOptions, stopping: AbortSignal) {
    const { client, log, namespace, installation, clusterRole, watchNamespace, giveWay } = options;
    this.#options = options;
    this.client = client;
    this.lease = leaseName(namespace, installation);
    this.events = new EventRecorder({
      client,
      component: 'towpath',
      instance: hostname(),
      onFault: options.onEventFault,
    });
    this.#installations = new Installations({
      client,
      namespace,
      id: installation,
      clusterRole,
      watchNamespace,
      log,
      giveWay,
      onChange: () => options.onInstallations(),
    });
    this.#leadership = new Leadership(this.#leadershipOptions(), stopping);
  }

  isLeader(): boolean {
    return this.#leadership.isLeader();
  }

  /** Since the Lease was renewed by this process, in milliseconds; 0 for a follower. */
  get leaseAgeMs(): number {
    return this.#leadership.leaseAgeMs;
  }

  /** Until when whoever led before this process renewed the Lease. */
  get ledUntil(): Date | undefined {
    return this.#leadership.ledUntil;
  }

  /** Undefined: not known yet. */
  get installations(): KnownInstallations | undefined {
    return this.#installations.known;
  }

  /** Why it is not known whether there is another installation, or who that is. */
  get rival(): string | undefined {
    return this.#installations.problem;
  }

  /** Why this replica could not take over, or leads and does nothing; undefined where nothing is in its way. */
  get problem(): string | undefined {
    return this.#leadership.problem;
  }

  /** Resolves when it competes for the Lease: it is alone, and could work. @throws the signal's reason */
  async start(stopping: AbortSignal): Promise<void> {
    await this.#installations.whenAlone(stopping);
    await this.#leadership.compete(stopping);
  }

  /** Ends the work, has told what happened, and gives the Lease up (A7). */
  endWork(): Promise<void> {
    // What happened is told by whom it happened to, and only a leader writes.
    return this.#leadership.stop(() => this.events.stop(EVENTS_MS));
  }

  async stop(): Promise<void> {
    await Promise.all([this.#installations.stop(), this.events.stop()]);
  }

  #leadershipOptions(): LeadershipOptions {
    const { client, log, namespace, times, upgradesDefinitions, ...options } = this.#options;
    return {
      ...options,
      client,
      log,
      lease: {
        ...times,
        namespace,
        name: this.lease,
        identity: `${hostname()}-${randomBytes(4).toString('hex')}`,
      },
      prepare: async (signal) => {
        this.events.resume();
        // Before the controllers lead, so that what they write finds its fields.
        if (upgradesDefinitions) await upgradeDefinitions({ client, log, signal });
      },
    };
  }
}
