import { TowpathError } from '../api/errors.ts';
import { EngineChild, EngineExit } from './engine-child.ts';

/** A request that has run for so long no longer counts: another process takes its place, up to twice as many. */
const SLOW_AFTER_MS = 2_000;
/** A request that nobody waits for any more may still end by itself for so long; then its process is ended. */
const ABANDONED_MS = 200;

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
  readonly #slow = new Set<EngineChild>();
  readonly #queue: (() => void)[] = [];
  #stopped = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Runs the job with a process of its own, one that saw the same chart where such a one is idle.
   *
   * @param subject what is rendered, for messages
   * @param digest of the chart
   * @throws TowpathError RenderTimeout, RenderOutOfMemory or RenderFailed where the process had to end.
   */
  async run<T>(
    subject: string,
    digest: string,
    job: (child: EngineChild) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const child = await this.#acquire(digest, signal);
    let timedOut = false;
    const slow = setTimeout(() => {
      this.#slow.add(child);
      this.#queue.shift()?.();
    }, SLOW_AFTER_MS);
    const timer = setTimeout(() => {
      timedOut = true;
      void child.kill();
    }, this.#options.timeoutMs);
    let abandoned: NodeJS.Timeout | undefined;
    const onAbort = () => {
      abandoned = setTimeout(() => void child.kill(), ABANDONED_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await job(child);
    } catch (error) {
      if (!(error instanceof EngineExit)) throw error;
      signal.throwIfAborted();
      throw this.#explain(subject, error, timedOut);
    } finally {
      clearTimeout(timer);
      clearTimeout(slow);
      clearTimeout(abandoned);
      signal.removeEventListener('abort', onAbort);
      if (timedOut) await child.kill(); // its answer may have come in the same instant
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
    if (!exit.started || exit.stderr.startsWith('confine the engine')) {
      return new TowpathError(
        'Time',
        'EngineUnavailable',
        `The rendering engine could not be started: ${exit.stderr}`,
        {
          cause: exit,
        },
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

  async #acquire(digest: string, signal: AbortSignal): Promise<EngineChild> {
    while (true) {
      if (this.#stopped) throw stopped();
      if (signal.aborted) {
        this.#queue.shift()?.(); // the turn may have been ours: pass it on
        throw signal.reason;
      }
      const idle = this.#takeIdle(digest);
      if (idle?.ended) continue;
      if (idle === undefined && this.#full()) {
        await this.#turn(signal);
        continue;
      }
      const { enginePath, memoryBytes: memory, cacheBytes: cache, inputBytes: input } = this.#options;
      const child = idle ?? new EngineChild(enginePath, { memory, cache, input });
      child.sawChart(digest);
      this.#busy.add(child);
      return child;
    }
  }

  #takeIdle(digest: string): EngineChild | undefined {
    const sawIt = this.#idle.findLastIndex((child) => child.hasSeen(digest));
    return sawIt >= 0 ? this.#idle.splice(sawIt, 1)[0] : this.#idle.pop();
  }

  #full(): boolean {
    const { processes } = this.#options;
    return this.#busy.size - this.#slow.size >= processes || this.#busy.size >= 2 * processes;
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
    this.#slow.delete(child);
    if (!child.ended && !this.#stopped) {
      if (this.#idle.length + this.#busy.size < this.#options.processes) this.#idle.push(child);
      else void child.kill(); // one too many since a slow request ended
    }
    this.#queue.shift()?.();
  }
}

function stopped(): TowpathError {
  return new TowpathError('Time', 'Stopping', 'The operator is stopping.');
}
