import { rm } from 'node:fs/promises';
import { TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { BoundedMap } from '../bounded-map.ts';
import { newCache } from '../cache-directory.ts';
import type { Credential } from '../credential.ts';
import { nearNames } from '../near-names.ts';
import { digestIn, nearVersions, notFound, refuseName, replaced } from './chart-errors.ts';
import { type ChartListing, type Located, listingOfIndex, listingOfRegistry } from './chart-listing.ts';
import { fileUrl, lastPartOf } from './chart-url.ts';
import { FileCache } from './file-cache.ts';
import { asBeginning, HttpsFiles, type HttpsFilesOptions } from './https-files.ts';
import { LateAnswers } from './late-answers.ts';
import { type ChartLimits, type ChartTimeouts, defaultChartLimits, defaultChartTimeouts } from './limits.ts';
import { isOci } from './oci-reference.ts';
import { OciRegistries } from './oci-registries.ts';
import {
  type Asking,
  archiveName,
  askingFor,
  keptAs,
  type Published,
  shownTo,
  type WantedChart,
} from './published.ts';
import { RepositoryIndexes } from './repository-indexes.ts';

export interface FetchedChart {
  name: string;
  version: string;
  /** SHA-256 of the data, in hexadecimal. */
  digest: string;
  data: Uint8Array;
}

/** What the publisher of an archive signed of it, with the signature. */
export interface Provenance {
  text: Uint8Array;
  /** What the archive may be called there. */
  files: readonly string[];
}

interface Signed {
  provenance: Provenance | undefined;
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
/** As `recentMs`, of an index that lacks what is wanted. */
const MISSING_MS = 1_000;
/** Versions of charts that were handed out, and stay what they were. */
const MOST_HANDED_OUT = 10_000;

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
  readonly #indexes: RepositoryIndexes;
  /** What ranges came to after somebody had given up waiting for it. */
  readonly #late = new LateAnswers<string>(1_000);
  /** The same of what publishers signed, each of which may have a megabyte. */
  readonly #lateProvenances = new LateAnswers<Signed>(10);

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
    this.#indexes = new RepositoryIndexes({
      https: this.#https,
      files: this.#files,
      limits: this.#limits,
      limited: () => this.#limited(),
      shared: (key, begin) => this.#shared(key, begin),
    });
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

  /**
   * What the publisher of an archive signed of it, as it is now, or, as with a range, came too late for somebody;
   * undefined where nothing is.
   *
   * @throws TowpathError as `fetch` does; or the signal's reason.
   */
  async provenance(
    wanted: WantedChart & { digest: string },
    signal: AbortSignal,
    credential?: Credential,
  ): Promise<Provenance | undefined> {
    signal.throwIfAborted();
    const asking = askingFor(wanted, credential);
    refuseName(wanted);
    const { repository, scope } = asking;
    const { name, version, digest } = wanted;
    const key = JSON.stringify(['provenance', repository.href, name, version, digest, scope]);
    const late = this.#lateProvenances.find(key);
    if (late !== undefined) return late.provenance;
    const flight = this.#shared(key, () => this.#provenance(asking, digest));
    try {
      return (await unlessAborted(flight, signal)).provenance;
    } catch (error) {
      if (signal.aborted) this.#lateProvenances.keep(key, flight);
      throw error;
    }
  }

  /**
   * Asks what there is now: one question to a Helm repository for all of its charts, and to a registry for all versions
   * of one.
   *
   * @throws TowpathError of the repository as a whole, or the signal's reason.
   */
  async list(
    chart: Omit<WantedChart, 'version'>,
    signal: AbortSignal,
    credential?: Credential,
  ): Promise<ChartListing> {
    signal.throwIfAborted();
    const asking = askingFor({ ...chart, version: '' }, credential);
    return unlessAborted(this.#list(asking, performance.now()), signal);
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
    const published = await this.#published(asking);
    const { digest } = published;
    if (known !== undefined && known !== digest) throw replaced(wanted, known, published);
    if (!this.#files.has(keptAs(digest, asking))) await this.#keep(asking, published);
    this.#handedOut.set(key, digest);
    return digest;
  }

  async #provenance(asking: Asking, digest: string): Promise<Signed> {
    const published = await this.#published(asking);
    if (published.digest !== digest) throw replaced(asking.wanted, digest, published);
    const body = await published.openProvenance();
    if (body === undefined) return { provenance: undefined };
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return { provenance: { text: Buffer.concat(chunks), files: published.files } };
  }

  #published(asking: Asking): Promise<Published> {
    return isOci(asking.wanted.repository) ? this.#findInRegistry(asking) : this.#find(asking);
  }

  async #highest(asking: Asking): Promise<string> {
    const listing = await this.#list(asking, performance.now() - this.#recentMs);
    return listing.highest(asking.wanted);
  }

  /** @param since on the clock of performance.now(): an index that was asked for then, or later, will do. */
  async #list(asking: Asking, since: number): Promise<ChartListing> {
    const { wanted, repository, credential, scope } = asking;
    const locate = (range: WantedChart & { isRange: true }, index: Uint8Array) =>
      this.#locate(range, index, this.#stopped.signal);
    if (isOci(wanted.repository))
      return this.#shared(JSON.stringify(['list', repository.href, wanted.name, scope]), async () => {
        const versions = await this.#registries.versions(wanted, this.#limited(), credential);
        return listingOfRegistry(wanted.name, versions, locate, this.#slices);
      });
    const cut = (range: WantedChart) => this.#indexes.cut({ ...asking, wanted: range }, since);
    return listingOfIndex(await this.#indexes.digest(asking, since), locate, cut);
  }

  async #findInRegistry({ wanted, credential }: Asking): Promise<Published> {
    const found = await this.#registries.find(wanted, this.#limited(), credential);
    if ('versions' in found) {
      const { versions } = found;
      throw versions === undefined || versions.length === 0
        ? notFound(wanted, '', [])
        : notFound(wanted, wanted.version, nearVersions(wanted.version, versions));
    }
    const { digest } = found;
    return {
      digest,
      says: 'manifest',
      files: [archiveName(wanted)],
      open: () => found.open(this.#limited()),
      openProvenance: () => found.openProvenance(this.#limited()),
    };
  }

  async #find(asking: Asking): Promise<Published> {
    const { wanted, repository } = asking;
    const { name, version } = wanted;
    const asked = performance.now();
    let found = await this.#locateIn(asking, asked - this.#recentMs);
    // It may have been published since.
    if ((found.located?.version ?? '') === '')
      found = await this.#locateIn(asking, asked - Math.min(this.#recentMs, MISSING_MS));
    const { located, names } = found;
    if (located === undefined) throw notFound(wanted, '', nearNames(name, names));
    // As a whole, it may have other charts only.
    if (located.version === '') throw notFound(wanted, version, nearVersions(version, located.versions));
    const what = `The entry of chart ${name} ${version} in index.yaml of ${wanted.repository}`;
    const digest = digestIn(located.digest, what);
    const url = fileUrl(located.url, new URL(`${repository.href.replace(/\/$/, '')}/`), what);
    return {
      digest,
      says: 'index.yaml',
      // Helm goes by the first, which a repository behind another may change.
      files: [...new Set([lastPartOf(url), archiveName(wanted)])],
      open: () => this.#download(asking, url),
      openProvenance: () => this.#downloadProvenance(asking, url),
    };
  }

  /** What an index that was asked for then, or later, has of a chart; nothing of one that it does not have. */
  async #locateIn(asking: Asking, since: number) {
    const { text, names } = await this.#indexes.cut(asking, since);
    const located =
      text === undefined ? undefined : await this.#locate(asking.wanted, text, this.#stopped.signal);
    return { located, names };
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

  /** It lies beside the archive. */
  async #downloadProvenance({ wanted, repository, credential }: Asking, archive: URL) {
    const { name, version } = wanted;
    const url = new URL(archive);
    url.pathname = `${url.pathname}.prov`;
    const { status, body } = await this.#https.get({
      url,
      what: `the provenance file of chart ${name} ${version} of ${wanted.repository}`,
      maxBytes: this.#limits.provenanceBytes,
      ...shownTo(url, repository, credential),
      // Storage whose files may be read and not listed answers so where there is none; the archive was let out.
      judges: [403],
      signal: this.#limited(),
    });
    return status === 200 ? body : undefined;
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
