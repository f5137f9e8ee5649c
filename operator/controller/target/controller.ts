import type { Slices } from '../../observe/event-loop-slices.ts';
import type { Load } from '../../observe/work-metrics.ts';
import type { Adding, Queue, QueueObserver } from '../work/queue.ts';
import { TargetLooks, type TargetLooksOptions, TELL_AFTER_MS } from './looks.ts';
import type { TargetMemory } from './memory.ts';
import { ABANDON_AFTER_MS, pacedQueue } from './paced-queue.ts';
import { forgetRefusal, forgetRetry, isRefused, lacksKind, type Session } from './session.ts';

export interface TargetControllerOptions extends Omit<TargetLooksOptions, 'lookAgain'> {
  /** The names of all targets, whether there is something to do for them or not. */
  names(): Iterable<string>;
  /** By name, alike. */
  memoryOf(name: string): TargetMemory | undefined;
  slices: Slices;
  observer: QueueObserver;
  /** Told of a look that takes long, again and again. */
  onLong(name: string, seconds: number): void;
  /** Told of a look that did not end so long after it was interrupted, and that counts no more. */
  onAbandoned(name: string, seconds: number): void;
}

const IDLE: Load = { waiting: 0, running: 0, unfinished: 0, longest: 0 };

/**
 * Works on targets while this process leads: a bounded number at once, each by itself, so that one that hangs delays
 * none of its Application's others either. By their names.
 */
export class TargetController {
  readonly #options: TargetControllerOptions;
  readonly #looks: TargetLooks;
  #queue: Queue | undefined;

  constructor(options: TargetControllerOptions) {
    this.#options = options;
    this.#looks = new TargetLooks({
      ...options,
      lookAgain: (name, delayMs) => this.#queue?.addAfter(name, delayMs),
    });
  }

  get load(): Load {
    return this.#queue?.load ?? IDLE;
  }

  /** All that are looked at, or are to be; `since` when a look that nothing interrupted began. */
  underWay(): Iterable<{ key: string; since?: number }> {
    return this.#queue?.underWay() ?? [];
  }

  /** Whether a look at the target with that name is under way. */
  isLookedAt(name: string): boolean {
    return this.#queue?.isRunning(name) === true;
  }

  /** Begins to work, on nothing yet. */
  lead(): void {
    const { slices, observer, parts } = this.#options;
    this.#queue = pacedQueue(parts.home, {
      observer,
      slices,
      work: (name, signal) => this.#looks.look(name, signal),
      spareMs: 2 * TELL_AFTER_MS,
      isFirst: (name) => this.#isOnItsWay(name),
      onError: (name, error) => this.#looks.failed(name, error),
      onLeft: (name) => this.#abandon(name),
      onLong: (name, seconds) => this.#options.onLong(name, seconds),
    });
  }

  /** Ends all work under way. */
  async follow(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await queue?.stop();
  }

  /** A deployment takes several looks, and each is waited for. */
  #isOnItsWay(name: string): boolean {
    const { find, parts } = this.#options;
    const identity = find(name)?.identity;
    const deployment = identity && parts.store.get(identity)?.deployment;
    return deployment !== undefined && deployment.outcome === undefined;
  }

  /** Has the target looked at soon; `interrupt` also ends a look under way, which begins anew. */
  look(name: string, how: Adding = {}): void {
    this.#queue?.add(name, how);
  }

  /** A person asks for something. */
  onCommand(name: string, how: Pick<Adding, 'interrupt'>): void {
    if (!this.#looks.answersEnding(name)) this.look(name, { ...how, rank: 'First' });
  }

  lookAfter(name: string, delayMs: number): void {
    this.#queue?.addAfter(name, delayMs);
  }

  /** Something of it changed in its cluster: whatever flaps there must not become as many writes of a status (A14). */
  onChanged(name: string): void {
    const wait = this.#options.memoryOf(name)?.looks.waitMs(performance.now()) ?? 0;
    if (wait === 0) this.look(name);
    else this.lookAfter(name, wait);
  }

  /** What was refused because another one had it is tried at once. */
  takeOver(name: string): void {
    forgetRetry(this.#options.memoryOf(name)?.session);
    this.look(name);
  }

  /** The kinds that a cluster serves changed: not every kind has a definition, an aggregated API server brings its own. */
  onKindsChanged(): void {
    for (const [name, session] of this.#sessions()) if (lacksKind(session)) this.look(name);
  }

  /** A definition changed, if only its schema: whoever was refused, or lacked a kind, is looked at again. */
  onDefinitionsChanged(): void {
    for (const [name, session] of this.#sessions()) {
      if (!isRefused(session) && !lacksKind(session)) continue;
      forgetRefusal(session);
      this.look(name);
    }
  }

  *#sessions(): Iterable<[string, Session]> {
    for (const name of this.#options.names()) {
      const session = this.#options.memoryOf(name)?.session;
      if (session !== undefined) yield [name, session];
    }
  }

  /** Its writes carry the signal by which it was interrupted: the API server gets none of them any more. */
  #abandon(name: string): void {
    this.#options.onAbandoned(name, ABANDON_AFTER_MS / 1_000);
    const memory = this.#options.memoryOf(name);
    if (memory === undefined) return;
    memory.isRecordInDoubt = true;
    memory.session = undefined;
  }
}
