/** What the charts were that an Application was rendered with and Git does not have: their bytes never change. */

import { repositoryUrl } from '../../source/charts/chart-url.ts';

export interface ChartPin {
  /** As `pinnedRepository` writes it. */
  readonly repository: string;
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the archive, in hexadecimal. */
  readonly digest: string;
  /** What Chart.yaml asks for, where no lock said which version that is: it stays this one. */
  readonly range?: string;
}

/** A chart that an Application is made of, as it was fetched. */
export type PublishedChart = Omit<ChartPin, 'range'>;

type Chart = Pick<ChartPin, 'repository' | 'name' | 'version'>;

/** Charts whose digests are remembered; those that were used longest ago go first. A chart may have 50. */
const MOST_PINS = 200;

/** The same for every way to write the URL of a repository. */
export function pinnedRepository(repository: string): string {
  const href = hrefOf(repository);
  let end = href.length;
  while (href[end - 1] === '/') end -= 1;
  return href.slice(0, end);
}

function hrefOf(repository: string): string {
  try {
    return repositoryUrl(repository).href;
  } catch {
    // Nothing is ever fetched from there.
    return URL.parse(repository)?.href ?? repository;
  }
}

/** The same for every way to write the URL of its repository. */
export function chartKey({ repository, name, version }: Chart): string {
  return JSON.stringify([pinnedRepository(repository), name, version]);
}

/** What the chart was; undefined where it was never used, or so long ago that it is not remembered. */
export function pinOf(pins: readonly ChartPin[], chart: Chart): ChartPin | undefined {
  const repository = pinnedRepository(chart.repository);
  return pins.find(
    (pin) => pin.version === chart.version && pin.name === chart.name && pin.repository === repository,
  );
}

/** What a range of versions came to; `version` is the range. */
export function pinOfRange(pins: readonly ChartPin[], chart: Chart): ChartPin | undefined {
  const repository = pinnedRepository(chart.repository);
  return pins.find(
    (pin) => pin.range === chart.version && pin.name === chart.name && pin.repository === repository,
  );
}

/** With those that are used now, which come first. */
export function withPins(pins: readonly ChartPin[], used: readonly ChartPin[]): readonly ChartPin[] {
  const others = pins.filter((pin) => !isAmong(used, pin));
  return [...used, ...others].slice(0, MOST_PINS);
}

export function arePinned(pins: readonly ChartPin[], used: readonly ChartPin[]): boolean {
  return used.every((one) => isAmong(pins, one));
}

function isAmong(pins: readonly ChartPin[], { repository, name, version, range }: ChartPin): boolean {
  return pins.some(
    (pin) =>
      pin.version === version && pin.range === range && pin.name === name && pin.repository === repository,
  );
}
