/** A turn of the event loop that keeps everything else waiting for longer is told. Milliseconds. */
export const LONG_TURN_MS = 50;
/** The processor's time is not asked for more often: that takes longer than many a turn. */
const READ_EVERY_MS = 5;
/** A turn no longer than one told of late is not told again. */
const TOLD_FOR_MS = 60_000;

/**
 * Measures for how long this thread's own work holds the event loop: the processor time of each turn, which is
 * all that happens between two looks for what is ready. Time in which the machine gives the thread no processor is
 * not in it. Costs nothing while the loop rests.
 */
export class Turns {
  readonly #onLong: (milliseconds: number) => void;
  #immediate: NodeJS.Immediate | undefined;
  #longest = 0;
  #told = { milliseconds: 0, at: 0 };
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
    this.#read = { at: performance.now(), used: processorTime() };
    this.#turnedAt = this.#read.at;
    this.#next();
  }

  stop(): void {
    clearImmediate(this.#immediate);
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
    const elapsed = now - this.#turnedAt;
    this.#turnedAt = now;
    if (now - this.#read.at < READ_EVERY_MS) return;
    const used = processorTime();
    // What was used since the last reading may be of turns before this one, too.
    const turn = Math.min(used - this.#read.used, elapsed);
    this.#read = { at: now, used };
    this.#longest = Math.max(this.#longest, turn);
    if (turn > LONG_TURN_MS) this.#tell(turn, now);
  }

  #tell(milliseconds: number, now: number): void {
    if (milliseconds <= this.#told.milliseconds && now - this.#told.at < TOLD_FOR_MS) return;
    this.#told = { milliseconds, at: now };
    this.#onLong(milliseconds);
  }
}

/** Of this thread, so far, in milliseconds. */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
