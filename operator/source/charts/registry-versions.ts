import { sha256 } from '../../manifest/digest.ts';
import { AskedFiles } from './asked-files.ts';
import type { FileCache } from './file-cache.ts';
import type { OciRegistries } from './oci-registries.ts';
import { type Asking, keptAs } from './published.ts';
import type { SharedFlights } from './shared-flights.ts';

export interface RegistryVersionsOptions {
  registries: OciRegistries;
  files: FileCache;
  /** Ends with all else, or where it takes too long. */
  limited(): AbortSignal;
  flights: SharedFlights;
}

/**
 * Which versions registries have of charts. The list of a chart, which may be long, is kept on disk: what waits to be
 * looked up takes no memory (A8).
 */
export class RegistryVersions {
  readonly #options: RegistryVersionsOptions;
  readonly #asked: AskedFiles;

  constructor(options: RegistryVersionsOptions) {
    this.#options = options;
    this.#asked = new AskedFiles(options.files, options.flights);
  }

  /** The file that the list of a chart is kept as, which was asked for at `since` (performance.now()) or later. */
  async bring(asking: Asking, since: number): Promise<string> {
    const { repository, wanted } = asking;
    const file = keptAs(`versions ${sha256(JSON.stringify([repository.href, wanted.name]))}`, asking);
    await this.#asked.bring(file, since, asking.tenants, async (_etag, tenants) => {
      await this.#list(file, { ...asking, tenants });
      return undefined;
    });
    return file;
  }

  /** In the registry's order, none of a chart that it does not have; undefined where the list is not kept any more. */
  async read(file: string): Promise<string[] | undefined> {
    const versions: string[] = [];
    let rest = '';
    // Each is ASCII.
    const isRead = await this.#options.files.read(file, (chunk) => {
      const lines = `${rest}${chunk.toString('latin1')}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) versions.push(line);
    });
    return isRead === undefined ? undefined : versions;
  }

  async #list(file: string, { wanted, credential, tenants }: Asking): Promise<void> {
    const { registries, files, limited } = this.#options;
    await files.add({
      tenants,
      what: `the list of versions of chart ${wanted.name} of ${wanted.repository}`,
      open: async (room) =>
        asLines(registries.versions(wanted, AbortSignal.any([limited(), room]), credential)),
      nameOf: () => file,
    });
  }
}

async function* asLines(pages: AsyncIterable<readonly string[]>): AsyncGenerator<Buffer> {
  for await (const page of pages)
    if (page.length > 0) yield Buffer.from(page.map((version) => `${version}\n`).join(''));
}
