import { BoundedMap } from '../../source/bounded-map.ts';
import { type ChartPin, pinnedRepository } from '../record/chart-pins.ts';

type Exact = Pick<ChartPin, 'repository' | 'name' | 'version'>;

/** What charts were that an Application lacked when they were fetched for it, also where others of them did not come. */
export interface FoundCharts {
  /** SHA-256 of the archive, in hexadecimal; undefined: not found of late. */
  find(chart: Exact): string | undefined;
  note(chart: Exact, digest: string): void;
}

/** Many times as long as from one try to the next. */
const KEPT_MS = 10 * 60_000;
/** As many as its Application's record keeps. */
const MOST_CHARTS = 200;

/**
 * Remembers what the charts of a candidate were until the record has it: a try that is given up goes on at the next one
 * where it ended, instead of asking for the first ones again (A4). What is not asked for any more is forgotten.
 */
export class FoundMemory {
  readonly #applications = new Map<string, BoundedMap<string, { digest: string; usedAt: number }>>();

  of(application: string): FoundCharts {
    const found = this.#applications.get(application) ?? new BoundedMap(MOST_CHARTS);
    this.#applications.set(application, found);
    const note: FoundCharts['note'] = (chart, digest) =>
      found.set(keyOf(chart), { digest, usedAt: performance.now() });
    return {
      find: (chart) => {
        const known = found.get(keyOf(chart));
        if (known === undefined || performance.now() - known.usedAt > KEPT_MS) return undefined;
        note(chart, known.digest);
        return known.digest;
      },
      note,
    };
  }

  forget(application: string): void {
    this.#applications.delete(application);
  }

  clear(): void {
    this.#applications.clear();
  }
}

function keyOf({ repository, name, version }: Exact): string {
  return JSON.stringify([pinnedRepository(repository), name, version]);
}
