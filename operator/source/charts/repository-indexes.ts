import { TowpathError } from '../../api/errors.ts';
import { sha256 } from '../../manifest/digest.ts';
import { BoundedMap } from '../bounded-map.ts';
import { printable } from '../text.ts';
import type { FileCache } from './file-cache.ts';
import type { HttpsFiles } from './https-files.ts';
import { type IndexCut, IndexCutter } from './index-cut.ts';
import type { ChartLimits } from './limits.ts';
import { type Asking, keptAs, shownTo } from './published.ts';

export interface RepositoryIndexesOptions {
  https: HttpsFiles;
  files: FileCache;
  limits: ChartLimits;
  /** Ends with all else, or where a file takes too long. */
  limited(): AbortSignal;
  /** Whoever asks for the same while it is on its way waits for that. */
  shared<T>(key: string, begin: () => Promise<T>): Promise<T>;
}

interface Asked {
  etag: string | undefined;
  /** On the clock of performance.now(). */
  askedAt: number;
}

const MOST_INDEXES = 1_000;

/**
 * What Helm repositories have: index.yaml of each, kept on disk, and asked for anew with its tag. With each question
 * goes since when, on the clock of performance.now(), an answer will do.
 */
export class RepositoryIndexes {
  readonly #options: RepositoryIndexesOptions;
  readonly #asked = new BoundedMap<string, Asked>(MOST_INDEXES);

  constructor(options: RepositoryIndexesOptions) {
    this.#options = options;
  }

  /** SHA-256 of the index: the same as long as nothing changes there. */
  async digest(asking: Asking, since: number): Promise<string> {
    return this.#options.files.digestOf(await this.#index(asking, since)) ?? '';
  }

  /** An index of some time ago may lack what it has by now. */
  async cut(asking: Asking, since: number): Promise<IndexCut> {
    const { wanted } = asking;
    for (let tries = 0; tries < 2; tries++) {
      const file = await this.#index(asking, since);
      const { entryBytes } = this.#options.limits;
      const cutter = new IndexCutter({ name: wanted.name, repository: wanted.repository, entryBytes });
      if ((await this.#options.files.read(file, (chunk) => cutter.add(chunk))) !== undefined)
        return cutter.end();
    }
    throw new TowpathError(
      'Time',
      'RepositoryDamaged',
      `index.yaml of ${wanted.repository} cannot be read from the operator's own disk. It is fetched anew.`,
    );
  }

  /** The file that the index is kept as. One that was on its way already may have been sent before `since`. */
  async #index(asking: Asking, since: number): Promise<string> {
    const file = keptAs(`index ${sha256(asking.repository.href)}`, asking);
    const isOfThen = () => (this.#asked.get(file)?.askedAt ?? Number.NEGATIVE_INFINITY) >= since;
    for (let tries = 0; tries < 2 && !(this.#options.files.has(file) && isOfThen()); tries++)
      await this.#options.shared(file, () => this.#refresh(file, asking));
    return file;
  }

  async #refresh(file: string, { repository, credential }: Asking): Promise<void> {
    const known = this.#options.files.has(file) ? this.#asked.get(file) : undefined;
    const askedAt = performance.now();
    const { indexBytes: maxBytes } = this.#options.limits;
    const shown = printable(repository.href, 200);
    const url = new URL(repository);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/index.yaml`;
    const what = `index.yaml of ${shown}`;
    const { status, etag, body } = await this.#options.https.get({
      url,
      what,
      etag: known?.etag,
      ...shownTo(url, repository, credential),
      maxBytes,
      signal: this.#options.limited(),
    });
    if (status === 404 || status === 410)
      throw new TowpathError(
        'Person',
        'ChartRepositoryNotFound',
        `There is no Helm repository at ${shown}: its index.yaml is answered with ${status}. Correct the repository in Chart.yaml, and run \`helm dependency update\`.`,
      );
    if (status === 200) await this.#options.files.add(body, () => file);
    this.#asked.set(file, { etag: status === 200 ? etag : known?.etag, askedAt });
  }
}
