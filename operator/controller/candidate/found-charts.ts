import { type ChartPin, chartKey } from '../record/chart-pins.ts';
import { ApplicationMemory } from './application-memory.ts';

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
export class FoundMemory extends ApplicationMemory<{ digest: string; usedAt: number }> {
  constructor() {
    super(MOST_CHARTS);
  }

  of(application: string): FoundCharts {
    const found = this.ofApplication(application);
    const note: FoundCharts['note'] = (chart, digest) =>
      found.set(chartKey(chart), { digest, usedAt: performance.now() });
    return {
      find: (chart) => {
        const known = found.get(chartKey(chart));
        if (known === undefined || performance.now() - known.usedAt > KEPT_MS) return undefined;
        note(chart, known.digest);
        return known.digest;
      },
      note,
    };
  }
}
