import type { Operation, RunWork, Work } from '../work.ts';
import { type LaneOptions, stopped, WorkLane } from './work-lane.ts';

export interface LanesOptions extends LaneOptions {
  /** How many threads; default 1. */
  lanes?: number;
  /** A repository whose own thread has been at one request of another for so long moves; milliseconds. */
  moveAfterMs?: number;
}

interface Job {
  operation: Operation;
  input: Work[Operation]['input'];
  resolve(value: never): void;
  reject(error: unknown): void;
}

/** The requests of one repository, in their order. */
interface Queue {
  /** The thread that has the repository's trees in memory. */
  lane: WorkLane;
  jobs: Job[];
  isRunning: boolean;
}

/**
 * Worker threads and the requests that wait for them. Repositories take turns, whatever number of requests each
 * has, and none is at work in two threads: one that is slow to read holds up one thread, and who shares that
 * one moves to another. A request whose signal is aborted while it waits is never begun.
 */
export class WorkLanes {
  readonly #lanes: WorkLane[];
  readonly #moveAfterMs: number;
  /** With requests that wait, the next in turn first. */
  readonly #waiting = new Set<Queue>();
  #move: NodeJS.Timeout | undefined;
  #nextLane = 0;
  #nextId = 1;
  #stopped = false;

  constructor({ lanes = 1, moveAfterMs = 500, ...options }: LanesOptions) {
    this.#lanes = Array.from({ length: lanes }, () => new WorkLane(options));
    this.#moveAfterMs = moveAfterMs;
  }

  /**
   * What runs the work of one repository.
   *
   * @throws TowpathError of the work; WorkFailed when the worker crashed or overran on it.
   */
  forRepository(): RunWork {
    const lane = this.#lanes[this.#nextLane++ % this.#lanes.length];
    if (!lane) throw new Error('there are no workers');
    const queue: Queue = { lane, jobs: [], isRunning: false };
    return (operation, input, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<never>();
      if (this.#stopped) reject(stopped());
      else if (signal?.aborted) reject(signal.reason);
      else {
        const job: Job = { operation, input, resolve, reject };
        const abandon = () => {
          this.#takeOut(queue, job);
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', abandon, { once: true });
        const forget = () => signal?.removeEventListener('abort', abandon);
        promise.then(forget, forget);
        queue.jobs.push(job);
        this.#waiting.add(queue);
        this.#dispatch();
      }
      return promise;
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#move);
    for (const { jobs } of this.#waiting) for (const job of jobs.splice(0)) job.reject(stopped());
    this.#waiting.clear();
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }

  #takeOut(queue: Queue, job: Job): void {
    const at = queue.jobs.indexOf(job);
    if (at >= 0) queue.jobs.splice(at, 1);
    if (queue.jobs.length === 0) this.#waiting.delete(queue);
  }

  /** Gives every free thread something to do. */
  #dispatch(): void {
    for (const lane of this.#lanes) {
      if (lane.busyMs !== undefined || this.#stopped) continue;
      const queue = this.#nextFor(lane);
      if (queue) void this.#begin(lane, queue);
    }
    this.#lookAgain();
  }

  #nextFor(lane: WorkLane): Queue | undefined {
    for (const queue of this.#waiting) {
      const isStuck = (queue.lane.busyMs ?? 0) >= this.#moveAfterMs;
      if (!queue.isRunning && (queue.lane === lane || isStuck)) return queue;
    }
    return undefined;
  }

  async #begin(lane: WorkLane, queue: Queue): Promise<void> {
    const job = queue.jobs.shift();
    if (!job) return;
    // Its turn is over: it stands last.
    this.#waiting.delete(queue);
    if (queue.jobs.length > 0) this.#waiting.add(queue);
    queue.lane = lane;
    queue.isRunning = true;
    const { operation, input } = job;
    try {
      job.resolve((await lane.run({ id: this.#nextId++, operation, input })) as never);
    } catch (error) {
      job.reject(error);
    } finally {
      queue.isRunning = false;
      this.#dispatch();
    }
  }

  /** Who waits for a busy thread while another one is free may move there after a while. */
  #lookAgain(): void {
    clearTimeout(this.#move);
    this.#move = undefined;
    const isWaiting = [...this.#waiting].some(({ isRunning }) => !isRunning);
    if (!isWaiting || this.#lanes.every((lane) => lane.busyMs !== undefined)) return;
    this.#move = setTimeout(() => this.#dispatch(), this.#moveAfterMs / 4);
  }
}
