import { isForbidden, isNotFound } from './errors.ts';

/** A server that has just started forbids all until it knows the roles, and finds nothing until it knows the definitions. */
const REFUSED_MS = 10_000;
/** One that restarts, or is busy, is no reason to doubt what it said a moment ago. */
const OTHERWISE_MS = 60_000;

/** Whether what a watch told once is too old to count: it has failed for too long. */
export class Staleness {
  readonly #now: () => number;
  #since: number | undefined;
  #error: Error | undefined;

  /** @param now in milliseconds, by a clock that nobody sets */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** What it failed with when it began to be too old; undefined: it is not. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Answers whether it is too old from now on: then all is to be listed, since a watch tells what it missed a moment late. */
  failed(error: Error): boolean {
    const now = this.#now();
    this.#since ??= now;
    const limitMs = isForbidden(error) || isNotFound(error) ? REFUSED_MS : OTHERWISE_MS;
    if (this.#error !== undefined || now - this.#since < limitMs) return false;
    this.#error = error;
    return true;
  }

  watching(): void {
    this.#since = undefined;
  }

  /** Answers whether it was too old until now. */
  listed(): boolean {
    const was = this.#error !== undefined;
    this.#error = undefined;
    this.#since = undefined;
    return was;
  }
}
