import { TowpathError } from '../../api/errors.ts';
import { sha256 } from '../../manifest/digest.ts';
import { BoundedMap } from '../bounded-map.ts';
import type { Credential } from '../credential.ts';
import { nearNames } from '../near-names.ts';
import { digestIn, ledElsewhere, nearVersions, notFound } from './chart-errors.ts';
import type { Located } from './chart-listing.ts';
import type { ChartLookups, Found } from './chart-lookups.ts';
import { fileUrl, lastPartOf } from './chart-url.ts';
import { asBeginning, type HttpsFiles } from './https-files.ts';
import type { ChartLimits } from './limits.ts';
import { isOci, type OciPlace, ociPlace } from './oci-reference.ts';
import type { OciArchive, OciRegistries } from './oci-registries.ts';
import {
  type Asking,
  archiveName,
  type CredentialFor,
  keyOf,
  type Published,
  scopeOf,
  shownTo,
  type WantedChart,
} from './published.ts';

/** What the index of a Helm repository has of a chart's version: its archive is a file, or in a registry. */
export type Entry = { digest: string } & ({ url: URL } | { place: OciPlace });

/** A chart's version, where it lies. */
export interface Asked {
  asking: Asking;
  /** Undefined where the repository is a registry itself. */
  entry?: Entry;
}

export interface PublishedChartsOptions {
  https: HttpsFiles;
  registries: OciRegistries;
  lookups: ChartLookups;
  limits: ChartLimits;
  /** An index that was asked for so recently is not asked for again. */
  recentMs: number;
  /** Ends with all else, or where a file takes too long. */
  limited(): AbortSignal;
}

/** As `recentMs`, of an index that lacks what is wanted. */
const MISSING_MS = 1_000;
const MOST_LOCATED = 10_000;

