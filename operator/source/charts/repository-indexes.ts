import { TowpathError } from '../../api/errors.ts';
import { sha256 } from '../../manifest/digest.ts';
import { printable } from '../text.ts';
import { AskedFiles } from './asked-files.ts';
import type { FileCache } from './file-cache.ts';
import type { FileResponse, HttpsFiles } from './https-files.ts';
import { type IndexCut, IndexCutter } from './index-cut.ts';
import type { ChartLimits } from './limits.ts';
import { type Asking, keptAs, shownTo, type WantedChart } from './published.ts';
import type { SharedFlights } from './shared-flights.ts';

export interface RepositoryIndexesOptions {
  https: HttpsFiles;
  files: FileCache;
  limits: ChartLimits;
  /** Ends with all else, or where a file takes too long. */
  limited(): AbortSignal;
  flights: SharedFlights;
}

/**
 * What Helm repositories have: index.yaml of each, kept on disk, and asked for anew with its tag. With each question
 * goes since when, on the clock of performance.now(), an answer will do.
 */
export class RepositoryIndexes {
  readonly #options: RepositoryIndexesOptions;
  readonly #asked: AskedFiles;
  /** Of one alone, which may have megabytes: who goes from range to range asks for the same again. */
  #last: { key: string; cut: IndexCut } | undefined;

  constructor(options: RepositoryIndexesOptions) {
    this.#options = options;
    this.#asked = new AskedFiles(options.files, options.flights);
  }

  /** The file that the index is kept as. */
  async bring(asking: Asking, since: number): Promise<string> {
    const file = keptAs(`index ${sha256(asking.repository.href)}`, asking);
    await this.#asked.bring(file, since, asking.tenants, (etag, tenants) =>
      this.#refresh(file, etag, { ...asking, tenants }),
    );
    return file;
  }

  /** What the index has of a chart, which may be megabytes; undefined where it is not kept any more. */
  async cut(
    file: string,
    { name, repository }: WantedChart,
  ): Promise<(IndexCut & { digest: string }) | undefined> {
    const { files, limits } = this.#options;
    const digest = files.digestOf(file);
    if (digest === undefined) return undefined;
    const key = JSON.stringify([digest, name]);
    if (this.#last?.key === key) return { ...this.#last.cut, digest };
    this.#last = undefined;
    const cutter = new IndexCutter({ name, repository, entryBytes: limits.entryBytes });
    if ((await files.read(file, (chunk) => cutter.add(chunk))) === undefined) return undefined;
    const cut = cutter.end();
    this.#last = { key, cut };
    return { ...cut, digest };
  }

  async #refresh(
    file: string,
    etag: string | undefined,
    { repository, credential, tenants }: Asking,
  ): Promise<string | undefined> {
    const { indexBytes: maxBytes } = this.#options.limits;
    const shown = printable(repository.href, 200);
    const url = new URL(repository);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/index.yaml`;
    const what = `index.yaml of ${shown}`;
    let response: FileResponse | undefined;
    const open = async (room: AbortSignal) => {
      response = await this.#options.https.get({
        url,
        what,
        etag,
        ...shownTo(url, repository, credential),
        maxBytes,
        signal: AbortSignal.any([this.#options.limited(), room]),
      });
      const { status, body } = response;
      if (status === 404 || status === 410)
        throw new TowpathError(
          'Person',
          'ChartRepositoryNotFound',
          `There is no Helm repository at ${shown}: its index.yaml is answered with ${status}. Correct the repository in Chart.yaml, and run \`helm dependency update\`.`,
        );
      return status === 200 ? body : undefined;
    };
    await this.#options.files.add({ tenants, what, open, nameOf: () => file });
    return response?.status === 200 ? response.etag : etag;
  }
}
