import { rm } from 'node:fs/promises';
import { TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { BoundedMap } from '../bounded-map.ts';
import { newCache } from '../cache-directory.ts';
import type { Credential } from '../credential.ts';
import { refuseName, replaced } from './chart-errors.ts';
import type { ChartListing } from './chart-listing.ts';
import { ChartLookups, type ChartLookupsOptions } from './chart-lookups.ts';
import { FileCache } from './file-cache.ts';
import { HttpsFiles, type HttpsFilesOptions } from './https-files.ts';
import { LateAnswers } from './late-answers.ts';
import { type ChartLimits, type ChartTimeouts, defaultChartLimits, defaultChartTimeouts } from './limits.ts';
import { isOci, type OciPlace } from './oci-reference.ts';
import { OciRegistries } from './oci-registries.ts';
import {
  type Asking,
  askingFor,
  type CredentialFor,
  keptAs,
  keyOf,
  type Published,
  type WantedChart,
} from './published.ts';
import { type Asked, askingElsewhere, PublishedCharts } from './published-charts.ts';
import { RegistryVersions } from './registry-versions.ts';
import { RepositoryIndexes } from './repository-indexes.ts';
import { BusyServers } from './server-busy.ts';
import { SharedFlights } from './shared-flights.ts';

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

/** An archive on the disk. */
interface Kept {
  digest: string;
  /** Its name there. */
  file: string;
}

export interface ChartRepositoriesOptions extends Omit<HttpsFilesOptions, 'timeouts'> {
  /** Looks a chart's version up in what an index has of the chart; of a range the highest one. */
  locate: ChartLookupsOptions['locate'];
  limits?: Partial<ChartLimits>;
  timeouts?: Partial<ChartTimeouts>;
  /** An index, or a registry for a version, that was asked for so recently is not asked for again; default 10,000. */
  recentMs?: number;
  /** As for Git: see `Sources`. */
  cacheDirectory?: string;
  /** Shared with all else that takes long. */
  slices?: Slices;
}

const RECENT_MS = 10_000;
/** Versions of charts that were handed out, and stay what they were. */
const MOST_HANDED_OUT = 10_000;

const NO_CREDENTIAL: CredentialFor = () => undefined;

/**
 * Charts of Helm repositories and OCI registries, each version fetched once however many Applications use it, and kept by
 * the digest that the index or manifest has for it. Who knows which one that was gets no other, and that without a
 * question while it is kept. Who does not gets what is published now, if that is what was handed out before.
 */
export class ChartRepositories {
  readonly #limits: ChartLimits;
  readonly #timeouts: ChartTimeouts;
  readonly #directory: string;
  readonly #recentMs: number;
  readonly #https: HttpsFiles;
  readonly #files: FileCache;
  readonly #stopped = new AbortController();
  readonly #busy = new BusyServers();
  readonly #flights = new SharedFlights(() => this.#lookups.joined());
  /** The digest of each version that was; of one in a registry also when that was found to be what is published. */
  readonly #handedOut = new BoundedMap<string, { digest: string; seenAt?: number }>(MOST_HANDED_OUT);
  /** Where indexes led last that have an archive in a registry. */
  readonly #places = new BoundedMap<string, OciPlace>(MOST_HANDED_OUT);
  readonly #lookups: ChartLookups;
  readonly #published: PublishedCharts;
  /** Archives that came after somebody had given up waiting. */
  readonly #lateArchives = new LateAnswers<Kept>(1_000);
  /** What ranges came to after somebody had given up waiting for it. */
  readonly #late = new LateAnswers<string>(1_000);
  /** The same of what publishers signed, each of which may have a megabyte. */
  readonly #lateProvenances = new LateAnswers<Provenance>(10);

  constructor(options: ChartRepositoriesOptions) {
    this.#limits = { ...defaultChartLimits, ...options.limits };
    this.#timeouts = { ...defaultChartTimeouts, ...options.timeouts };
    this.#recentMs = options.recentMs ?? RECENT_MS;
    const slices = options.slices ?? new Slices();
    this.#directory = newCache(options.cacheDirectory, 'towpath-charts-');
    this.#https = new HttpsFiles({ ...options, timeouts: this.#timeouts });
    const registries = new OciRegistries(this.#https, this.#limits, slices);
    this.#files = new FileCache(this.#directory, this.#limits.cacheBytes, slices);
    const kept = { files: this.#files, flights: this.#flights, limited: () => this.#limited() };
    this.#lookups = new ChartLookups({
      locate: options.locate,
      indexes: new RepositoryIndexes({ ...kept, https: this.#https, limits: this.#limits }),
      versions: new RegistryVersions({ ...kept, registries }),
      files: this.#files,
      slices,
      stopped: this.#stopped.signal,
    });
    this.#published = new PublishedCharts({
      https: this.#https,
      registries,
      lookups: this.#lookups,
      limits: this.#limits,
      recentMs: this.#recentMs,
      limited: () => this.#limited(),
    });
  }

  /**
   * A chart's archive. What is fetched for one caller is so for all: it goes on, within its limits of time, when
   * nobody waits for it any more.
   *
   * @param credentialFor what a registry is asked with where the index of the repository leads to one.
   * @param tenant who waits: what it takes of disk and engines counts as of one of those who do.
   * @throws TowpathError ChartRepositoryInvalid, ChartRepositoryNotFound, ChartNotFound, ChartIndexInvalid,
   * ChartDigestMismatch, ChartReplaced, ChartTooLarge, and of the network, as for Git; or the signal's reason.
   */
  async fetch(
    wanted: WantedChart,
    signal: AbortSignal,
    credential?: Credential,
    credentialFor = NO_CREDENTIAL,
    tenant = '',
  ): Promise<FetchedChart> {
    signal.throwIfAborted();
    const asking = askingFor(wanted, credential, [tenant]);
    refuseName(wanted);
    const { name, version } = wanted;
    // What is kept may go, or rot, between being found and being read.
    for (let tries = 0; tries < 2; tries++) {
      const { digest, file } =
        this.#kept(asking, credentialFor) ?? (await this.#brought(asking, credentialFor, signal));
      const data = await this.#read(file);
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
  async resolve(
    range: WantedChart,
    signal: AbortSignal,
    credential?: Credential,
    tenant = '',
  ): Promise<string> {
    signal.throwIfAborted();
    const asking = askingFor(range, credential, [tenant]);
    const key = JSON.stringify(['range', asking.repository.href, range.name, range.version, asking.scope]);
    const late = this.#late.find(key);
    if (late !== undefined) return late;
    const flight = this.#shared(key, asking, (shared) => this.#highest(shared));
    const coming = flight.then((answer) => ({ key, answer }));
    return this.#inTime(coming, signal, this.#late);
  }

  /**
   * What the publisher of an archive signed of it, as it is now, or, as with a range, came too late for somebody;
   * undefined where nothing is.
   *
   * @param credentialFor as for `fetch`.
   * @throws TowpathError as `fetch` does; or the signal's reason.
   */
  async provenance(
    wanted: WantedChart & { digest: string },
    signal: AbortSignal,
    credential?: Credential,
    credentialFor = NO_CREDENTIAL,
    tenant = '',
  ): Promise<Provenance | undefined> {
    signal.throwIfAborted();
    const asking = askingFor(wanted, credential, [tenant]);
    refuseName(wanted);
    const { digest } = wanted;
    const keyFor = (asked: Asking) => JSON.stringify(['provenance', keyOf(asked), digest]);
    for (const asked of this.#knownAs(asking, credentialFor)) {
      const late = this.#lateProvenances.find(keyFor(asked));
      if (late !== undefined) return late;
    }
    const coming = this.#where(asking, credentialFor).then(async (asked) => {
      const key = keyFor(asked.asking);
      return { key, answer: await this.#sharedAsked(key, asked, (shared) => this.#signed(shared, digest)) };
    });
    return this.#inTime(coming, signal, this.#lateProvenances);
  }

  /**
   * Asks what there is now: one question to a Helm repository for all of its charts, and to a registry for all versions
   * of one.
   *
   * @param tenants who wants to know.
   * @throws TowpathError of the repository as a whole, or the signal's reason.
   */
  async list(
    chart: Omit<WantedChart, 'version'>,
    signal: AbortSignal,
    credential?: Credential,
    tenants: Iterable<string> = [],
  ): Promise<ChartListing> {
    signal.throwIfAborted();
    const asking = askingFor({ ...chart, version: '' }, credential, tenants);
    return unlessAborted(this.#lookups.list(asking, performance.now(), 'Spec'), signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new TowpathError('Time', 'Stopping', 'The operator is stopping.'));
    await Promise.allSettled(this.#flights.all);
    await this.#https.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #shared<T>(key: string, asking: Asking, begin: (shared: Asking) => Promise<T>): Promise<T> {
    return this.#busy.ask(key, () =>
      this.#flights.join(key, asking.tenants, (tenants) => begin({ ...asking, tenants })),
    );
  }

  #sharedAsked<T>(key: string, asked: Asked, begin: (shared: Asked) => Promise<T>): Promise<T> {
    return this.#shared(key, asked.asking, (asking) => begin({ ...asked, asking }));
  }

  #limited(): AbortSignal {
    return AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(this.#timeouts.totalMs)]);
  }

  /** What somebody waits for, or what comes too late for them. */
  async #inTime<T, Coming extends T | undefined>(
    coming: Promise<{ key: string; answer: Coming }>,
    signal: AbortSignal,
    late: LateAnswers<T>,
  ): Promise<Coming> {
    try {
      return (await unlessAborted(coming, signal)).answer;
    } catch (error) {
      if (signal.aborted) late.keep(coming);
      throw error;
    }
  }

  /** As whom a chart may have been asked for: of its repository, or of a registry to which the index of that led. */
  *#knownAs(asking: Asking, credentialFor: CredentialFor): Generator<Asking> {
    yield asking;
    const place = this.#places.get(keyOf(asking));
    if (place === undefined) return;
    let elsewhere: Asking;
    try {
      elsewhere = askingElsewhere(asking, place, credentialFor);
    } catch {
      // The index may lead elsewhere by now: where it does not, whoever asks it is told.
      return;
    }
    yield elsewhere;
  }

  /** What nobody has to be asked for. */
  #kept(asking: Asking, credentialFor: CredentialFor): Kept | undefined {
    for (const asked of this.#knownAs(asking, credentialFor)) {
      const digest = asking.wanted.digest ?? this.#seen(keyOf(asked));
      const file = digest === undefined ? '' : keptAs(digest, asked);
      if (digest !== undefined && this.#files.has(file)) return { digest, file };
    }
    return undefined;
  }

  /** What was published a moment ago. */
  #seen(key: string): string | undefined {
    const { digest, seenAt = Number.NEGATIVE_INFINITY } = this.#handedOut.get(key) ?? {};
    return performance.now() - seenAt < this.#recentMs ? digest : this.#lateArchives.find(key)?.digest;
  }

  #brought(asking: Asking, credentialFor: CredentialFor, signal: AbortSignal): Promise<Kept> {
    const coming = this.#where(asking, credentialFor).then(async (asked) => {
      const key = keyOf(asked.asking);
      const flight = JSON.stringify([key, asking.wanted.digest]);
      const digest = await this.#sharedAsked(flight, asked, (shared) => this.#bring(key, shared));
      return { key, answer: { digest, file: keptAs(digest, asked.asking) } };
    });
    return this.#inTime(coming, signal, this.#lateArchives);
  }

  /** Where a version lies, as the index has it. */
  async #where(asking: Asking, credentialFor: CredentialFor): Promise<Asked> {
    if (isOci(asking.wanted.repository)) return { asking };
    const key = keyOf(asking);
    const entry = await this.#shared(`entry ${key}`, asking, (shared) => this.#published.entry(shared));
    if (!('place' in entry)) {
      this.#places.delete(key);
      return { asking, entry };
    }
    this.#places.set(key, entry.place);
    return { asking: askingElsewhere(asking, entry.place, credentialFor), entry };
  }

  /** The digest of the archive, which is kept by then. */
  async #bring(key: string, asked: Asked): Promise<string> {
    const { asking, entry } = asked;
    const { wanted } = asking;
    const published = await this.#published.published(asked);
    const { digest } = published;
    // An index is asked for by itself, and says so at once.
    const seen = entry !== undefined && 'url' in entry ? {} : { seenAt: performance.now() };
    // What was handed out to others may be what it was replaced with, or what it was before it was put back.
    const before = wanted.digest ?? this.#handedOut.get(key)?.digest;
    if (before !== undefined && before !== digest) throw replaced(wanted, before, published);
    if (!this.#files.has(keptAs(digest, asking))) await this.#keep(asking, published);
    this.#handedOut.set(key, { digest, ...seen });
    return digest;
  }

  async #signed(asked: Asked, digest: string): Promise<Provenance | undefined> {
    const published = await this.#published.published(asked);
    if (published.digest !== digest) throw replaced(asked.asking.wanted, digest, published);
    const body = await published.openProvenance();
    if (body === undefined) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return { text: Buffer.concat(chunks), files: published.files };
  }

  /** Of a registry, by the tags that Helm takes, and as they are now. */
  async #highest(asking: Asking): Promise<string> {
    const since = performance.now() - (isOci(asking.wanted.repository) ? 0 : this.#recentMs);
    const listing = await this.#lookups.list(asking, since, 'Dependency');
    return listing.highest(asking.wanted);
  }

  async #keep(asking: Asking, { digest, says, open }: Published): Promise<void> {
    const { wanted, tenants } = asking;
    const { name, version, repository } = wanted;
    const what = `the archive of chart ${name} ${version} of ${repository}`;
    const nameOf = (found: string) => {
      if (found === digest) return keptAs(digest, asking);
      throw new TowpathError(
        'Person',
        'ChartDigestMismatch',
        `The archive of chart ${name} ${version} of ${repository} has the digest sha256:${found}, and its ${says} says sha256:${digest}: it was changed, or damaged on its way, and is not used. Ask who runs the repository which of the two is right.`,
      );
    };
    await this.#files.add({ tenants, what, open, nameOf });
  }

  async #read(name: string): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    const read = await this.#files.read(name, (chunk) => chunks.push(chunk));
    return read === undefined ? undefined : Buffer.concat(chunks);
  }
}
