import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TowpathError } from '../../api/errors.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { BoundedMap } from '../bounded-map.ts';
import { size } from '../limits.ts';
import { printable } from '../text.ts';
import { asBeginning, type FileRequest, type HttpsFiles } from './https-files.ts';
import type { ChartLimits } from './limits.ts';
import { linkedNext } from './link-header.ts';
import { versionsAmong } from './listed-versions.ts';
import {
  type OciPlace,
  type OciReference,
  ociReference,
  ociRepository,
  tagOf,
  versionOf,
} from './oci-reference.ts';
import type { WantedChart } from './published.ts';
import { bytesOf, jsonOf, parsed, type RegistryCredential, RegistrySession } from './registry-session.ts';
import { ServerBusy } from './server-busy.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.cncf.helm.config.v1+json';
/** The second is that of Helm before 3.7. */
const ARCHIVES = ['application/vnd.cncf.helm.chart.content.v1.tar+gzip', 'application/tar+gzip'];

const PROVENANCE = 'application/vnd.cncf.helm.chart.provenance.v1.prov';

const mebibyte = 1 << 20;
/** As much of JSON is read within milliseconds; a chart's manifest has some hundred bytes. */
const MANIFEST_BYTES = mebibyte / 4;
const PAGE_BYTES = mebibyte;
/** Tags that are asked for at once. */
const PAGE = 1_000;
const MOST_PAGES = 64;
const MOST_TAGS = 50_000;
const LONGEST_TAG = 128;

const descriptor = z.object({ mediaType: z.string(), digest: z.string(), size: z.int().nonnegative() });
type Descriptor = z.infer<typeof descriptor>;
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(100) });
const pageSchema = z.object({ tags: z.array(z.unknown()).nullish() });

/** What a manifest says. */
interface Manifest {
  /** Of itself: `sha256:…` */
  digest: string;
  archive: Descriptor;
  provenance: Descriptor | undefined;
}

type AskedManifest = Pick<FileRequest, 'url' | 'what' | 'signal'>;

const MOST_MANIFESTS = 10_000;
/** As servers answer that take no HEAD. */
const HEADLESS: ReadonlySet<string> = new Set(['ServerError', 'AuthenticationFailed', 'ConnectionLost']);

/** An archive in a registry. */
export interface OciArchive {
  /** SHA-256, in hexadecimal. */
  digest: string;
  /** Of the manifest that says so. */
  manifestDigest: string;
  /** @throws TowpathError */
  open(signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
  /** The file with what its publisher signed; undefined where the manifest has none. @throws TowpathError */
  openProvenance(signal: AbortSignal): Promise<AsyncIterable<Buffer> | undefined>;
}

/** Charts in OCI registries, as `helm push` puts them there. */
export class OciRegistries {
  readonly #https: HttpsFiles;
  readonly #limits: ChartLimits;
  readonly #slices: Slices;
  /** What was found last, by where. */
  readonly #manifests = new BoundedMap<string, Manifest>(MOST_MANIFESTS);

  constructor(https: HttpsFiles, limits: ChartLimits, slices: Slices) {
    this.#https = https;
    this.#limits = limits;
    this.#slices = slices;
  }

