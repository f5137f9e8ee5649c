import { TokenBucket } from '../kube/token-bucket.ts';

/** How often something may happen to each of many: `burst` times at once, and then one each `everyMs`. */
export class Pace {
  readonly #burst: number;
  readonly #everyMs: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(burst: number, everyMs: number) {
    this.#burst = burst;
    this.#everyMs = everyMs;
  }

  /** Whether it may happen now, which counts. */
  take(key: string): boolean {
    const now = performance.now();
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#burst, this.#everyMs, now);
    this.#buckets.set(key, bucket);
    return bucket.take(now);
  }

  /** How long until it may happen, in milliseconds; 0: now. */
  waitMs(key: string): number {
    return this.#buckets.get(key)?.waitMs(performance.now()) ?? 0;
  }

  forget(key: string): void {
    this.#buckets.delete(key);
  }
}
