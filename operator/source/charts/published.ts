/** One version of a chart in a Helm repository or a registry, as Chart.yaml and Chart.lock name it. */
export interface WantedChart {
  name: string;
  version: string;
  repository: string;
}

/** A chart's archive where it is published. */
export interface Published {
  digest: string;
  /** What has that digest for it. */
  says: 'index.yaml' | 'manifest';
  open(): Promise<AsyncIterable<Buffer>>;
}
