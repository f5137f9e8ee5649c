import { BoundedMap } from '../bounded-map.ts';

/** Places for lookups: each holds an entry of an index in memory, and an engine. */
const PLACES = 2;
/** Of one tenant at once. */
const OF_ONE = 1;
/** Tenants of which it is remembered when they had a turn. */
const MOST_TENANTS = 1_000;
/** What nobody waits for has a turn, too: whoever began it does not go on before. */
const NOBODY: ReadonlySet<string> = new Set(['']);

interface Waiting {
  tenants: ReadonlySet<string>;
  begin(tenant: string): void;
}

/**
 * Turns of those who look something up in what repositories list: few at once, of one tenant fewer, and tenants that wait
 * are served in turn (A3, A8).
 */
export class LookupTurns {
  readonly #running = new Map<string, number>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();
  /** Of each tenant the number of its last turn. */
  readonly #served = new BoundedMap<string, number>(MOST_TENANTS);
  #turns = 0;
  #taken = 0;

  /**
   * Does the work when it is its turn.
   *
   * @param tenants who waits for it, and more who come meanwhile: it has the turn of whichever comes first.
   * @param signal aborted, it has no turn any more.
   */
  async take<T>(tenants: ReadonlySet<string>, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const tenant = await this.#turn(tenants, signal);
    try {
      return await work();
    } finally {
      this.#taken -= 1;
      this.#count(tenant, -1);
      this.serve();
    }
  }

  #turn(tenants: ReadonlySet<string>, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        tenants,
        begin: (tenant) => {
          signal.removeEventListener('abort', aborted);
          resolve(tenant);
        },
      };
      signal.addEventListener('abort', aborted, { once: true });
      this.#waiting.add(waiting);
      this.serve();
    });
  }

  /** Begins what may begin, now that others may wait for something, too. */
  serve(): void {
    while (this.#taken < PLACES) {
      const next = this.#next();
      if (next === undefined) return;
      const [waiting, tenant] = next;
      this.#waiting.delete(waiting);
      this.#taken += 1;
      this.#count(tenant, 1);
      this.#served.set(tenant, ++this.#turns);
      waiting.begin(tenant);
    }
  }

  /** Of the tenants that may be served the one whose turn was longest ago, with what came first of its. */
  #next(): [Waiting, string] | undefined {
    let next: [Waiting, string] | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting)
      for (const tenant of waiting.tenants.size === 0 ? NOBODY : waiting.tenants) {
        const served = this.#served.get(tenant) ?? 0;
        if (served >= least || (this.#running.get(tenant) ?? 0) >= OF_ONE) continue;
        [next, least] = [[waiting, tenant], served];
        if (served === 0) return next;
      }
    return next;
  }

  #count(tenant: string, change: 1 | -1): void {
    const count = (this.#running.get(tenant) ?? 0) + change;
    if (count === 0) this.#running.delete(tenant);
    else this.#running.set(tenant, count);
  }
}
