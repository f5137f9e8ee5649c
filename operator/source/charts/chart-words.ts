import { TowpathError } from '../../api/errors.ts';
import { LedElsewhere } from './chart-errors.ts';

/**
 * A dependency is corrected in Chart.yaml, a chart that a spec or a kustomization names in that. The longer phrases come
 * first.
 */
const PHRASES: readonly (readonly [ofDependency: string, ofSpec: string, ofKustomization: string])[] = [
  [
    'Correct the repository in Chart.yaml, and run `helm dependency update`',
    'Correct spec.helm.chart.repoURL',
    'Correct its repo in helmCharts of the kustomization',
  ],
  [
    'Correct the repository in Chart.yaml',
    'Correct spec.helm.chart.repoURL',
    'Correct its repo in helmCharts of the kustomization',
  ],
  [
    'Correct Chart.yaml, and run `helm dependency update`',
    'Correct spec.helm.chart',
    'Correct helmCharts of the kustomization',
  ],
  [
    'correct Chart.yaml and run `helm dependency update`',
    'correct spec.helm.chart',
    'correct helmCharts of the kustomization',
  ],
  [
    'A chart repository in Chart.yaml',
    'The repository in spec.helm.chart.repoURL',
    'A repo in helmCharts of the kustomization',
  ],
  [
    'Check its name in Chart.yaml',
    'Check its name in spec.helm.chart.repoURL',
    'Check its name in helmCharts of the kustomization',
  ],
  [
    'Check the name in Chart.yaml',
    'Check spec.helm.chart.name',
    'Check the name in helmCharts of the kustomization',
  ],
  ['has into Chart.yaml', 'has into spec.helm.chart.repoURL', 'has into helmCharts of the kustomization'],
  [
    'Commit the chart to the folder charts, or have',
    'Have',
    'Commit the chart, unpacked, to the chartHome of the kustomization and take its repo out of helmCharts, or have',
  ],
  [
    'or commit the archive that you trust to the folder charts',
    'or use another version',
    'or commit the chart that you trust, unpacked, to the chartHome of the kustomization and take its repo out of helmCharts',
  ],
  [
    'or commit the right chart to the folder charts',
    'or use another version',
    'or commit the right chart, unpacked, to the chartHome of the kustomization and take its repo out of helmCharts',
  ],
  [
    'or commit the chart to the folder charts',
    'or use another chart',
    'or commit the chart, unpacked, to the chartHome of the kustomization and take its repo out of helmCharts',
  ],
  [
    'or commit it to the folder charts',
    'or use another version',
    'or commit it, unpacked, to the chartHome of the kustomization and take its repo out of helmCharts',
  ],
  [
    'dependencies that are not in the folder charts',
    'charts that are not in the repository',
    'charts in helmCharts of the kustomization that are not in the repository',
  ],
  ['The dependencies up to', 'The chart', 'The charts of the kustomization up to'],
];

/** What is told of a chart that cannot be fetched, to who names it in spec.helm.chart. */
export function toldOfSpec(text: string): string {
  return PHRASES.reduce((told, [ofDependency, ofSpec]) => told.replaceAll(ofDependency, ofSpec), text);
}

/** The same to who names it in helmCharts of a kustomization. */
export function toldOfKustomization(text: string): string {
  return PHRASES.reduce((told, [ofDependency, , of]) => told.replaceAll(ofDependency, of), text);
}

/** @param secret where the spec names the Secret that a repository is asked with. */
export function asChartOfSpec(error: unknown, secret: string): unknown {
  const field = error instanceof LedElsewhere ? 'spec.helm.registries' : secret;
  return toldAs(error, (text) => toldOfSpec(text).replaceAll('spec.helm.registries', () => field));
}

export function asChartOfKustomization(error: unknown): unknown {
  return toldAs(error, toldOfKustomization);
}

function toldAs(error: unknown, told: (text: string) => string): unknown {
  if (!(error instanceof TowpathError)) return error;
  const { remedy, reason, message, details, next, advice } = error;
  return new TowpathError(remedy, reason, told(message), { cause: error, details, next: told(next), advice });
}