  /** Where a chart's version is; undefined where there is none such. @throws TowpathError */
  async find(
    wanted: WantedChart,
    signal: AbortSignal,
    credential?: RegistryCredential,
  ): Promise<OciArchive | undefined> {
    const reference = ociReference(ociRepository(wanted.repository), wanted.name);
    const session = new RegistrySession(this.#https, reference, credential);
    const tag = tagOf(wanted.version);
    return tag === undefined ? undefined : this.#manifest(session, reference, wanted, tag, signal);
  }

  /**
   * A chart's version where an index says that it is; undefined where it is not.
   *
   * @throws TowpathError
   */
  async at(
    { reference, manifest }: OciPlace,
    wanted: WantedChart,
    signal: AbortSignal,
    credential?: RegistryCredential,
  ): Promise<OciArchive | undefined> {
    const session = new RegistrySession(this.#https, reference, credential);
    return this.#manifest(session, reference, wanted, manifest, signal);
  }

  async #manifest(
    session: RegistrySession,
    { origin, name }: OciReference,
    wanted: WantedChart,
    at: string,
    signal: AbortSignal,
  ): Promise<OciArchive | undefined> {
    const what = `the manifest of chart ${wanted.name} ${wanted.version} of ${wanted.repository}`;
    const asked = { url: new URL(`/v2/${name}/manifests/${at}`, origin), what, signal };
    const known = this.#manifests.get(asked.url.href);
    const isKnown = known !== undefined && (await isStill(known, session, asked));
    const manifest = isKnown ? known : await this.#read(session, asked, at);
    if (manifest === undefined) return undefined;
    this.#manifests.set(asked.url.href, manifest);
    const { digest, archive, provenance } = manifest;
    const ofChart = `chart ${wanted.name} ${wanted.version} of ${wanted.repository}`;
    const { archiveBytes, provenanceBytes } = this.#limits;
    return {
      digest: archive.digest.replace(/^sha256:/, ''),
      manifestDigest: digest.replace(/^sha256:/, ''),
      open: (opening) => {
        const blob = { ...archive, what: `the archive of ${ofChart}`, maxBytes: archiveBytes };
        return this.#blob(session, { origin, name }, blob, opening);
      },
      openProvenance: async (opening) => {
        if (provenance === undefined) return undefined;
        const blob = {
          ...provenance,
          what: `the provenance file of ${ofChart}`,
          maxBytes: provenanceBytes,
        };
        return this.#blob(session, { origin, name }, blob, opening);
      },
    };
  }

  async #read(session: RegistrySession, asked: AskedManifest, at: string): Promise<Manifest | undefined> {
    const { what } = asked;
    const response = await session.get({ ...asked, accept: MANIFEST, maxBytes: MANIFEST_BYTES });
    if (response.status !== 200) return undefined;
    const bytes = await bytesOf(response.body);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const [told] = response.header('docker-content-digest');
    if (told?.startsWith('sha256:') && told !== digest)
      throw anotherManifest(what, digest, `the registry says ${printable(told, 80)}`);
    if (at.startsWith('sha256:') && at !== digest)
      throw anotherManifest(what, digest, `it was asked for by ${at}`);
    return { digest, ...this.#layersIn(bytes, what) };
  }

  #layersIn(manifest: Buffer, what: string): Omit<Manifest, 'digest'> {
    const { data } = manifestSchema.safeParse(parsed(manifest));
    if (data === undefined)
      throw new TowpathError(
        'Person',
        'ChartIndexInvalid',
        `${asBeginning(what)} cannot be read: it is no image manifest of OCI. Publish the chart anew (helm push), or commit it to the folder charts.`,
      );
    const archive = data.layers.find(({ mediaType }) => ARCHIVES.includes(mediaType));
    if (data.config.mediaType !== CONFIG || archive === undefined)
      throw new TowpathError(
        'Person',
        'ChartArchiveInvalid',
        `${asBeginning(what)} is of no Helm chart, but of ${printable(data.config.mediaType, 80)}. Correct the repository in Chart.yaml, or publish the chart there (helm push).`,
      );
    if (!hasDigest(archive))
      throw new TowpathError(
        'Person',
        'ChartIndexInvalid',
        `${asBeginning(what)} has no SHA-256 digest of the archive, without which that cannot be checked. Publish the chart anew (helm push), or commit it to the folder charts.`,
      );
    const { archiveBytes } = this.#limits;
    if (archive.size > archiveBytes)
      throw new TowpathError(
        'Person',
        'ChartTooLarge',
        `${asBeginning(what)} tells of an archive of ${size(archive.size)}, and no more than ${size(archiveBytes)} are fetched. Have the chart made smaller, or commit it to the folder charts.`,
      );
    const provenance = data.layers.find((layer) => layer.mediaType === PROVENANCE && hasDigest(layer));
    return { archive, provenance };
  }

