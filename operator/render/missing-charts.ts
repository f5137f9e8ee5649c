import { type ErrorDetail, TowpathError } from '../api/errors.ts';

/** One version of a chart in a Helm repository, as Chart.yaml and Chart.lock name it: not checked in any way. */
export interface ChartReference {
  name: string;
  version: string;
  /** URL of the repository. */
  repository: string;
  /** `version` is a range: no lock says which version of it. */
  isRange?: true;
  /** Where the archive is to stand, for a kustomization; absent: in the folder charts of the chart. */
  file?: string;
}

/** A chart does not render without its dependencies, or a kustomization without its charts: all that it lacks. */
export class MissingCharts extends TowpathError {
  readonly charts: readonly ChartReference[];
  /** What lacks them. */
  readonly of: 'Chart' | 'Kustomization';

  constructor(message: string, details: readonly ErrorDetail[], charts: readonly ChartReference[]) {
    super('Person', 'DependencyMissing', message, { details });
    this.charts = charts;
    this.of = charts.some(({ file }) => file !== undefined) ? 'Kustomization' : 'Chart';
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
