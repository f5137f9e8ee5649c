import { Worker } from 'node:worker_threads';
import { TowpathError } from '../../api/errors.ts';
import type { WorkReply, WorkRequest } from '../work.ts';

export interface LaneOptions {
  /** After so long one request counts as overrun, and the worker is replaced; milliseconds. */
  workMs: number;
  /** JavaScript heap of the worker, in MiB; default 768. Beyond it counts as a crash. */
  heapMegabytes?: number;
  /** An idle worker ends after so long, so that its memory is given back; milliseconds; undefined: never. */
  idleMs?: number;
}

interface Running {
  request: WorkRequest;
  since: number;
  timer: NodeJS.Timeout;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * A worker thread. One request is with it at a time, so a crash or an overrun is known to be that request's:
 * it fails, and the next one gets a new worker.
 */
export class WorkLane {
  readonly #options: LaneOptions;
  #worker: Worker | undefined;
  #running: Running | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** For how long the worker has been at its request, in milliseconds; undefined while it has none. */
  get busyMs(): number | undefined {
    return this.#running && performance.now() - this.#running.since;
  }

  /**
   * Gives the request to the worker, which must have none.
   *
   * @throws TowpathError of the work; WorkFailed when the worker crashed or overran on it.
   */
  run(request: WorkRequest): Promise<unknown> {
    if (this.#running) throw new Error('the worker has a request already');
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.ref();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#overrun(), this.#options.workMs);
      this.#running = { request, since: performance.now(), timer, resolve, reject };
      this.#worker?.postMessage(request);
    });
  }

  async stop(): Promise<void> {
    this.#finish()?.reject(stopped());
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  /** Nothing to do: an idle worker keeps no process alive. */
  #becomeIdle(): void {
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
    if (this.#running?.request.id !== reply.id) return;
    const running = this.#finish();
    if ('error' in reply) {
      const { remedy, reason, message, details } = reply.error;
      running?.reject(new TowpathError(remedy, reason, message, { details }));
    } else running?.resolve(reply.value);
  }

  #overrun(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    this.#fail(`took longer than ${this.#options.workMs / 1000} s`);
  }

  #lost(worker: Worker, error: Error | undefined): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#fail(error ? `failed (${error.message.slice(0, 120)})` : 'ended early');
  }

  #fail(how: string): void {
    this.#finish()?.reject(
      new TowpathError(
        'Person',
        'WorkFailed',
        `Reading the repository ${how}. Make the repository smaller, or ask who runs Towpath to raise the limits.`,
      ),
    );
  }

  #finish(): Running | undefined {
    const running = this.#running;
    this.#running = undefined;
    clearTimeout(running?.timer);
    this.#becomeIdle();
    return running;
  }
}

export function stopped(): TowpathError {
  return new TowpathError(
    'Time',
    'Stopping',
    'Towpath is stopping; the repository is read again after the start.',
  );
}
