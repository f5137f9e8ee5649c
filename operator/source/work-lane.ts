import { Worker } from 'node:worker_threads';
import { TowpathError } from '../api/errors.ts';
import type { Operation, Work, WorkReply, WorkRequest } from './work.ts';

interface Job extends WorkRequest {
  resolve(value: never): void;
  reject(error: Error): void;
}

export interface LaneOptions {
  /** After so long one request counts as overrun, and the worker is replaced; milliseconds. */
  workMs: number;
  /** JavaScript heap of the worker, in MiB; default 768. Beyond it counts as a crash. */
  heapMegabytes?: number;
  /** An idle worker ends after so long, so that its memory is given back; milliseconds; undefined: never. */
  idleMs?: number;
}

/**
 * A worker thread and the requests that wait for it. One request is with the worker at a time, so a crash or
 * an overrun is known to be that request's: it fails, and the others go on with a new worker.
 */
export class WorkLane {
  readonly #options: LaneOptions;
  readonly #waiting: Job[] = [];
  #worker: Worker | undefined;
  #running: { job: Job; timer: NodeJS.Timeout } | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** How many requests are with the worker or wait. */
  get load(): number {
    return this.#waiting.length + (this.#running ? 1 : 0);
  }

  /** @throws TowpathError of the work; WorkFailed when the worker crashed or overran on it. */
  run<O extends Operation>(operation: O, input: Work[O]['input']): Promise<Work[O]['output']> {
    return new Promise((resolve, reject) => {
      if (this.#stopped) return reject(stopped());
      this.#waiting.push({ id: this.#nextId++, operation, input, resolve, reject });
      this.#next();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#idle);
    const running = this.#running;
    this.#running = undefined;
    clearTimeout(running?.timer);
    running?.job.reject(stopped());
    for (const job of this.#waiting.splice(0)) job.reject(stopped());
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #next(): void {
    if (this.#running || this.#stopped) return;
    const job = this.#waiting.shift();
    if (!job) {
      this.#rest();
      return;
    }
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.ref();
    const timer = setTimeout(() => this.#overrun(job), this.#options.workMs);
    this.#running = { job, timer };
    const { id, operation, input } = job;
    this.#worker.postMessage({ id, operation, input } satisfies WorkRequest);
  }

  /** Nothing to do: an idle worker keeps no process alive. */
  #rest(): void {
    this.#worker?.unref();
    if (this.#options.idleMs === undefined || !this.#worker) return;
    clearTimeout(this.#idle);
    const end = () => {
      void this.#worker?.terminate();
      this.#worker = undefined;
    };
    this.#idle = setTimeout(end, this.#options.idleMs).unref();
  }

  #start(): Worker {
    const worker = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url),
      {
        name: 'source',
        env: {},
        resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMegabytes ?? 768 },
      },
    );
    worker.on('message', (reply: WorkReply) => this.#answered(reply));
    worker.on('error', (error) => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, undefined));
    return worker;
  }

  #answered(reply: WorkReply): void {
    const running = this.#running;
    if (running?.job.id !== reply.id) return;
    this.#finish();
    if ('error' in reply) {
      const { remedy, reason, message, details } = reply.error;
      running.job.reject(new TowpathError(remedy, reason, message, { details }));
    } else running.job.resolve(reply.value as never);
    this.#next();
  }

  #overrun(job: Job): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    this.#fail(job, `took longer than ${this.#options.workMs / 1000} s`);
  }

  #lost(worker: Worker, error: Error | undefined): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const running = this.#running;
    if (running) this.#fail(running.job, error ? `failed (${error.message.slice(0, 120)})` : 'ended early');
  }

  #fail(job: Job, how: string): void {
    this.#finish();
    job.reject(
      new TowpathError(
        'Person',
        'WorkFailed',
        `Reading the repository ${how}. Make the repository smaller, or ask who runs Towpath to raise the limits.`,
      ),
    );
    this.#next();
  }

  #finish(): void {
    clearTimeout(this.#running?.timer);
    this.#running = undefined;
  }
}

function stopped(): TowpathError {
  return new TowpathError(
    'Time',
    'Stopping',
    'Towpath is stopping; the repository is read again after the start.',
  );
}
