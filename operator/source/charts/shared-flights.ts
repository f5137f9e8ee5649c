import { TowpathError } from '../../api/errors.ts';

interface Flight {
  promise: Promise<unknown>;
  /** For whom it began. */
  begunFor: ReadonlySet<string>;
  /** All who wait for it. */
  tenants: Set<string>;
}

/** What is fetched once for all who want it at the same time. */
export class SharedFlights {
  readonly #flights = new Map<string, Flight>();
  readonly #onJoin: () => void;

  /** @param onJoin is called when more wait for something that was begun. */
  constructor(onJoin: () => void) {
    this.#onJoin = onJoin;
  }

  /** Those that are under way. */
  get all(): Promise<unknown>[] {
    return [...this.#flights.values()].map(({ promise }) => promise);
  }

  /**
   * What is on its way under that key, or is begun now. What others began, and what had to make room for more of theirs,
   * is begun anew for who is left.
   *
   * @param begin is told of all who wait for it, of those too that come later.
   */
  async join<T>(
    key: string,
    tenants: ReadonlySet<string>,
    begin: (tenants: ReadonlySet<string>) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const flight = this.#flights.get(key);
      if (flight === undefined) return this.#begin(key, tenants, begin);
      for (const tenant of tenants) flight.tenants.add(tenant);
      this.#onJoin();
      try {
        return (await flight.promise) as T;
      } catch (error) {
        const isOwn = [...tenants].every((tenant) => flight.begunFor.has(tenant));
        if (isOwn || !(error instanceof TowpathError) || error.reason !== 'ChartCacheFull') throw error;
      }
    }
  }

  #begin<T>(
    key: string,
    begunFor: ReadonlySet<string>,
    begin: (tenants: ReadonlySet<string>) => Promise<T>,
  ): Promise<T> {
    const tenants = new Set(begunFor);
    const promise = begin(tenants).finally(() => this.#flights.delete(key));
    this.#flights.set(key, { promise, begunFor, tenants });
    return promise;
  }
}
