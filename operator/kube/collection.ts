import type { KubeClient, ListOptions, ListPage, ServiceAccount } from './client.ts';
import { isGone, isTooLarge } from './errors.ts';
import type { KubeObject, ObjectPath } from './objects.ts';

/** Which objects of a kind, and how much of each. */
export type Selection = Pick<ListOptions, 'labelSelector' | 'fieldSelector' | 'metadataOnly'>;

export interface CollectionOptions {
  client: KubeClient;
  path: ObjectPath;
  selection: Selection;
  as?: ServiceAccount;
  /** For one page; default 20 s. */
  listTimeoutMs?: number;
}

const LIST_TIMEOUT_MS = 20_000;

/** What a list-watch lists, page by page. */
export class Collection {
  readonly #options: CollectionOptions;
  /** 0 once a continue token ran out: all at once then. */
  #pageLimit: number | undefined;

  constructor(options: CollectionOptions) {
    this.#options = options;
  }

  /** Tells of every object, the list's resourceVersion with each; returns that. @throws ApiError, UnreachableError */
  async list(
    signal: AbortSignal,
    onItem: (item: KubeObject, resourceVersion: string) => void,
  ): Promise<string> {
    const { slices } = this.#options.client;
    let resourceVersion = '';
    let next = '';
    do {
      const page = await this.#page(this.#pageLimit, next, signal).catch((error: unknown) => {
        this.#pageLimit = pageLimitAfter(error, this.#pageLimit, next);
        throw error;
      });
      for (const item of page.items) {
        const pause = slices.pause();
        if (pause !== undefined) await pause;
        onItem(item, page.resourceVersion);
      }
      resourceVersion = page.resourceVersion;
      next = page.continue;
    } while (next !== '');
    this.#pageLimit = undefined;
    return resourceVersion;
  }

  /** The last resourceVersion that the server has. @throws ApiError, UnreachableError */
  async version(signal: AbortSignal): Promise<string> {
    return (await this.#page(1, '', signal)).resourceVersion;
  }

  #page(limit: number | undefined, next: string, signal: AbortSignal): Promise<ListPage> {
    const { client, path, selection, as, listTimeoutMs = LIST_TIMEOUT_MS } = this.#options;
    const list = limit === undefined ? selection : { ...selection, limit };
    const call = { signal, timeoutMs: listTimeoutMs, ...(as === undefined ? {} : { as }) };
    return client.listPage(path, list, next, call);
  }
}

/** Smaller pages after one that was too large; all at once after a continue token that ran out. */
function pageLimitAfter(error: unknown, limit: number | undefined, continued: string): number | undefined {
  if (isTooLarge(error)) return Math.ceil((limit || 500) / 5);
  return continued !== '' && isGone(error) ? 0 : limit;
}
