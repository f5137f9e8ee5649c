import type { WantedChart } from './published.ts';

/** Where an index has a chart's version; without a version it has none such. */
export interface Located {
  version: string;
  url: string;
  digest: string;
  versions: readonly string[];
}

/** What a Helm repository has, or a registry of one chart, as it was when it was asked. */
export interface ChartListing {
  /** The same for as long as nothing changes there. */
  readonly state: string;
  /**
   * The highest version that a range allows, by Helm's rules. Quickest for who goes from chart to chart.
   *
   * @param tenants who wants to know, where that is not all who asked for the list.
   * @throws TowpathError
   */
  highest(range: WantedChart, tenants?: ReadonlySet<string>): Promise<string>;
}
