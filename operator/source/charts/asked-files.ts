import { BoundedMap } from '../bounded-map.ts';
import type { FileCache } from './file-cache.ts';
import type { SharedFlights } from './shared-flights.ts';

interface Asked {
  etag: string | undefined;
  /** On the clock of performance.now(). */
  askedAt: number;
}

const MOST_FILES = 10_000;

/** Files of the cache that are asked for anew, with the tag that they had: when each was last. */
export class AskedFiles {
  readonly #files: FileCache;
  readonly #flights: SharedFlights;
  readonly #asked = new BoundedMap<string, Asked>(MOST_FILES);

  constructor(files: FileCache, flights: SharedFlights) {
    this.#files = files;
    this.#flights = flights;
  }

  /**
   * Has a file there that was asked for at `since`, or later: one that was on its way already may have been sent before.
   *
   * @param since on the clock of performance.now().
   * @param ask keeps the file where it is another one than had the tag, and returns the tag that it has.
   */
  async bring(
    file: string,
    since: number,
    tenants: ReadonlySet<string>,
    ask: (etag: string | undefined, tenants: ReadonlySet<string>) => Promise<string | undefined>,
  ): Promise<void> {
    const isOfThen = () => (this.#asked.get(file)?.askedAt ?? Number.NEGATIVE_INFINITY) >= since;
    for (let tries = 0; tries < 2 && !(this.#files.has(file) && isOfThen()); tries++)
      await this.#flights.join(file, tenants, async (all) => {
        const known = this.#files.has(file) ? this.#asked.get(file) : undefined;
        const askedAt = performance.now();
        const etag = await ask(known?.etag, all);
        this.#asked.set(file, { etag, askedAt });
      });
  }
}
