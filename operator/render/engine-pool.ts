import { TowpathError } from '../api/errors.ts';
import { EngineChild, EngineExit } from './engine-child.ts';

export interface PoolOptions {
  enginePath: string;
  /** How many requests are worked on at a time. */
  processes: number;
  /** Of one request, from when a process has it. */
  timeoutMs: number;
  /** Of one process. */
  memoryBytes: number;
  /** Of one process: charts and parsed manifests that it keeps. */
  cacheBytes: number;
  inputBytes: number;
}

/**
 * A few engine processes, each working on one request at a time. A request that takes too long or too much
 * memory costs its process, which is replaced; others do not notice.
 */
export class EnginePool {
  readonly #options: PoolOptions;
  readonly #idle: EngineChild[] = [];
  readonly #busy = new Set<EngineChild>();
  readonly #queue: (() => void)[] = [];
  #stopped = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Runs the job with a process of its own. `subject` names what is rendered, for messages.
   *
   * @throws TowpathError RenderTimeout, RenderOutOfMemory or RenderFailed where the process had to end.
   */
  async run<T>(subject: string, job: (child: EngineChild) => Promise<T>, signal: AbortSignal): Promise<T> {
    const child = await this.#acquire(signal);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      void child.kill();
    }, this.#options.timeoutMs);
    try {
      return await job(child);
    } catch (error) {
      if (!(error instanceof EngineExit)) throw error;
      throw this.#explain(subject, error, timedOut);
    } finally {
      clearTimeout(timer);
      this.#release(child);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const next of this.#queue.splice(0)) next();
    await Promise.all([...this.#idle, ...this.#busy].map((child) => child.kill()));
  }

  #explain(subject: string, exit: EngineExit, timedOut: boolean): Error {
    if (this.#stopped) return stopped();
    const limits = this.#options;
    if (timedOut) {
      const seconds = limits.timeoutMs / 1000;
      return new TowpathError(
        'Person',
        'RenderTimeout',
        `Rendering ${subject} took longer than ${seconds} s and was ended. Look for templates that loop.`,
      );
    }
    if (/stack exceeds|stack overflow/.test(exit.stderr)) {
      return new TowpathError(
        'Person',
        'RenderFailed',
        `Rendering ${subject} was ended: its templates include each other without end.`,
      );
    }
    if (/out of memory|cannot allocate memory/.test(exit.stderr)) {
      return new TowpathError(
        'Person',
        'RenderOutOfMemory',
        `Rendering ${subject} took more than ${Math.round(limits.memoryBytes / 2 ** 20)} MiB of memory and was ended.`,
      );
    }
    return new TowpathError(
      'Person',
      'RenderFailed',
      `The rendering engine ended while it rendered ${subject}.`,
      {
        cause: exit,
      },
    );
  }

  async #acquire(signal: AbortSignal): Promise<EngineChild> {
    while (true) {
      if (this.#stopped) throw stopped();
      if (signal.aborted) {
        this.#queue.shift()?.(); // the turn may have been ours: pass it on
        throw signal.reason;
      }
      const idle = this.#idle.pop();
      if (idle?.ended) continue;
      if (idle === undefined && this.#busy.size >= this.#options.processes) {
        await this.#turn(signal);
        continue;
      }
      const { enginePath, memoryBytes: memory, cacheBytes: cache, inputBytes: input } = this.#options;
      const child = idle ?? new EngineChild(enginePath, { memory, cache, input });
      this.#busy.add(child);
      return child;
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const next = () => {
        signal.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = () => {
        const at = this.#queue.indexOf(next);
        if (at >= 0) this.#queue.splice(at, 1);
        resolve();
      };
      signal.addEventListener('abort', aborted, { once: true });
      this.#queue.push(next);
    });
  }

  #release(child: EngineChild): void {
    this.#busy.delete(child);
    if (!child.ended) this.#idle.push(child);
    this.#queue.shift()?.();
  }
}

function stopped(): TowpathError {
  return new TowpathError('Time', 'Stopping', 'The operator is stopping.');
}