/** Versions of charts where they are published. */
export class PublishedCharts {
  readonly #options: PublishedChartsOptions;
  /** What an index was found to have, or to lack, by who asked for what: the same as long as the index is. */
  readonly #located = new BoundedMap<string, { index: string; located: Located | TowpathError }>(
    MOST_LOCATED,
  );

  constructor(options: PublishedChartsOptions) {
    this.#options = options;
  }

  /**
   * What a Helm repository has of a version, by an index that was asked for recently.
   *
   * @throws TowpathError
   */
  async entry(asking: Asking): Promise<Entry> {
    const { wanted, repository } = asking;
    const { name, version } = wanted;
    const { recentMs } = this.#options;
    const asked = performance.now();
    let located = await this.#locateIn(asking, asked - recentMs);
    // It may have been published since.
    if (located instanceof TowpathError)
      located = await this.#locateIn(asking, asked - Math.min(recentMs, MISSING_MS));
    if (located instanceof TowpathError) throw located;
    const what = `The entry of chart ${name} ${version} in index.yaml of ${wanted.repository}`;
    const digest = digestIn(located.digest, what);
    return isOci(located.url)
      ? { digest, place: ociPlace(located.url, version, what) }
      : { digest, url: fileUrl(located.url, new URL(`${repository.href.replace(/\/$/, '')}/`), what) };
  }

  /** As it is now, where the index is what was found. @throws TowpathError */
  async published({ asking, entry }: Asked): Promise<Published> {
    if (entry === undefined) return this.#inRegistry(asking);
    return 'place' in entry ? this.#elsewhere(asking, entry) : this.#inRepository(asking, entry);
  }

  /** What an index that was asked for then, or later, has of a chart; or that it lacks it. */
  async #locateIn(asking: Asking, since: number): Promise<Located | TowpathError> {
    const { lookups } = this.#options;
    const key = keyOf(asking);
    const index = await lookups.index(asking, since);
    const known = this.#located.get(key);
    if (known?.index === index) return known.located;
    const found = await lookups.inIndex(asking, since);
    const located = locatedOr(asking.wanted, found);
    // Another index may have come meanwhile.
    this.#located.set(key, { index: found.index, located });
    return located;
  }

  async #inRegistry(asking: Asking): Promise<Published> {
    const { registries, lookups, limited } = this.#options;
    const { wanted, credential } = asking;
    const asked = performance.now();
    const found = await registries.find(wanted, limited(), credential);
    if (found !== undefined) return this.#inManifest(wanted, found);
    const versions = await lookups.versions(asking, asked);
    throw versions.length === 0
      ? notFound(wanted, '', [])
      : notFound(wanted, wanted.version, nearVersions(wanted.version, versions));
  }

  /** In a registry to which an index leads. The digest there is the archive's as Helm writes it, or the manifest's. */
  async #elsewhere(
    { wanted, credential }: Asking,
    { digest, place }: Extract<Entry, { place: OciPlace }>,
  ): Promise<Published> {
    const { registries, limited } = this.#options;
    const { name, version, repository } = wanted;
    const found = await led(registries.at(place, wanted, limited(), credential));
    if (found === undefined)
      throw new TowpathError(
        'Person',
        'ChartNotFound',
        `There is no chart ${name} ${version} at ${place.href} (${place.manifest}), where index.yaml of ${repository} says that it is. Tell who runs the repository, or use another version.`,
      );
    if (digest !== found.digest && digest !== found.manifestDigest)
      throw new TowpathError(
        'Person',
        'ChartDigestMismatch',
        `The archive of chart ${name} ${version} at ${place.href} has the digest sha256:${found.digest}, and its manifest sha256:${found.manifestDigest}; index.yaml of ${repository} says sha256:${digest}: it was changed, or damaged on its way, and is not used. Ask who runs the repository which of them is right.`,
      );
    return this.#inManifest(wanted, {
      ...found,
      open: (signal) => led(found.open(signal)),
      openProvenance: (signal) => led(found.openProvenance(signal)),
    });
  }

  #inManifest(wanted: WantedChart, found: OciArchive): Published {
    const { limited } = this.#options;
    return {
      digest: found.digest,
      says: 'manifest',
      files: [archiveName(wanted)],
      open: (room) => found.open(AbortSignal.any([limited(), room])),
      openProvenance: () => found.openProvenance(limited()),
    };
  }

  #inRepository(asking: Asking, { digest, url }: Extract<Entry, { url: URL }>): Published {
    return {
      digest,
      says: 'index.yaml',
      // Helm goes by the first, which a repository behind another may change.
      files: [...new Set([lastPartOf(url), archiveName(asking.wanted)])],
      open: (room) => this.#download(asking, url, room),
      openProvenance: () => this.#downloadProvenance(asking, url),
    };
  }

  async #download(
    { wanted, repository, credential }: Asking,
    url: URL,
    room: AbortSignal,
  ): Promise<AsyncIterable<Buffer>> {
    const { https, limits, limited } = this.#options;
    const what = `the archive of chart ${wanted.name} ${wanted.version} of ${wanted.repository}`;
    const { status, body } = await https.get({
      url,
      what,
      maxBytes: limits.archiveBytes,
      ...shownTo(url, repository, credential),
      signal: AbortSignal.any([limited(), room]),
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
    const { https, limits, limited } = this.#options;
    const { name, version } = wanted;
    const url = new URL(archive);
    url.pathname = `${url.pathname}.prov`;
    const { status, body } = await https.get({
      url,
      what: `the provenance file of chart ${name} ${version} of ${wanted.repository}`,
      maxBytes: limits.provenanceBytes,
      ...shownTo(url, repository, credential),
      // Storage whose files may be read and not listed answers so where there is none; the archive was let out.
      judges: [403],
      signal: limited(),
    });
    return status === 200 ? body : undefined;
  }
}

/** What an index has of a version, or that it lacks it, with what it has instead. */
function locatedOr(wanted: WantedChart, { located, names }: Found): Located | TowpathError {
  const { name, version } = wanted;
  if (located === undefined) return notFound(wanted, '', nearNames(name, names));
  // As a whole, it may have other charts only.
  if (located.version === '') return notFound(wanted, version, nearVersions(version, located.versions));
  return located;
}

/**
 * The same asked of a registry to which the index of a Helm repository leads: with its own credential. That of the
 * repository goes there only where both are at the same host and port (S4).
 *
 * @throws TowpathError
 */
export function askingElsewhere(
  asking: Asking,
  { href, reference }: OciPlace,
  credentialFor: CredentialFor,
): Asking {
  const isSameHost = new URL(reference.origin).origin === asking.repository.origin;
  const credential = ofRegistry(credentialFor, href) ?? (isSameHost ? asking.credential : undefined);
  // Who may not read the index is not handed out what it leads to either.
  const scope = credential === undefined ? asking.scope : sha256(`${asking.scope} ${scopeOf(credential)}`);
  return { ...asking, credential, scope };
}

function ofRegistry(credentialFor: CredentialFor, href: string): Credential | undefined {
  try {
    return credentialFor(href);
  } catch (error) {
    throw ledElsewhere(error);
  }
}

/** What is asked of a registry to which an index leads. */
async function led<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    throw ledElsewhere(error);
  }
}
