import { TowpathError } from '../../api/errors.ts';
import { nearNames } from '../near-names.ts';
import { printable } from '../text.ts';
import type { Published, WantedChart } from './published.ts';

/** Names that a message lists. */
const LISTED = 5;

/** Of a registry to which the index of a Helm repository leads: what it is asked with stands in spec.helm.registries. */
export class LedElsewhere extends TowpathError {}

export function ledElsewhere(error: unknown): unknown {
  if (!(error instanceof TowpathError)) return error;
  const { remedy, reason, message, details, next, advice } = error;
  return new LedElsewhere(remedy, reason, message, { cause: error, details, next, advice });
}

/** What becomes a file's name in the chart's folder charts. */
export function refuseName({ name, version }: WantedChart): void {
  const isName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,249}$/.test(name);
  if (isName && /^[A-Za-z0-9][A-Za-z0-9.+-]{0,249}$/.test(version)) return;
  throw new TowpathError(
    'Person',
    'ChartNotFound',
    `${printable(name, 80)} ${printable(version, 80)} is no name and version that a chart can have. Correct Chart.yaml, and run \`helm dependency update\`.`,
  );
}

/** The digest that an index has for a chart; `what` is its entry. */
export function digestIn(text: string, what: string): string {
  const digest = text.toLowerCase().replace(/^sha256:/, '');
  if (/^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new TowpathError(
    'Person',
    'ChartIndexInvalid',
    `${what} has no SHA-256 digest, without which its archive cannot be checked. Have who runs the repository make the index anew (helm repo index), or commit the chart to the folder charts.`,
  );
}

/** @param note what else is to be said of those that are there, after a space. */
export function notFound(
  { name, repository }: WantedChart,
  version: string,
  near: readonly string[],
  note = '',
): TowpathError {
  const listed = near.slice(0, LISTED).map((each) => printable(each, 80));
  const instead = listed.length === 0 ? '' : ` It has ${listed.join(', ')}.`;
  const what = version === '' ? `no chart ${name}` : `no version ${version} of chart ${name}`;
  return new TowpathError(
    'Person',
    'ChartNotFound',
    `The chart repository ${repository} has ${what}.${instead}${note} Publish it there, or correct Chart.yaml and run \`helm dependency update\`.`,
  );
}

/** Whoever publishes other bytes under a version that was used changes what nobody looks at again. */
export function replaced(wanted: WantedChart, before: string, { digest, says }: Published): TowpathError {
  if (wanted.digest !== undefined) return replacedSince(wanted, before, digest);
  const { name, version, repository } = wanted;
  return new TowpathError(
    'Person',
    'ChartReplaced',
    `The ${says} of ${repository} has the digest sha256:${digest} for chart ${name} ${version}, under which sha256:${before} was fetched before: a version that was published does not change. Ask who runs the repository, and have another version published.`,
  );
}

/** The same for who knows that by a record. */
export function replacedSince(
  { name, version, repository }: WantedChart,
  before: string,
  digest: string,
): TowpathError {
  return new TowpathError(
    'Person',
    'ChartReplaced',
    `Chart ${name} ${version} of ${printable(repository, 200)} has the digest sha256:${digest}, and had sha256:${before} when it was fetched for this Application before: it was replaced under the same version, and is not used. Ask who publishes it why, and have it published as another version, or commit the archive that you trust to the folder charts.`,
  );
}

/** The newest, after those that are like the wanted one. */
export function nearVersions(wanted: string, versions: readonly string[]): readonly string[] {
  const near = nearNames(wanted, versions).slice(0, 2);
  return [...near, ...versions.filter((version) => !near.includes(version))];
}
