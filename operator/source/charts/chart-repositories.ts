import { rm } from 'node:fs/promises';
import { TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { sha256 } from '../../manifest/digest.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { BoundedMap } from '../bounded-map.ts';
import { newCache } from '../cache-directory.ts';
import type { Credential } from '../credential.ts';
import { nearNames } from '../near-names.ts';
import { printable } from '../text.ts';
import { digestIn, nearVersions, notFound, refuseName, replaced } from './chart-errors.ts';
import { fileUrl } from './chart-url.ts';
import { FileCache } from './file-cache.ts';
import { asBeginning, HttpsFiles, type HttpsFilesOptions } from './https-files.ts';
import { type IndexCut, IndexCutter } from './index-cut.ts';
import { LateAnswers } from './late-answers.ts';
import { type ChartLimits, type ChartTimeouts, defaultChartLimits, defaultChartTimeouts } from './limits.ts';
import { asIndex, newestFirst } from './listed-versions.ts';
import { isOci } from './oci-reference.ts';
import { OciRegistries } from './oci-registries.ts';
import { type Asking, askingFor, keptAs, type Published, shownTo, type WantedChart } from './published.ts';

export interface FetchedChart {
  name: string;
  version: string;
  /** SHA-256 of the data, in hexadecimal. */
  digest: string;
  data: Uint8Array;
}

/** Where an index has a chart's version; without a version it has none such. */
interface Located {
  version: string;
  url: string;
  digest: string;
  versions: readonly string[];
}

export interface ChartRepositoriesOptions extends Omit<HttpsFilesOptions, 'timeouts'> {
  /** Looks a chart's version up in what an index has of the chart; of a range the highest one. */
  locate(chart: WantedChart & { isRange?: true }, index: Uint8Array, signal: AbortSignal): Promise<Located>;
  limits?: Partial<ChartLimits>;
  timeouts?: Partial<ChartTimeouts>;
  /** An index that was asked for so recently is not asked for again; default 10,000. */
  recentMs?: number;
  /** As for Git: see `Sources`. */
  cacheDirectory?: string;
  /** Shared with all else that takes long. */
  slices?: Slices;
}

const RECENT_MS = 10_000;
/** Versions of charts that were handed out, and stay what they were. */
const MOST_HANDED_OUT = 10_000;
const MOST_INDEXES = 1_000;

interface Index {
  etag: string | undefined;
  /** On the clock of performance.now(). */
  askedAt: number;
}

/**
 * Charts of Helm repositories and OCI registries, each version fetched once however many Applications use it, and kept by
 * the digest that the index or manifest has for it. Who knows which one that was gets no other; who does not gets what
 * was handed out last, and no other while the process lasts.
 */
export class ChartRepositories {
  readonly #locate: ChartRepositoriesOptions['locate'];
  readonly #limits: ChartLimits;
  readonly #timeouts: ChartTimeouts;
  readonly #slices: Slices;
  readonly #directory: string;
  readonly #recentMs: number;
  readonly #https: HttpsFiles;
  readonly #registries: OciRegistries;
  readonly #files: FileCache;
  readonly #stopped = new AbortController();
  readonly #flights = new Map<string, Promise<unknown>>();
  /** The digest of each version that was. */
  readonly #handedOut = new BoundedMap<string, string>(MOST_HANDED_OUT);
  readonly #indexes = new BoundedMap<string, Index>(MOST_INDEXES);
  /** What ranges came to after somebody had given up waiting for it. */
  readonly #late = new LateAnswers();

  constructor(options: ChartRepositoriesOptions) {
    this.#locate = options.locate;
    this.#limits = { ...defaultChartLimits, ...options.limits };
    this.#timeouts = { ...defaultChartTimeouts, ...options.timeouts };
    this.#recentMs = options.recentMs ?? RECENT_MS;
    this.#slices = options.slices ?? new Slices();
    this.#directory = newCache(options.cacheDirectory, 'towpath-charts-');
    this.#https = new HttpsFiles({ ...options, timeouts: this.#timeouts });
    this.#registries = new OciRegistries(this.#https, this.#limits, this.#slices);
    this.#files = new FileCache(this.#directory, this.#limits.cacheBytes, this.#slices);
  }

  /**
   * A chart's archive. What is fetched for one caller is so for all: it goes on, within its limits of time, when
   * nobody waits for it any more.
   *
   * @throws TowpathError ChartRepositoryInvalid, ChartRepositoryNotFound, ChartNotFound, ChartIndexInvalid,
   * ChartDigestMismatch, ChartReplaced, ChartTooLarge, and of the network, as for Git; or the signal's reason.
   */
  async fetch(wanted: WantedChart, signal: AbortSignal, credential?: Credential): Promise<FetchedChart> {
    signal.throwIfAborted();
    const asking = askingFor(wanted, credential);
    refuseName(wanted);
    const key = JSON.stringify([asking.repository.href, wanted.name, wanted.version, asking.scope]);
    const { name, version } = wanted;
    // What is kept may go, or rot, between being found and being read.
    for (let tries = 0; tries < 2; tries++) {
      const digest = await unlessAborted(
        this.#shared(JSON.stringify([key, wanted.digest]), () => this.#bring(key, asking)),
        signal,
      );
      const data = await this.#read(keptAs(digest, asking));
      if (data !== undefined) return { name, version, digest, data };
    }
    throw new TowpathError(
      'Time',
      'RepositoryDamaged',
      `The archive of chart ${name} ${version} cannot be read from the operator's own disk. It is fetched anew.`,
    );
  }

  /**
   * The highest version that a range allows, of those that the repository has now; or had some minutes ago, where it
   * took longer to tell than somebody waited: else a slow one would be asked for ever.
   *
   * @throws TowpathError as `fetch` does; or the signal's reason.
   */
  async resolve(range: WantedChart, signal: AbortSignal, credential?: Credential): Promise<string> {
    signal.throwIfAborted();
    const asking = askingFor(range, credential);
    const key = JSON.stringify(['range', asking.repository.href, range.name, range.version, asking.scope]);
    const late = this.#late.find(key);
    if (late !== undefined) return late;
    const flight = this.#shared(key, () => this.#highest(asking));
    try {
      return await unlessAborted(flight, signal);
    } catch (error) {
      if (signal.aborted) this.#late.keep(key, flight);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new TowpathError('Time', 'Stopping', 'The operator is stopping.'));
    await Promise.allSettled(this.#flights.values());
    await this.#https.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #shared<T>(key: string, begin: () => Promise<T>): Promise<T> {
    const existing = this.#flights.get(key);
    if (existing !== undefined) return existing as Promise<T>;
    const flight = begin().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  #limited(): AbortSignal {
    return AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(this.#timeouts.totalMs)]);
  }

  /** The digest of the archive, which is kept by then. */
  async #bring(key: string, asking: Asking): Promise<string> {
    const { wanted } = asking;
    // What was handed out to others may be what it was replaced with, or what it was before it was put back.
    const known = wanted.digest ?? this.#handedOut.get(key);
    if (known !== undefined && this.#files.has(keptAs(known, asking))) return known;
    // Where it was, and which digest it had, may have been wrong.
    const published = await (isOci(wanted.repository) ? this.#findInRegistry(asking) : this.#find(asking));
    const { digest } = published;
    if (known !== undefined && known !== digest) throw replaced(wanted, known, published);
    if (!this.#files.has(keptAs(digest, asking))) await this.#keep(asking, published);
    this.#handedOut.set(key, digest);
    return digest;
  }

  async #highest(asking: Asking): Promise<string> {
    const { wanted: range } = asking;
    refuseName({ ...range, version: '0' });
    if (isOci(range.repository)) return this.#highestInRegistry(asking);
    const cut = await this.#cut(asking);
    if (cut.text === undefined) throw notFound(range, '', nearNames(range.name, cut.names));
    const located = await this.#locate({ ...range, isRange: true }, cut.text, this.#stopped.signal);
    if (located.version === '') throw notFound(range, range.version, located.versions);
    return located.version;
  }

  async #highestInRegistry({ wanted: range, credential }: Asking): Promise<string> {
    const versions = await this.#registries.versions(range, this.#limited(), credential);
    if (versions === undefined || versions.length === 0) throw notFound(range, '', []);
    const index = await asIndex(range.name, versions, this.#slices);
    const located = await this.#locate({ ...range, isRange: true }, index, this.#stopped.signal);
    if (located.version !== '') return located.version;
    throw notFound(range, range.version, await newestFirst(versions, this.#slices));
  }

  async #findInRegistry({ wanted, credential }: Asking): Promise<Published> {
    const found = await this.#registries.find(wanted, this.#limited(), credential);
    if ('versions' in found) {
      const { versions } = found;
      throw versions === undefined || versions.length === 0
        ? notFound(wanted, '', [])
        : notFound(wanted, wanted.version, nearVersions(wanted.version, versions));
    }
    return { digest: found.digest, says: 'manifest', open: () => found.open(this.#limited()) };
  }

  async #find(asking: Asking): Promise<Published> {
    const { wanted, repository } = asking;
    const { name, version } = wanted;
    const cut = await this.#cut(asking);
    if (cut.text === undefined) throw notFound(wanted, '', nearNames(name, cut.names));
    const located = await this.#locate(wanted, cut.text, this.#stopped.signal);
    // As a whole, it may have other charts only.
    if (located.version === '') throw notFound(wanted, version, nearVersions(version, located.versions));
    const what = `The entry of chart ${name} ${version} in index.yaml of ${wanted.repository}`;
    const digest = digestIn(located.digest, what);
    const url = fileUrl(located.url, new URL(`${repository.href.replace(/\/$/, '')}/`), what);
    return { digest, says: 'index.yaml', open: () => this.#download(asking, url) };
  }

  /** An index of some time ago may lack what it has by now. */
  async #cut(asking: Asking): Promise<IndexCut> {
    const { wanted, repository } = asking;
    const file = keptAs(`index ${sha256(repository.href)}`, asking);
    for (let tries = 0; tries < 2; tries++) {
      await this.#shared(file, () => this.#refresh(file, asking));
      const { entryBytes } = this.#limits;
      const cutter = new IndexCutter({ name: wanted.name, repository: wanted.repository, entryBytes });
      if ((await this.#files.read(file, (chunk) => cutter.add(chunk))) !== undefined) return cutter.end();
    }
    throw new TowpathError(
      'Time',
      'RepositoryDamaged',
      `index.yaml of ${wanted.repository} cannot be read from the operator's own disk. It is fetched anew.`,
    );
  }

  async #refresh(file: string, { repository, credential }: Asking): Promise<void> {
    const known = this.#files.has(file) ? this.#indexes.get(file) : undefined;
    if (known !== undefined && performance.now() - known.askedAt < this.#recentMs) return;
    const askedAt = performance.now();
    const { indexBytes: maxBytes } = this.#limits;
    const shown = printable(repository.href, 200);
    const url = new URL(repository);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/index.yaml`;
    const what = `index.yaml of ${shown}`;
    const { status, etag, body } = await this.#https.get({
      url,
      what,
      etag: known?.etag,
      ...shownTo(url, repository, credential),
      maxBytes,
      signal: this.#limited(),
    });
    if (status === 404 || status === 410)
      throw new TowpathError(
        'Person',
        'ChartRepositoryNotFound',
        `There is no Helm repository at ${shown}: its index.yaml is answered with ${status}. Correct the repository in Chart.yaml, and run \`helm dependency update\`.`,
      );
    if (status === 200) await this.#files.add(body, () => file);
    this.#indexes.set(file, { etag: status === 200 ? etag : known?.etag, askedAt });
  }

  async #download({ wanted, repository, credential }: Asking, url: URL): Promise<AsyncIterable<Buffer>> {
    const { archiveBytes: maxBytes } = this.#limits;
    const what = `the archive of chart ${wanted.name} ${wanted.version} of ${wanted.repository}`;
    const shown = shownTo(url, repository, credential);
    const { status, body } = await this.#https.get({
      url,
      what,
      maxBytes,
      ...shown,
      signal: this.#limited(),
    });
    if (status === 200) return body;
    throw new TowpathError(
      'Person',
      'ChartNotFound',
      `${asBeginning(what)} is answered with ${status}, though its index.yaml has it. Tell who runs the repository, or use another version.`,
    );
  }

  async #keep(asking: Asking, { digest, says, open }: Published): Promise<void> {
    const { name, version, repository } = asking.wanted;
    await this.#files.add(await open(), (found) => {
      if (found === digest) return keptAs(digest, asking);
      throw new TowpathError(
        'Person',
        'ChartDigestMismatch',
        `The archive of chart ${name} ${version} of ${repository} has the digest sha256:${found}, and its ${says} says sha256:${digest}: it was changed, or damaged on its way, and is not used. Ask who runs the repository which of the two is right.`,
      );
    });
  }

  async #read(name: string): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    const read = await this.#files.read(name, (chunk) => chunks.push(chunk));
    return read === undefined ? undefined : Buffer.concat(chunks);
  }
}
