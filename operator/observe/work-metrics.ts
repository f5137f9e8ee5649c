import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the one controller, and its queue, are called; other operators have kinds of the same name. */
export const CONTROLLER = 'towpath-application';
const LABELS = { name: CONTROLLER, controller: CONTROLLER };

/** What is under way in a queue now. */
export interface Load {
  waiting: number;
  running: number;
  /** Seconds, of all runs together. */
  unfinished: number;
  /** Seconds. */
  longest: number;
}

/** How a look ended: as planned, as planned until the time of the next one, interrupted by something newer, failed. */
export type LookResult = 'success' | 'requeue_after' | 'requeue' | 'error';

/** 10 ns to 1,000 s, as controller-runtime has them. */
const QUEUE_BUCKETS = Array.from({ length: 12 }, (_, exponent) => Number(`1e${exponent - 8}`));
const LOOK_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];

/** The queue's and the controller's metrics, by the names and with the meaning that client-go and controller-runtime gave them. */
export class WorkMetrics {
  readonly #adds: Counter<'name' | 'controller'>;
  readonly #retries: Counter<'name' | 'controller'>;
  readonly #waited: Histogram<'name' | 'controller'>;
  readonly #worked: Histogram<'name' | 'controller'>;
  readonly #looks: Counter<'controller' | 'result'>;
  readonly #errors: Counter<'controller'>;
  readonly #looked: Histogram<'controller'>;

  constructor(registry: Registry, { load, concurrency }: { load(): Load; concurrency: number }) {
    const of = <Label extends string>(labelNames: readonly Label[]) => ({
      labelNames,
      registers: [registry],
    });
    const queue = of(['name', 'controller'] as const);
    const controller = of(['controller'] as const);
    const now = (name: string, help: string, read: () => number) =>
      new Gauge({
        ...queue,
        name,
        help,
        collect() {
          this.set(LABELS, read());
        },
      });
    now('workqueue_depth', 'Applications that wait to be looked at.', () => load().waiting);
    this.#adds = new Counter({
      ...queue,
      name: 'workqueue_adds_total',
      help: 'Applications that began to wait for a look.',
    });
    this.#waited = new Histogram({
      ...queue,
      name: 'workqueue_queue_duration_seconds',
      help: 'How long Applications waited for a look.',
      buckets: QUEUE_BUCKETS,
    });
    this.#worked = new Histogram({
      ...queue,
      name: 'workqueue_work_duration_seconds',
      help: 'How long looks at Applications took.',
      buckets: QUEUE_BUCKETS,
    });
    now(
      'workqueue_unfinished_work_seconds',
      'Age of the looks that have not ended, of all together.',
      () => load().unfinished,
    );
    now(
      'workqueue_longest_running_processor_seconds',
      'Age of the oldest look that has not ended: hooks take as long as they take, anything else is over in minutes.',
      () => load().longest,
    );
    this.#retries = new Counter({
      ...queue,
      name: 'workqueue_retries_total',
      help: 'Looks that were put off to a later time.',
    });
    this.#looks = new Counter({
      ...of(['controller', 'result'] as const),
      name: 'controller_runtime_reconcile_total',
      help: 'Looks at Applications that ended; requeue: interrupted by something newer; requeue_after: the next one has its time.',
    });
    this.#errors = new Counter({
      ...controller,
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Looks that failed: they could not tell in the status what is wrong, or somebody else wrote it meanwhile.',
    });
    this.#looked = new Histogram({
      ...controller,
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Duration of one look at an Application, however it ended.',
      buckets: LOOK_BUCKETS,
    });
    new Gauge({
      ...controller,
      name: 'controller_runtime_active_workers',
      help: 'Looks that are under way.',
      collect() {
        this.set({ controller: CONTROLLER }, load().running);
      },
    });
    new Gauge({
      ...controller,
      name: 'controller_runtime_max_concurrent_reconciles',
      help: 'How many looks are under way at most, those not counted that take longer than a second.',
    }).set({ controller: CONTROLLER }, concurrency);
    this.#beginAtZero();
  }

  /** A rate is only told of what was there before it happened. */
  #beginAtZero(): void {
    for (const counter of [this.#adds, this.#retries]) counter.inc(LABELS, 0);
    for (const histogram of [this.#waited, this.#worked]) histogram.zero(LABELS);
    for (const result of ['success', 'requeue_after', 'requeue', 'error'])
      this.#looks.inc({ controller: CONTROLLER, result }, 0);
    this.#errors.inc({ controller: CONTROLLER }, 0);
    this.#looked.zero({ controller: CONTROLLER });
  }

  added(): void {
    this.#adds.inc(LABELS);
  }

  delayed(): void {
    this.#retries.inc(LABELS);
  }

  began(waited: number): void {
    this.#waited.observe(LABELS, waited);
  }

  ended(worked: number): void {
    this.#worked.observe(LABELS, worked);
  }

  looked(result: LookResult, seconds: number): void {
    this.#looks.inc({ controller: CONTROLLER, result });
    if (result === 'error') this.#errors.inc({ controller: CONTROLLER });
    this.#looked.observe({ controller: CONTROLLER }, seconds);
  }
}
