import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { collectProcess } from './process-metrics.ts';

/** Every metric that Towpath has. Labels never carry a URL or a value of a Secret (S5). */
export class Metrics {
  readonly registry = new Registry();
  readonly apiRequests: Counter<'verb' | 'resource' | 'code' | 'dry_run'>;
  readonly reconcileSeconds: Histogram;
  readonly gitPolls: Counter<'outcome'>;
  readonly gitFetches: Counter<'outcome'>;
  readonly webhookDeliveries: Counter<'provider' | 'outcome'>;
  readonly abandonedLooks: Counter;

  constructor(observed: {
    applications(): number;
    objects(): number;
    queue(): number;
    leader(): boolean;
    droppedEvents(): number;
    /** Seconds. */
    longestTurn(): number;
    /** Seconds. */
    oldestLook(): number;
  }) {
    const registers = [this.registry];
    collectProcess(this.registry);
    this.apiRequests = new Counter({
      name: 'towpath_api_requests_total',
      help: 'Requests to the API server.',
      labelNames: ['verb', 'resource', 'code', 'dry_run'],
      registers,
    });
    this.reconcileSeconds = new Histogram({
      name: 'towpath_reconcile_seconds',
      help: 'Duration of one look at an Application.',
      buckets: [0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 60],
      registers,
    });
    this.gitPolls = new Counter({
      name: 'towpath_git_polls_total',
      help: 'Questions to Git servers for their refs.',
      labelNames: ['outcome'],
      registers,
    });
    this.gitFetches = new Counter({
      name: 'towpath_git_fetches_total',
      help: 'Fetches of commits.',
      labelNames: ['outcome'],
      registers,
    });
    this.webhookDeliveries = new Counter({
      name: 'towpath_webhook_deliveries_total',
      help: 'What Git servers sent, and what became of it; Unmatched: no Application has the repository.',
      labelNames: ['provider', 'outcome'],
      registers,
    });
    this.abandonedLooks = new Counter({
      name: 'towpath_looks_abandoned_total',
      help: 'Looks at Applications that did not end when they were interrupted, and were given up. Any is a defect.',
      registers,
    });
    this.#gauge(
      'towpath_oldest_look_seconds',
      'Age of the oldest look at an Application that has not ended: hooks take as long as they take, anything else is over in minutes.',
      observed.oldestLook,
    );
    this.#gauge('towpath_applications', 'Applications known.', observed.applications);
    this.#gauge('towpath_objects', 'Objects in the inventory.', observed.objects);
    this.#gauge('towpath_queue_depth', 'Applications that wait to be looked at.', observed.queue);
    new Counter({
      name: 'towpath_events_dropped_total',
      help: 'Events that were not written: beyond the bound for an object or for all, or refused.',
      registers,
      collect() {
        this.reset();
        this.inc(observed.droppedEvents());
      },
    });
    this.#gauge(
      'towpath_event_loop_longest_turn_seconds',
      'Longest time since the start for which work held up all other work: processor time of one turn of the event loop, without the collection of garbage. More than 0.05 is a defect.',
      observed.longestTurn,
    );
    this.#gauge('towpath_leader', '1 while this process leads.', () => (observed.leader() ? 1 : 0));
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}
