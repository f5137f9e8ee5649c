import type { TestContext } from 'node:test';
import {
  ChartRepositories,
  type ChartRepositoriesOptions,
} from '../../operator/source/charts/chart-repositories.ts';
import type { TestRenderer } from './render.ts';

/** Fetches charts from servers of the tests until the test ends; versions are found by the engine. */
export function newChartRepositories(
  t: TestContext,
  { renderer }: Pick<TestRenderer, 'renderer'>,
  options: Partial<ChartRepositoriesOptions> = {},
): ChartRepositories {
  const charts = new ChartRepositories({
    allowLoopback: true,
    locate: (chart, index, signal) => renderer.findInIndex(chart, index, signal),
    ...options,
  });
  t.after(() => charts.stop());
  return charts;
}
