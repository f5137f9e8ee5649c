import { TowpathError } from '../../api/errors.ts';
import { CHART_VERSION_LIMIT, isFollowable } from '../../api/v1alpha1/revision.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { nearNames } from '../near-names.ts';
import { notFound, refuseName } from './chart-errors.ts';
import type { ChartListing, Located } from './chart-listing.ts';
import type { FileCache } from './file-cache.ts';
import { asIndex, newestFirst, strictAmong } from './listed-versions.ts';
import { LookupTurns } from './lookup-turns.ts';
import { isOci } from './oci-reference.ts';
import type { Asking, WantedChart } from './published.ts';
import type { RegistryVersions } from './registry-versions.ts';
import type { RepositoryIndexes } from './repository-indexes.ts';

export interface ChartLookupsOptions {
  locate(chart: WantedChart & LookedUp, index: Uint8Array, signal: AbortSignal): Promise<Located>;
  indexes: RepositoryIndexes;
  versions: RegistryVersions;
  files: FileCache;
  slices: Slices;
  /** Aborted when all ends. */
  stopped: AbortSignal;
}

/** How a version is looked up. */
export interface LookedUp {
  isRange?: true;
  /** A range stands for none with more characters, or without a dot; absent: for all. */
  longest?: number;
}

/** What an index has of a chart. */
export interface Found {
  /** SHA-256 of it. */
  index: string;
  /** Undefined of a chart that it does not have. */
  located: Located | undefined;
  /** Of the charts that it has. */
  names: readonly string[];
}

const INEXACT =
  ' A tag with a "v" before it, or with leading zeros, is in no range of a registry, as Helm has it: to use one, write it as it is there.';

const UNFOLLOWABLE = ` A version of more than ${CHART_VERSION_LIMIT} characters, or without a dot, is in no range: have it published under another one.`;

/**
 * Looks versions up in what repositories and registries list. The lists are on disk, and what is needed of one is taken
 * into memory only once it is its turn: of a chart it may be megabytes, and an engine takes seconds for it (A3, A8).
 */
export class ChartLookups {
  readonly #options: ChartLookupsOptions;
  readonly #turns = new LookupTurns();

  constructor(options: ChartLookupsOptions) {
    this.#options = options;
  }

  /** More wait for something that was begun: whose turn it is may be another one now. */
  joined(): void {
    this.#turns.serve();
  }

  /**
   * A Helm repository's or a registry's list, as it was at `since` (performance.now()) or later.
   *
   * @param of whom ranges are: of a registry's tags one of a dependency stands for those that Helm takes, one of a spec for
   * all that are versions; and of any list that for none that no status can name.
   * @throws TowpathError
   */
  async list(asking: Asking, since: number, of: 'Dependency' | 'Spec'): Promise<ChartListing> {
    const { files, indexes, versions } = this.#options;
    const isRegistry = isOci(asking.wanted.repository);
    const file = await (isRegistry ? versions : indexes).bring(asking, since);
    return {
      // Of what is gone already nobody knows whether it is the same.
      state: files.digestOf(file) ?? String(since),
      highest: (wanted, tenants = asking.tenants) => {
        const ranged = { ...asking, wanted, tenants };
        return isRegistry
          ? this.#highestInRegistry(ranged, since, of)
          : this.#highestInIndex(ranged, since, of);
      },
    };
  }

  /** SHA-256 of an index that was asked for at `since`, or later; '' of one that is gone already. @throws TowpathError */
  async index(asking: Asking, since: number): Promise<string> {
    const { files, indexes } = this.#options;
    return files.digestOf(await indexes.bring(asking, since)) ?? '';
  }

  /** What an index that was asked for at `since`, or later, has of a chart's version. @throws TowpathError */
  async inIndex(asking: Asking & { wanted: LookedUp }, since: number): Promise<Found> {
    const { indexes, stopped } = this.#options;
    const { wanted } = asking;
    return this.#inTurn(
      asking,
      () => indexes.bring(asking, since),
      (file) => indexes.cut(file, wanted),
      async ({ text, names, digest }) => {
        const located = text === undefined ? undefined : await this.#options.locate(wanted, text, stopped);
        return { located, names, index: digest };
      },
    );
  }

  /** All versions that a registry has of a chart now, the newest first. @throws TowpathError */
  async versions(asking: Asking, since: number): Promise<readonly string[]> {
    return this.#ofRegistry(asking, since, (versions) => newestFirst(versions, this.#options.slices));
  }

  async #highestInIndex(asking: Asking, since: number, of: 'Dependency' | 'Spec'): Promise<string> {
    const { wanted } = asking;
    refuseName({ ...wanted, version: '0' });
    const range = {
      ...wanted,
      isRange: true,
      ...(of === 'Spec' && { longest: CHART_VERSION_LIMIT }),
    } as const;
    const { located, names } = await this.inIndex({ ...asking, wanted: range }, since);
    if (located === undefined) throw notFound(wanted, '', nearNames(wanted.name, names));
    const { version, versions } = located;
    if (version !== '') return version;
    const isLeftOut = of === 'Spec' && !versions.every(isFollowable);
    throw notFound(wanted, wanted.version, versions, isLeftOut ? UNFOLLOWABLE : '');
  }

  async #highestInRegistry(asking: Asking, since: number, of: 'Dependency' | 'Spec'): Promise<string> {
    const { slices, stopped } = this.#options;
    const { wanted } = asking;
    refuseName({ ...wanted, version: '0' });
    return this.#ofRegistry(asking, since, async (versions) => {
      if (versions.length === 0) throw notFound(wanted, '', []);
      const isOfSpec = of === 'Spec';
      const ranged = isOfSpec ? versions.filter(isFollowable) : await strictAmong(versions, slices);
      const index = await asIndex(wanted.name, ranged, slices);
      const { version } = await this.#options.locate({ ...wanted, isRange: true }, index, stopped);
      if (version === '') {
        const why = isOfSpec ? UNFOLLOWABLE : INEXACT;
        const note = ranged.length < versions.length ? why : '';
        throw notFound(wanted, wanted.version, await newestFirst(versions, slices), note);
      }
      return version;
    });
  }

  #ofRegistry<T>(
    asking: Asking,
    since: number,
    work: (versions: readonly string[]) => Promise<T>,
  ): Promise<T> {
    const { versions } = this.#options;
    return this.#inTurn(
      asking,
      () => versions.bring(asking, since),
      (file) => versions.read(file),
      work,
    );
  }

  /** Servers are asked before the turn, so that a slow one holds up nobody; what was kept may go until then. */
  async #inTurn<Kept, T>(
    { wanted, tenants }: Asking,
    bring: () => Promise<string>,
    read: (file: string) => Promise<Kept | undefined>,
    work: (kept: Kept) => Promise<T>,
  ): Promise<T> {
    for (let tries = 0; tries < 2; tries++) {
      const file = await bring();
      const done = await this.#turns.take(tenants, this.#options.stopped, async () => {
        const kept = await read(file);
        return kept === undefined ? undefined : { result: await work(kept) };
      });
      if (done !== undefined) return done.result;
    }
    const list = isOci(wanted.repository) ? `The list of versions of chart ${wanted.name}` : 'index.yaml';
    throw new TowpathError(
      'Time',
      'RepositoryDamaged',
      `${list} of ${wanted.repository} cannot be read from the operator's own disk. It is fetched anew.`,
    );
  }
}
