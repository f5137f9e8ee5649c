import { TowpathError } from '../api/errors.ts';
import { Lane } from './concurrency-limit.ts';
import { EngineChild, EngineExit, type EngineMessage } from './engine-child.ts';
import { CLOCK_TIMES, type EngineLimits, type RenderSubject, timedOut, whyEnded } from './engine-ended.ts';

/** A request that has run for so long is a slow one: it leaves its place to others. */
const SLOW_AFTER_MS = 2_000;
/** How often a slow request for which there is no other place looks whether somebody waits for its own. */
const LOOK_AGAIN_MS = 100;
/** Lookups in indexes that are worked on at a time, beside all renders. */
export const LOOKUPS = 2;
/** A request that nobody waits for any more may still end by itself for so long; then its process is ended. */
const ABANDONED_MS = 200;

export interface PoolOptions extends EngineLimits {
  enginePath: string;
  /** How many renders are worked on at a time, and as many slow ones beside them. */
  processes: number;
  /** Of one process: charts and parsed manifests that it keeps. */
  cacheBytes: number;
  inputBytes: number;
}

/** Sends a message to the engine and waits for the next one. */
export type Exchange = (
  header: Record<string, unknown>,
  blobs?: readonly Uint8Array[],
) => Promise<EngineMessage>;

interface Request<T> {
  subject: RenderSubject;
  digest: string;
  job(exchange: Exchange): Promise<T>;
  signal: AbortSignal;
}

/**
 * A few engine processes, each working on one request at a time. A request that takes too long or too much
 * memory costs its process, which is replaced; others do not notice.
 *
 * A request that turns out to be slow goes on in a place for slow ones, and its own is free again. Where those
 * are all taken and others wait, it is broken off and begins anew when a place for slow ones is free: so
 * requests wait SLOW_AFTER_MS at most for each slow one before them, and none fails because of others.
 *
 * Lookups in indexes have places of their own: however many and slow they are, no render waits for one (A3).
 */
export class EnginePool {
  readonly #options: PoolOptions;
  readonly #idle: EngineChild[] = [];
  readonly #busy = new Set<EngineChild>();
  readonly #quick: Lane;
  readonly #slow: Lane;
  readonly #lookups = new Lane(LOOKUPS);
  #stopped = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#quick = new Lane(options.processes);
    this.#slow = new Lane(options.processes);
  }

  get processes(): { idle: number; busy: number } {
    return { idle: this.#idle.filter((child) => !child.ended).length, busy: this.#busy.size };
  }

  /** Bytes that the processes have in memory. */
  get residentBytes(): number {
    return [...this.#idle, ...this.#busy].reduce((sum, child) => sum + child.residentBytes, 0);
  }

  /**
   * Runs the job with a process of its own, one that saw the same chart where such a one is idle. A job that
   * turns out to be slow may be broken off, and run once more from its beginning.
   *
   * @param subject what is rendered, for messages
   * @param digest of the chart
   * @throws TowpathError RenderTimeout, RenderOutOfMemory, EngineEnded or RenderFailed where the process had to
   * end.
   */
  async run<T>(
    subject: RenderSubject,
    digest: string,
    job: (exchange: Exchange) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const request = { subject, digest, job, signal };
    if (subject.kind === 'Index') return (await this.#try(this.#lookups, request)) as T;
    const tried = await this.#try(this.#quick, request);
    if (tried !== gaveWay) return tried;
    return (await this.#try(this.#slow, request)) as T;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const lane of [this.#quick, this.#slow, this.#lookups]) lane.close(stopped());
    await Promise.all([...this.#idle, ...this.#busy].map((child) => child.kill()));
  }

  /** `gaveWay`: the request was broken off for others, which only happens in the lane of quick ones. */
  async #try<T>(lane: Lane, { subject, digest, job, signal }: Request<T>): Promise<T | typeof gaveWay> {
    await lane.take(signal);
    let place = lane;
    let child: EngineChild;
    try {
      child = this.#childFor(digest);
    } catch (error) {
      lane.give();
      throw error instanceof EngineExit ? this.#explain(subject, error) : error;
    }
    let ended: 'TimedOut' | 'GaveWay' | undefined;
    const end = (why: 'TimedOut' | 'GaveWay') => {
      ended ??= why;
      void child.kill();
    };
    let look: NodeJS.Timeout | undefined;
    const makeRoom = () => {
      if (this.#slow.tryTake()) {
        place.give();
        place = this.#slow;
      } else if (place.isAwaited) end('GaveWay');
      else look = setTimeout(makeRoom, LOOK_AGAIN_MS);
    };
    if (place === this.#quick) look = setTimeout(makeRoom, SLOW_AFTER_MS);
    const clock = new StopClock(CLOCK_TIMES * this.#options.cpuMs, () => end('TimedOut'));
    let abandoned: NodeJS.Timeout | undefined;
    const onAbort = () => {
      abandoned = setTimeout(() => void child.kill(), ABANDONED_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await job((header, blobs) => clock.during(() => child.exchange(header, blobs)));
    } catch (error) {
      if (!(error instanceof EngineExit)) throw error;
      signal.throwIfAborted();
      if (ended === 'GaveWay') return gaveWay;
      if (ended === 'TimedOut' && !this.#stopped) throw timedOut(subject, this.#options);
      throw this.#explain(subject, error);
    } finally {
      clearTimeout(look);
      clearTimeout(abandoned);
      signal.removeEventListener('abort', onAbort);
      if (ended !== undefined) await child.kill(); // its answer may have come in the same instant
      this.#release(child);
      place.give();
    }
  }

  #explain(subject: RenderSubject, exit: EngineExit): TowpathError {
    return this.#stopped ? stopped() : whyEnded(subject, this.#options, exit);
  }

  #childFor(digest: string): EngineChild {
    let child = this.#takeIdle(digest);
    while (child?.ended) child = this.#takeIdle(digest);
    if (child === undefined) {
      const {
        enginePath,
        cpuMs: cpu,
        memoryBytes: memory,
        cacheBytes: cache,
        inputBytes: input,
      } = this.#options;
      child = new EngineChild(enginePath, { cpu, memory, cache, input });
    }
    child.sawChart(digest);
    this.#busy.add(child);
    return child;
  }

  #takeIdle(digest: string): EngineChild | undefined {
    const sawIt = this.#idle.findLastIndex((child) => child.hasSeen(digest));
    return sawIt >= 0 ? this.#idle.splice(sawIt, 1)[0] : this.#idle.pop();
  }

  #release(child: EngineChild): void {
    this.#busy.delete(child);
    if (child.ended || this.#stopped) return;
    if (this.#idle.length < this.#options.processes) this.#idle.push(child);
    else void child.kill(); // one too many since a slow request, or a lookup, ended
  }
}

const gaveWay = Symbol('gave way');

/** Measures how long something lasts that stands still in between, and says when it was too long. */
class StopClock {
  #leftMs: number;
  readonly #onEnd: () => void;

  constructor(limitMs: number, onEnd: () => void) {
    this.#leftMs = limitMs;
    this.#onEnd = onEnd;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const timer = setTimeout(this.#onEnd, this.#leftMs);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - since));
    }
  }
}

function stopped(): TowpathError {
  return new TowpathError('Time', 'Stopping', 'The operator is stopping.');
}
