import { TowpathError } from '../../api/errors.ts';
import { type ChartArchive, type ChartReference, MissingCharts } from '../../render/renderer.ts';
import { DEFAULT_LIMITS } from '../../render/request.ts';
import { isAllowedChartRepository } from '../../source/allowed-repositories.ts';
import { repositoryUrl } from '../../source/charts/chart-url.ts';
import { printable } from '../../source/text.ts';

/** Brings charts from where they are published. */
export interface ChartFetcher {
  /** @throws TowpathError, or the signal's reason. */
  fetch(chart: ChartReference, signal: AbortSignal): Promise<ChartArchive>;
}

/** How long a look at an Application that runs already waits for chart repositories. */
const ANSWER_MS = 3_000;
/** Charts that are fetched for one; each is asked for by itself. */
const MOST_CHARTS = 50;

/**
 * The charts that a render lacks.
 *
 * @param allowed what the Environment takes repositories from; undefined: all.
 * @param patience `Limited`: something runs, and is not left alone for as long as a repository hangs (A4).
 * @throws TowpathError, or the signal's reason.
 */
export async function fetchedCharts(
  fetcher: ChartFetcher,
  charts: readonly ChartReference[],
  allowed: readonly string[] | undefined,
  patience: 'Limited' | 'Unlimited',
  signal: AbortSignal,
): Promise<ChartArchive[]> {
  if (charts.length > MOST_CHARTS)
    throw new TowpathError(
      'Person',
      'ChartInvalid',
      `The chart has ${charts.length} dependencies that are not in its folder charts; at most ${MOST_CHARTS} are fetched. Commit some of them.`,
    );
  for (const chart of charts) refuseForeign(chart, allowed);
  const limit = AbortSignal.timeout(ANSWER_MS);
  const limited = patience === 'Limited' ? AbortSignal.any([signal, limit]) : signal;
  const fetched: ChartArchive[] = [];
  let bytes = 0;
  try {
    // One after the other: what all of them together cost memory, disk and engines is what one does.
    for (const chart of charts) {
      const archive = await fetcher.fetch(chart, limited);
      bytes += archive.data.length;
      if (bytes > DEFAULT_LIMITS.inputBytes) throw tooLarge(chart);
      fetched.push(archive);
    }
    return fetched;
  } catch (error) {
    if (error !== limit.reason) throw error;
    const next = charts[fetched.length];
    throw new TowpathError(
      'Time',
      'Timeout',
      `The chart repository ${next?.repository ?? ''} has not answered for ${ANSWER_MS / 1_000} s: it is waited for, and what runs is looked after meanwhile.`,
    );
  }
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
    `The dependencies up to ${name} ${version} are archives of more than ${DEFAULT_LIMITS.inputBytes / 2 ** 20} MiB together, more than a render reads. Have the chart depend on less.`,
  );
}

function refuseForeign({ repository }: ChartReference, allowed: readonly string[] | undefined): void {
  if (allowed === undefined) return;
  // First, since its words repeat no credential.
  const url = repositoryUrl(repository);
  if (isAllowedChartRepository(allowed, repository)) return;
  throw new TowpathError(
    'Resource',
    'RepositoryNotAllowed',
    `The Environment takes nothing from the chart repository ${printable(url.href, 200)}: what runs stays. Who runs it can add the repository to its spec.allowedRepositories, or commit the chart to the folder charts.`,
  );
}
