import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ApplicationLineName, LogField } from './application-log.ts';
import { type ApplicationState, applicationSeries, waitSeries } from './application-metrics.ts';
import { type CredentialState, observeEnvironments, type ReachState } from './environment-metrics.ts';
import type { Slices } from './event-loop-slices.ts';
import { collectProcess } from './process-metrics.ts';
import { type Load, WorkMetrics } from './work-metrics.ts';

/** What is asked when somebody asks for the metrics: nothing is measured in between. */
export interface Observed {
  /** As long as this process leads; of others it would be told twice. */
  applications(): Iterable<ApplicationState>;
  objects(): number;
  /** Deployments whose Promotion could not be made yet. */
  unrecordedDeployments(): number;
  /** Of the kubeconfigs of Environments, as long as this process leads. */
  credentials(): Iterable<CredentialState>;
  /** Of the same. */
  reach(): Iterable<ReachState>;
  load(): Load;
  leader(): boolean;
  /** Seconds since the Lease was renewed by this process; 0 where it does not lead. */
  leaseAge(): number;
  engines(): { idle: number; busy: number };
  /** Bytes that the processes which render have in memory. */
  engineMemory(): number;
  droppedEvents(): number;
  /** Seconds. */
  longestTurn(): number;
}

export interface MetricsOptions {
  observed: Observed;
  slices: Slices;
  /** Of the Lease. */
  lease: string;
  /** Looks at once. */
  concurrency: number;
  /** Whether single Applications have series of their own. */
  withApplications: boolean;
}

/** A request to the API server, as far as it is counted. */
export interface CountedRequest {
  verb: string;
  method: string;
  host: string;
  plural: string;
  dryRun: boolean;
  /** 0 where no answer came. */
  code: number;
}

/** Something done with a Git server or an engine; `reason` is '' for success. */
interface Done {
  milliseconds: number;
  reason: string;
}

const DURATIONS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];
const NO_WRITES = new Set(['get', 'list', 'watch']);

/** Every metric that Towpath has. Labels never carry a URL or a value of a Secret (S5). */
export class Metrics {
  readonly registry = new Registry();
  readonly work: WorkMetrics;
  readonly #options: MetricsOptions;
  readonly #requests: Counter<'code' | 'method' | 'host'>;
  readonly #writes: Counter<'verb' | 'resource' | 'dry_run' | 'code'>;
  readonly #polls: Outcomes;
  readonly #fetches: Outcomes;
  readonly #renders: Outcomes;
  readonly #deliveries: Counter<'provider' | 'outcome'>;
  readonly #abandoned: Counter;
  readonly #deployments: Counter<'outcome'>;
  readonly #checks: Counter<'outcome'>;
  readonly #verifications: Counter<'outcome' | 'on_failure'>;
  readonly #quarantined: Counter;
  readonly #repaired: Counter;
  readonly #pruned: Counter;

