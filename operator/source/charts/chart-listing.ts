import { createHash } from 'node:crypto';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { nearNames } from '../near-names.ts';
import { notFound, refuseName } from './chart-errors.ts';
import type { IndexCut } from './index-cut.ts';
import { asIndex, newestFirst } from './listed-versions.ts';
import type { WantedChart } from './published.ts';

/** Where an index has a chart's version; without a version it has none such. */
export interface Located {
  version: string;
  url: string;
  digest: string;
  versions: readonly string[];
}

/** What a Helm repository has, or a registry of one chart, as it was when it was asked. */
export interface ChartListing {
  /** The same for as long as nothing changes there. */
  readonly state: string;
  /**
   * The highest version that a range allows, by Helm's rules. Quickest for who goes from chart to chart.
   *
   * @throws TowpathError
   */
  highest(range: WantedChart): Promise<string>;
}

type LocateHighest = (range: WantedChart & { isRange: true }, index: Uint8Array) => Promise<Located>;

/** Bytes that are hashed between others' turns. */
const PIECE = 64 * 1024;

/** @param cut cuts what the index has of a range's chart out of it. */
export function listingOfIndex(
  state: string,
  locate: LocateHighest,
  cut: (range: WantedChart) => Promise<IndexCut>,
): ChartListing {
  // Of one alone, which may have megabytes.
  let last: { name: string; cut: Promise<IndexCut> } | undefined;
  return {
    state,
    highest: async (range) => {
      refuseName({ ...range, version: '0' });
      if (last?.name !== range.name) last = { name: range.name, cut: cut(range) };
      const { text, names } = await last.cut;
      if (text === undefined) throw notFound(range, '', nearNames(range.name, names));
      const located = await locate({ ...range, isRange: true }, text);
      if (located.version === '') throw notFound(range, range.version, located.versions);
      return located.version;
    },
  };
}

/**
 * @param versions in the registry's order; undefined where it has no such chart.
 * @param ranged of these, those that a range may stand for.
 */
export async function listingOfRegistry(
  chart: string,
  versions: readonly string[] | undefined,
  locate: LocateHighest,
  slices: Slices,
  ranged = versions,
): Promise<ChartListing> {
  const index = await asIndex(chart, ranged ?? [], slices);
  return {
    state: await digestOf(index, slices),
    highest: async (range) => {
      refuseName({ ...range, version: '0' });
      if (versions === undefined || versions.length === 0) throw notFound(range, '', []);
      const located = await locate({ ...range, isRange: true }, index);
      if (located.version !== '') return located.version;
      throw notFound(range, range.version, await newestFirst(versions, slices));
    },
  };
}

async function digestOf(bytes: Uint8Array, slices: Slices): Promise<string> {
  const hash = createHash('sha256');
  for (let from = 0; from < bytes.length; from += PIECE) {
    await slices.pause();
    hash.update(bytes.subarray(from, from + PIECE));
  }
  return hash.digest('hex');
}
