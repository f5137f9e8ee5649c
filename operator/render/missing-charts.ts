import { type ErrorDetail, TowpathError } from '../api/errors.ts';

/** One version of a chart in a Helm repository, as Chart.yaml and Chart.lock name it: not checked in any way. */
export interface ChartReference {
  name: string;
  version: string;
  /** URL of the repository. */
  repository: string;
  /** `version` is a range: no lock says which version of it. */
  isRange?: true;
}

/** A chart does not render without its dependencies, and these are all that it lacks. */
export class MissingCharts extends TowpathError {
  readonly charts: readonly ChartReference[];

  constructor(message: string, details: readonly ErrorDetail[], charts: readonly ChartReference[]) {
    super('Person', 'DependencyMissing', message, { details });
    this.charts = charts;
  }
}

/** What a Helm repository's index says of one version of a chart. */
export interface IndexEntry {
  /** As it is written there; '' where there is no such version. */
  version: string;
  /** Absolute, or relative to the repository. */
  url: string;
  /** SHA-256 of the archive, in hexadecimal; '' where it is not told. */
  digest: string;
  /** Where there is no such version: those that there are, the newest first. */
  versions: readonly string[];
}
