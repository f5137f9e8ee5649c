import { TowpathError } from '../../api/errors.ts';
import { LedElsewhere } from './chart-errors.ts';

/** A dependency is corrected in Chart.yaml, a chart that a spec names in that. The longer phrases come first. */
const PHRASES: readonly (readonly [ofDependency: string, ofSpec: string])[] = [
  [
    'Correct the repository in Chart.yaml, and run `helm dependency update`',
    'Correct spec.helm.chart.repoURL',
  ],
  ['Correct the repository in Chart.yaml', 'Correct spec.helm.chart.repoURL'],
  ['Correct Chart.yaml, and run `helm dependency update`', 'Correct spec.helm.chart'],
  ['correct Chart.yaml and run `helm dependency update`', 'correct spec.helm.chart'],
  ['A chart repository in Chart.yaml', 'The repository in spec.helm.chart.repoURL'],
  ['Check its name in Chart.yaml', 'Check its name in spec.helm.chart.repoURL'],
  ['Check the name in Chart.yaml', 'Check spec.helm.chart.name'],
  ['has into Chart.yaml', 'has into spec.helm.chart.repoURL'],
  ['Commit the chart to the folder charts, or have', 'Have'],
  ['or commit the archive that you trust to the folder charts', 'or use another version'],
  ['or commit the right chart to the folder charts', 'or use another version'],
  ['or commit the chart to the folder charts', 'or use another chart'],
  ['or commit it to the folder charts', 'or use another version'],
];

/** What is told of a chart that cannot be fetched, to who names it in spec.helm.chart. */
export function toldOfSpec(text: string): string {
  let told = text;
  for (const [ofDependency, ofSpec] of PHRASES) told = told.replaceAll(ofDependency, ofSpec);
  return told;
}

/** @param secret where the spec names the Secret that a repository is asked with. */
export function asChartOfSpec(error: unknown, secret: string): unknown {
  if (!(error instanceof TowpathError)) return error;
  const { remedy, reason, details, next, advice } = error;
  const field = error instanceof LedElsewhere ? 'spec.helm.registries' : secret;
  const told = (text: string) => toldOfSpec(text).replaceAll('spec.helm.registries', () => field);
  return new TowpathError(remedy, reason, told(error.message), {
    cause: error,
    details,
    next: told(next),
    advice,
  });
}
