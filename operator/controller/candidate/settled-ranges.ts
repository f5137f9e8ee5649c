import { type ChartPin, chartKey, pinOfRange } from '../record/chart-pins.ts';
import { ApplicationMemory } from './application-memory.ts';

/** A dependency as Chart.yaml declares it, for which no lock says which version that is. */
type Ranged = Pick<ChartPin, 'repository' | 'name'> & { readonly version: string };

/** Which version a range stands for, in all environments of an Application. */
export interface SettledRanges {
  /** Undefined where that is open still. */
  find(chart: Ranged): string | undefined;
  /** Returns the version that counts: the one that was settled first, where several looked for it at once. */
  settle(chart: Ranged, version: string): string;
  /** It is one that renders. */
  confirm(chart: Ranged, version: string): void;
  /** It is not to be had, or does not render: where it does in no other environment, the range is open again. */
  release(chart: Ranged, version: string): void;
}

interface Settlement {
  version: string;
  isConfirmed: boolean;
}

/** As many as its Application's record keeps. */
const MOST_RANGES = 200;

/**
 * Remembers which version each range came to, until the record has it: one that is published meanwhile must not make a
 * candidate in the second environment that the first does not have.
 */
export class RangeMemory extends ApplicationMemory<Settlement> {
  constructor() {
    super(MOST_RANGES);
  }

  /** @param pins what the record of the Application has, which counts first. */
  of(application: string, pins: readonly ChartPin[]): SettledRanges {
    const settled = this.ofApplication(application);
    return {
      find: (chart) => pinOfRange(pins, chart)?.version ?? settled.get(chartKey(chart))?.version,
      settle: (chart, version) => {
        const first = settled.get(chartKey(chart));
        if (first === undefined) settled.set(chartKey(chart), { version, isConfirmed: false });
        return first?.version ?? version;
      },
      confirm: (chart, version) => {
        // Another environment may have let go of it meanwhile, and may try another one.
        if (settled.get(chartKey(chart))?.isConfirmed !== true)
          settled.set(chartKey(chart), { version, isConfirmed: true });
      },
      release: (chart, version) => {
        const one = settled.get(chartKey(chart));
        if (one?.isConfirmed === false && one.version === version) settled.delete(chartKey(chart));
      },
    };
  }
}