  async #blob(
    session: RegistrySession,
    { origin, name }: Pick<OciReference, 'origin' | 'name'>,
    { digest, size: told, what, maxBytes }: Descriptor & { what: string; maxBytes: number },
    signal: AbortSignal,
  ): Promise<AsyncIterable<Buffer>> {
    const url = new URL(`/v2/${name}/blobs/${digest}`, origin);
    const { status, body } = await session.get({ url, what, maxBytes, signal });
    if (status !== 200)
      throw new TowpathError(
        'Person',
        'ChartNotFound',
        `${asBeginning(what)} is answered with ${status}, though its manifest has it. Publish the chart anew (helm push), or use another version.`,
      );
    return ofSize(body, told, what);
  }

  /**
   * All versions of a chart, page by page in the registry's order, so that a slow one has little of them in memory (A8);
   * none where there is no such chart.
   *
   * @throws TowpathError
   */
  async *versions(
    wanted: Omit<WantedChart, 'version'>,
    signal: AbortSignal,
    credential?: RegistryCredential,
  ): AsyncGenerator<readonly string[]> {
    const reference = ociReference(ociRepository(wanted.repository), wanted.name);
    const { origin, name } = reference;
    const session = new RegistrySession(this.#https, reference, credential);
    const what = `the list of versions of chart ${wanted.name} of ${wanted.repository}`;
    let count = 0;
    let url: URL | undefined = new URL(`/v2/${name}/tags/list?n=${PAGE}`, origin);
    for (let pages = 0; url !== undefined; pages++) {
      const response = await session.get({ url, what, maxBytes: PAGE_BYTES, signal });
      if (response.status !== 200 && pages === 0) return;
      const { data } = pageSchema.safeParse(await jsonOf(response));
      if (data === undefined)
        throw new TowpathError(
          'Time',
          'ServerError',
          `${asBeginning(what)} cannot be read. It is asked for again.`,
        );
      const tags: string[] = [];
      for (const tag of (data.tags ?? []).slice(0, MOST_TAGS + 1))
        if (typeof tag === 'string' && tag.length <= LONGEST_TAG) tags.push(versionOf(tag));
      count += tags.length;
      // Relative to where it stands, unless that is elsewhere: the next page is asked for where this one was.
      const page: URL = response.url.origin === origin ? response.url : url;
      url = linkedNext(response.header('link'), page, what);
      // What is not known as a whole has no newest.
      if (count > MOST_TAGS || (url !== undefined && pages + 1 >= MOST_PAGES))
        throw new TowpathError(
          'Person',
          'ChartTooLarge',
          `${asBeginning(what)} has more than is read: ${MOST_TAGS} tags on ${MOST_PAGES} pages. Have who runs the registry delete old ones.`,
        );
      yield await versionsAmong(tags, this.#slices);
    }
  }
}

/**
 * Whether a manifest is what is there still, without it: registries that count pulls do not count that. Where one does
 * not answer that, the manifest itself tells.
 */
async function isStill(
  { digest }: Manifest,
  session: RegistrySession,
  asked: AskedManifest,
): Promise<boolean> {
  try {
    const head = await session.get({ ...asked, method: 'HEAD', accept: MANIFEST, maxBytes: MANIFEST_BYTES });
    return head.status === 200 && head.header('docker-content-digest')[0] === digest;
  } catch (error) {
    const isRefused = error instanceof ServerBusy && error.status === 429;
    if (error instanceof TowpathError && HEADLESS.has(error.reason) && !isRefused) return false;
    throw error;
  }
}

function anotherManifest(what: string, is: string, says: string): TowpathError {
  return new TowpathError(
    'Person',
    'ChartDigestMismatch',
    `${asBeginning(what)} has the digest ${is}, and ${says}: it was changed, or damaged on its way, and is not used. Ask who runs the registry.`,
  );
}

/** What it has becomes part of a path. */
function hasDigest({ digest }: Descriptor): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(digest);
}

async function* ofSize(body: AsyncIterable<Buffer>, told: number, what: string): AsyncGenerator<Buffer> {
  let bytes = 0;
  const refuse = (has: string) =>
    new TowpathError(
      'Person',
      'ChartDigestMismatch',
      `${asBeginning(what)} has ${has} bytes, and its manifest says ${told}: it was changed, or damaged on its way, and is not used. Ask who runs the registry which of the two is right.`,
    );
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > told) throw refuse(`more than ${told}`);
    yield chunk;
  }
  if (bytes < told) throw refuse(String(bytes));
}
