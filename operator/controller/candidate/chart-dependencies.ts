import { TowpathError } from '../../api/errors.ts';
import { type ChartArchive, type ChartReference, MissingCharts } from '../../render/renderer.ts';
import { DEFAULT_LIMITS } from '../../render/request.ts';
import { isAllowedChartRepository } from '../../source/allowed-repositories.ts';
import { replacedSince } from '../../source/charts/chart-errors.ts';
import { repositoryUrl } from '../../source/charts/chart-url.ts';
import type { Credential } from '../../source/credential.ts';
import { printable } from '../../source/text.ts';
import { type ChartPin, pinnedRepository, pinOf, pinOfRange } from '../record/chart-pins.ts';
import type { CredentialFor } from './chart-credentials.ts';
import type { FoundCharts } from './found-charts.ts';
import { type Patience, patiently } from './patience.ts';
import type { SettledRanges } from './settled-ranges.ts';

/** Brings charts from where they are published. */
export interface ChartFetcher {
  /**
   * @param chart of which nothing but what has the digest is wanted, where there is one.
   * @param credentialFor of a registry to which the repository's index leads.
   * @param tenant the namespace that it is for: what it takes of disk and engines is shared between these.
   * @throws TowpathError, or the signal's reason.
   */
  fetch(
    chart: ChartReference & { digest?: string | undefined },
    signal: AbortSignal,
    credential: Credential | undefined,
    credentialFor: CredentialFor,
    tenant: string,
  ): Promise<ChartArchive>;
  /** The highest version that a range allows. @throws as `fetch` does. */
  resolve(
    range: ChartReference,
    signal: AbortSignal,
    credential: Credential | undefined,
    tenant: string,
  ): Promise<string>;
}

/** Charts that are fetched for one; each is asked for by itself. */
const MOST_CHARTS = 50;
/** Of so many a message tells the versions. */
const SHOWN = 5;

export interface FetchTerms {
  /** What the Environment takes repositories from; undefined: all. */
  allowed: readonly string[] | undefined;
  /** `Limited`: something runs, and is not left alone for as long as a repository hangs (A4). */
  patience: Patience;
  /** The namespace of the Application. */
  tenant: string;
  /** What charts were that were fetched for the Application before. */
  pins: readonly ChartPin[];
  /** What they were at a try of a moment ago. */
  found: FoundCharts;
  ranges: SettledRanges;
  credentialFor: CredentialFor;
}

/** What was fetched, with what is to be remembered of it. */
export interface FetchedCharts {
  archives: readonly ChartArchive[];
  pins: readonly ChartPin[];
}

/**
 * The charts that a render lacks.
 *
 * @throws TowpathError, or the signal's reason.
 */
export async function fetchedCharts(
  fetcher: ChartFetcher,
  charts: readonly ChartReference[],
  terms: FetchTerms,
  signal: AbortSignal,
): Promise<FetchedCharts> {
  const { allowed, patience, pins } = terms;
  if (charts.length > MOST_CHARTS)
    throw new TowpathError(
      'Person',
      'ChartInvalid',
      `There are ${charts.length} dependencies that are not in the folder charts; at most ${MOST_CHARTS} are fetched. Commit some of them.`,
    );
  for (const chart of charts) refuseForeign(chart, allowed);
  const fetched: ChartArchive[] = [];
  let bytes = 0;
  const fetchAll = async (limited: AbortSignal) => {
    // One after the other: what all of them together cost memory, disk and engines is what one does.
    for (const chart of charts) {
      const archive = await fetchedChart(fetcher, chart, terms, limited);
      refuseReplaced(chart, archive, pins);
      bytes += archive.data.length;
      if (bytes > DEFAULT_LIMITS.inputBytes) throw tooLarge(chart);
      fetched.push(archive);
    }
  };
  await patiently(patience, signal, fetchAll, (seconds) => {
    const next = charts[fetched.length];
    return `The chart repository ${next?.repository ?? ''} has not answered for ${seconds} s`;
  });
  return { archives: fetched, pins: pinsOf(charts, fetched) };
}

/** Of a range the version that was settled for it, so that what was rendered once never renders differently. */
async function fetchedChart(
  fetcher: ChartFetcher,
  chart: ChartReference,
  { ranges, credentialFor, pins, found, tenant }: FetchTerms,
  signal: AbortSignal,
): Promise<ChartArchive> {
  const credential = credentialFor(chart.repository);
  const { name, repository } = chart;
  const fetch = async (version: string) => {
    const exact = { name, repository, version };
    const pinned = { ...exact, digest: pinOf(pins, exact)?.digest ?? found.find(exact) };
    const archive = await fetcher.fetch(pinned, signal, credential, credentialFor, tenant);
    found.note(exact, archive.digest);
    return archive;
  };
  // What a tag is called (v1.2.3, 1.2) was a range before, and stays what that came to.
  if (chart.isRange !== true) return fetch(pinOfRange(pins, chart)?.version ?? chart.version);
  const version =
    ranges.find(chart) ?? ranges.settle(chart, await fetcher.resolve(chart, signal, credential, tenant));
  try {
    return await fetch(version);
  } catch (error) {
    ranges.release(chart, version);
    throw error;
  }
}