  constructor(options: MetricsOptions) {
    this.#options = options;
    const { registry } = this;
    const registers = [registry];
    const { observed, concurrency } = options;
    this.work = new WorkMetrics(registry, { load: observed.load, concurrency });
    this.#requests = new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the API server; code <error>: no answer came.',
      labelNames: ['code', 'method', 'host'],
      registers,
    });
    this.#writes = new Counter({
      name: 'towpath_writes_total',
      help: 'Writes to the API server, the renewals of the Lease among them; a dry-run changes nothing.',
      labelNames: ['verb', 'resource', 'dry_run', 'code'],
      registers,
    });
    const outcomes = (one: string, many: string, what: string) => new Outcomes(registry, { one, many, what });
    this.#polls = outcomes('git_poll', 'git_polls', 'questions to Git servers for their refs');
    this.#fetches = outcomes('git_fetch', 'git_fetches', 'fetches of commits');
    this.#renders = outcomes('render', 'renders', 'renders');
    this.#deliveries = new Counter({
      name: 'towpath_webhook_deliveries_total',
      help: 'What Git servers sent, and what became of it; Unmatched: no Application has the repository.',
      labelNames: ['provider', 'outcome'],
      registers,
    });
    const counter = (name: string, help: string) => new Counter({ name, help, registers });
    this.#abandoned = counter(
      'towpath_looks_abandoned_total',
      'Looks at Applications that did not end when they were interrupted, and were given up. Any is a defect.',
    );
    this.#deployments = new Counter({
      name: 'towpath_deployments_total',
      help: 'Deployments that ended: Succeeded, Failed, Superseded, RolledBack, or Cancelled. What was Succeeded and failed its verification counts once more, as RolledBack, or as Failed where it was kept; and as Cancelled where a person took it back.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of ['Succeeded', 'Failed', 'Superseded', 'RolledBack', 'Cancelled'])
      this.#deployments.inc({ outcome }, 0);
    this.#checks = new Counter({
      name: 'towpath_checks_total',
      help: 'Runs of checks of PromotionPolicies that ended: Passed, Failed, or CouldNotRun, which says nothing of what was to be checked.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of ['Passed', 'Failed', 'CouldNotRun']) this.#checks.inc({ outcome }, 0);
    this.#verifications = new Counter({
      name: 'towpath_verifications_total',
      help: 'What entered an environment and was verified as its PromotionPolicy wants: Passed or Failed; and what becomes there of what fails, by on_failure of the policy: Rollback or Keep.',
      labelNames: ['outcome', 'on_failure'],
      registers,
    });
    for (const outcome of ['Passed', 'Failed'])
      for (const on_failure of ['Rollback', 'Keep']) this.#verifications.inc({ outcome, on_failure }, 0);
    this.#quarantined = counter(
      'towpath_quarantines_total',
      'Commits that cannot run, and of which nothing was written.',
    );
    this.#repaired = counter(
      'towpath_drift_repaired_objects_total',
      'Objects that somebody changed and that were put back to what Git says.',
    );
    this.#pruned = counter('towpath_pruned_objects_total', 'Objects that left Git and were deleted.');
    this.#observe(observed);
    observeEnvironments(registry, observed);
    collectProcess(registry);
  }

  /** What is read when it is asked for. */
  #observe(observed: Observed): void {
    const registers = [this.registry];
    const { lease } = this.#options;
    new Gauge({
      name: 'towpath_applications',
      help: 'Applications by their state; the leader tells it.',
      labelNames: ['sync', 'health'],
      registers,
      collect() {
        this.reset();
        this.set({ sync: 'Synced', health: 'Healthy' }, 0);
        const states = Map.groupBy(observed.applications(), ({ sync, health }) => `${sync} ${health}`);
        for (const alike of states.values()) {
          const [{ sync, health } = { sync: '', health: '' }] = alike;
          this.set({ sync, health }, alike.length);
        }
      },
    });
    new Gauge({
      name: 'leader_election_master_status',
      help: '1 while this process leads, by its Lease; the name is that of all elections of Towpath.',
      labelNames: ['name', 'lease'],
      registers,
      collect() {
        this.set({ name: 'towpath', lease }, observed.leader() ? 1 : 0);
      },
    });
    new Gauge({
      name: 'towpath_engine_processes',
      help: 'Processes that render: idle or busy.',
      labelNames: ['state'],
      registers,
      collect() {
        for (const [state, count] of Object.entries(observed.engines())) this.set({ state }, count);
      },
    });
    new Gauge({
      name: 'towpath_resident_memory_bytes',
      help: 'Memory of the process and of the engines, which share the limit of the container.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss() + observed.engineMemory());
      },
    });
    new Counter({
      name: 'towpath_events_dropped_total',
      help: 'Events that were not written: beyond the bound for an object or for all, refused, or not taken for ten minutes.',
      registers,
      collect() {
        this.reset();
        this.inc(observed.droppedEvents());
      },
    });
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    gauge(
      'towpath_lease_age_seconds',
      'Since this process renewed its Lease; 0 where it does not lead.',
      observed.leaseAge,
    );
    gauge('towpath_objects', 'Objects in the inventory.', observed.objects);
    gauge(
      'towpath_unrecorded_deployments',
      'Deployments that could not be written down as a Promotion yet: the last ten of each environment, 2,000 at most. More than 0 for long says that something refuses it, which the log names.',
      observed.unrecordedDeployments,
    );
    gauge(
      'towpath_event_loop_longest_turn_seconds',
      'Longest time since the start for which work held up all other work: processor time of one turn of the event loop, without the collection of garbage. Waiting inside a call of the system, for a disk say, takes none and is not in it. More than 0.05 is a defect.',
      observed.longestTurn,
    );
  }

  /** All of it, in the text format of Prometheus. */
  async text(): Promise<string> {
    const { withApplications, observed, slices } = this.#options;
    const metrics = [await this.registry.metrics(), await waitSeries(observed.applications(), slices)];
    if (withApplications) metrics.push(await applicationSeries(observed.applications(), slices));
    return metrics.join('\n');
  }

  requested({ verb, method, host, plural, dryRun, code }: CountedRequest): void {
    // As client-go says it.
    const answer = code === 0 ? '<error>' : String(code);
    this.#requests.inc({ code: answer, method, host });
    if (!NO_WRITES.has(verb))
      this.#writes.inc({ verb, resource: plural, dry_run: String(dryRun), code: answer });
  }

  checked(outcome: string): void {
    this.#checks.inc({ outcome });
  }

  verified({ outcome, onFailure }: { outcome: string; onFailure: string }): void {
    this.#verifications.inc({ outcome, on_failure: onFailure });
  }

  polled(done: Done): void {
    this.#polls.count(done);
  }

  fetched(done: Done): void {
    this.#fetches.count(done);
  }

  rendered(done: Done): void {
    this.#renders.count(done);
  }

  delivered(provider: string, outcome: string): void {
    this.#deliveries.inc({ provider, outcome });
  }

  abandoned(): void {
    this.#abandoned.inc();
  }

  /** Counts what the log is told of an Application, too. */
  told(line: ApplicationLineName, fields: Partial<Record<LogField, string | number>>): void {
    const objects = Number(fields.objects ?? 0);
    if (line === 'ended') this.#deployments.inc({ outcome: String(fields.outcome ?? '') });
    else if (line === 'quarantined') this.#quarantined.inc();
    else if (line === 'repaired') this.#repaired.inc(objects);
    else if (line === 'pruned') this.#pruned.inc(objects);
  }
}

/** How often something ended how, and how long it took. */
class Outcomes {
  readonly #outcomes: Counter<'outcome'>;
  readonly #durations: Histogram;

  /** `one` and `many` as the metrics are named, `what` as a sentence has it. */
  constructor(registry: Registry, { one, many, what }: { one: string; many: string; what: string }) {
    const registers = [registry];
    this.#outcomes = new Counter({
      name: `towpath_${many}_total`,
      help: `How ${what} ended: Success, or the reason why not.`,
      labelNames: ['outcome'],
      registers,
    });
    this.#outcomes.inc({ outcome: 'Success' }, 0);
    this.#durations = new Histogram({
      name: `towpath_${one}_duration_seconds`,
      help: `How long ${what} took, however they ended.`,
      buckets: DURATIONS,
      registers,
    });
  }

  count({ milliseconds, reason }: Done): void {
    this.#outcomes.inc({ outcome: reason === '' ? 'Success' : reason });
    this.#durations.observe(milliseconds / 1_000);
  }
}
