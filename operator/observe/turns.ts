import { PerformanceObserver } from 'node:perf_hooks';

/** A turn of the event loop that keeps everything else waiting for longer is told. Milliseconds. */
export const LONG_TURN_MS = 50;
/** The processor's time is not asked for more often: that takes longer than many a turn. */
const READ_EVERY_MS = 5;
/** Of the collections of garbage that are over so many are remembered: more than there are in a turn. */
const COLLECTIONS = 1_000;
/** A turn no longer than one told of late is not told again. */
const TOLD_FOR_MS = 60_000;

/** On the clock of performance.now(). */
interface Span {
  began: number;
  ended: number;
}

/**
 * Measures for how long this thread's own work holds the event loop: the processor time of each turn, which is
 * all that happens between two looks for what is ready. What is not in it: time in which the machine gives the thread
 * no processor, which cannot be told from waiting inside a call of the system (hack/blocking-rules.ts keeps that out),
 * and the collection of garbage, which is V8's to bound and has a metric of its own. That is told as the time that
 * passed, not as the processor's: of a turn with a collection during which the machine was busy with others, too much
 * is left out. Costs nothing while the loop rests.
 */
export class Turns {
  readonly #onLong: (milliseconds: number) => void;
  readonly #observer = new PerformanceObserver((list) => this.#take(list.getEntries()));
  #collections: Span[] = [];
  #immediate: NodeJS.Immediate | undefined;
  #longest = 0;
  #reported = { milliseconds: 0, at: 0 };
  #read = { at: 0, used: 0 };
  #turnedAt = 0;

  /** `onLong` is told of each turn of more than LONG_TURN_MS that is longer than what it was told in the last minute. */
  constructor(onLong: (milliseconds: number) => void) {
    this.#onLong = onLong;
  }

  /** Of the turns since the start, in milliseconds, a few too much at most. */
  get longest(): number {
    return this.#longest;
  }

  start(): void {
    this.#observer.observe({ type: 'gc' });
    this.#read = { at: performance.now(), used: processorTime() };
    this.#turnedAt = this.#read.at;
    this.#next();
  }

  stop(): void {
    clearImmediate(this.#immediate);
    this.#observer.disconnect();
  }

  /** Unreferenced, it is called at the end of each turn and makes none by itself. */
  #next(): void {
    this.#immediate = setImmediate(() => {
      this.#turned();
      this.#next();
    }).unref();
  }

  #turned(): void {
    const now = performance.now();
    const turn = { began: this.#turnedAt, ended: now };
    this.#turnedAt = now;
    if (now - this.#read.at < READ_EVERY_MS) return;
    const used = processorTime();
    // What was used since the last reading may be of turns before this one, too.
    const milliseconds = Math.min(used - this.#read.used, turn.ended - turn.began);
    this.#read = { at: now, used };
    if (milliseconds <= LONG_TURN_MS) this.#longest = Math.max(this.#longest, milliseconds);
    else this.#judge(turn, milliseconds);
  }

  #take(entries: readonly { startTime: number; duration: number }[]): void {
    const taken = entries.map(({ startTime, duration }) => ({
      began: startTime,
      ended: startTime + duration,
    }));
    this.#collections = [...this.#collections, ...taken].slice(-COLLECTIONS);
  }

  #judge(turn: Span, used: number): void {
    // Those of this turn are known at its end, but may not have been told yet.
    this.#take(this.#observer.takeRecords());
    const collecting = this.#collections.reduce((sum, collection) => sum + shared(collection, turn), 0);
    const milliseconds = Math.max(0, used - collecting);
    this.#longest = Math.max(this.#longest, milliseconds);
    if (milliseconds > LONG_TURN_MS) this.#tell(milliseconds);
  }

  #tell(milliseconds: number): void {
    const now = performance.now();
    if (milliseconds <= this.#reported.milliseconds && now - this.#reported.at < TOLD_FOR_MS) return;
    this.#reported = { milliseconds, at: now };
    this.#onLong(milliseconds);
  }
}

function shared(one: Span, other: Span): number {
  return Math.max(0, Math.min(one.ended, other.ended) - Math.max(one.began, other.began));
}

/** Of this thread, so far, in milliseconds. */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