/** What was fetched for ranges, as what to remember it by. */
export function rangesOf(pins: readonly ChartPin[]): { chart: Omit<ChartPin, 'digest'>; version: string }[] {
  return pins.flatMap(({ repository, name, version, range }) =>
    range === undefined ? [] : [{ chart: { repository, name, version: range }, version }],
  );
}

/** A render that fails tells which versions it was of, where nobody pinned them. */
export function namingVersions(
  error: unknown,
  pins: readonly ChartPin[],
  asker: MissingCharts['of'] = 'Chart',
): unknown {
  const ranged = pins.filter(isOpen);
  if (ranged.length === 0 || !(error instanceof TowpathError) || error.remedy !== 'Person') return error;
  const { remedy, reason, message, details, next, advice } = error;
  const shown = ranged
    .slice(0, SHOWN)
    .map(({ name, version, range }) => `${printable(name, 80)} ${printable(range ?? '', 80)} is ${version}`);
  const more = ranged.length > SHOWN ? ` and ${ranged.length - SHOWN} more` : '';
  const isEnd = next !== '' && message.endsWith(next);
  const cause = isEnd ? message.slice(0, message.length - next.length).trimEnd() : message;
  const without = asker === 'Chart' ? 'Without a Chart.lock' : 'Without an exact version';
  const note = `${without} ${shown.join(', ')}${more}.`;
  return new TowpathError(remedy, reason, `${cause} ${note}${isEnd ? ` ${next}` : ''}`, {
    cause: error,
    details,
    next,
    advice,
  });
}

/** What is to be remembered of the charts that were fetched, in their order. */
function pinsOf(charts: readonly ChartReference[], archives: readonly ChartArchive[]): readonly ChartPin[] {
  return charts.flatMap((chart, at): ChartPin[] => {
    const archive = archives[at];
    if (archive === undefined) return [];
    const { name, version, digest } = archive;
    const pin = { repository: pinnedRepository(chart.repository), name, version, digest };
    const isOfRange = chart.isRange === true || version !== chart.version;
    return [isOfRange ? { ...pin, range: chart.version } : pin];
  });
}

/** What nobody pinned in Git is told, though it stays what it is. */
export function rangeWarnings(pins: readonly ChartPin[], asker: MissingCharts['of'] = 'Chart'): string[] {
  return pins
    .filter(isOpen)
    .map(({ name, version, range = '' }) =>
      asker === 'Chart'
        ? `no Chart.lock says which version of ${printable(name, 80)} ${printable(range, 80)} is meant; ${version} is used, and stays until Chart.yaml asks for another range or a Chart.lock is committed`
        : `the kustomization has no exact version of the chart ${printable(name, 80)} (${printable(range, 80)}); ${version} is used, and stays until it names another`,
    );
}

/** Whether it could have been another version: not where v1.2.3 came to 1.2.3. */
function isOpen({ range, version }: ChartPin): boolean {
  return range !== undefined && range !== version && range !== `v${version}`;
}

/** Whatever the fetcher takes for the same: what is rendered are the bytes of before. */
function refuseReplaced(
  { repository }: ChartReference,
  { name, version, digest }: ChartArchive,
  pins: readonly ChartPin[],
): void {
  const before = pinOf(pins, { repository, name, version })?.digest;
  if (before === undefined || before === digest) return;
  throw replacedSince({ repository, name, version }, before, digest);
}

/** A render with all that was fetched that lacks something still: what was published is something else. */
export function notWhatItSays(error: unknown): unknown {
  if (!(error instanceof MissingCharts)) return error;
  const names = error.charts.slice(0, 8).map(({ name, version }) => `${name} ${version}`);
  return new TowpathError(
    'Person',
    'ChartArchiveInvalid',
    `What was fetched for ${names.join(', ')} holds another chart, or .helmignore leaves it out. Have who publishes it correct that, or commit the right chart to the folder charts.`,
    { details: error.details },
  );
}

/** Of what a render reads, in which these are, no more is taken anyway. */
function tooLarge({ name, version }: ChartReference): TowpathError {
  return new TowpathError(
    'Person',
    'ChartTooLarge',
    `The dependencies up to ${name} ${version} are archives of more than ${DEFAULT_LIMITS.inputBytes / 2 ** 20} MiB together, more than a render reads. Have it depend on less.`,
  );
}

function refuseForeign({ repository, name }: ChartReference, allowed: readonly string[] | undefined): void {
  if (allowed === undefined) return;
  // First, since its words repeat no credential.
  const url = repositoryUrl(repository);
  if (isAllowedChartRepository(allowed, repository, name)) return;
  throw new TowpathError(
    'Resource',
    'RepositoryNotAllowed',
    `The Environment takes nothing from the chart repository ${printable(url.href, 200)}: what runs stays. Who runs it can add the repository to its spec.allowedRepositories, or commit the chart to the folder charts.`,
  );
}
