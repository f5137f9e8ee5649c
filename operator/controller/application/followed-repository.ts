import type { Application } from '../../api/v1alpha1/application.ts';
import { pinnedRepository } from '../record/chart-pins.ts';

/**
 * The repository with which all come who may take something over from each other, the same for every way to write its
 * URL: of Git, or without one that of the published chart.
 *
 * @returns undefined of what cannot be read
 */
export function followedRepository(
  application: Application | undefined,
  { nameOf }: { nameOf(url: string): string | undefined },
): string | undefined {
  if (application === undefined) return undefined;
  const { source, helm } = application.spec;
  if (source !== undefined) return nameOf(source.repoURL) ?? source.repoURL;
  return helm?.chart && pinnedRepository(helm.chart.repoURL);
}
