import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from '../retry/backoff.ts';
import type { KubeClient } from './client.ts';
import { Collection, type Selection } from './collection.ts';
import { ApiError, isForbidden, isGone, UnreachableError } from './errors.ts';
import { type Entry, entryOf, ObjectStore, type WatchEvent } from './object-store.ts';
import type { KubeObject, ObjectPath, ResourceName, ServiceAccount } from './objects.ts';
import { isNewerVersion } from './resource-version.ts';
import { Staleness } from './staleness.ts';
import { readWatchLine, type WatchLine } from './watch-line.ts';

export type { WatchEvent } from './object-store.ts';

/** `Failing`: `error` says why, and it is tried again in `retryInMs`. What was synced before stays readable. */
export type WatchState =
  | { state: 'Syncing' }
  | { state: 'Watching' }
  | { state: 'Failing'; error: Error; retryInMs: number };

export interface ListWatchOptions<T> {
  client: KubeClient;
  resource: ResourceName;
  /** Left out: all namespaces, or a resource outside namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  metadataOnly?: boolean;
  as?: ServiceAccount;
  /**
   * An object of the collection as an answer told it: it is watched from there without being listed first, so that
   * nothing of its life is missed, however short. For a watch of that object alone.
   */
  from?: KubeObject;
  /** What to keep of an object; called on receipt, so that the rest is dropped at once. */
  reduce: (object: KubeObject) => T;
  onEvent?: (event: WatchEvent<T>) => void;
  onState?: (state: WatchState) => void;
  /** All was listed, and what that changed was told. */
  onListed?: () => void;
  /**
   * What was listed is too old to count, as `stale` says, or is not any more, after `onListed`. Left out: it counts
   * however long the watch fails.
   */
  onStale?: () => void;
  /** Told what would otherwise be lost: a malformed line, an exception of `reduce` or of a callback. Default the client's. */
  onFault?: (error: Error) => void;
  /** Without a byte for this long the watch is renewed (A2). Bookmarks come about once a minute. Default the client's. */
  silenceMs?: number;
  /** For one page; default 20 s. */
  listTimeoutMs?: number;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/** With a hung request's time-out before it, all is in sync again within 40 s of a fault's end (A1). */
const RETRY = { firstMs: 100, longestMs: 10_000 };
const WATCH_HEADERS_TIMEOUT_MS = 15_000;
/** A watch that lived this long was a good one: backoff starts anew. */
const SHORT_WATCH_MS = 5000;

/**
 * A local copy of a collection that follows the API server whatever happens to it (A1): lists page by page, watches
 * from there with bookmarks, resumes a watch that ended without listing again, lists again after 410 and tells the
 * difference, backs off with full jitter. Never throws, never ends the process.
 */
export class ListWatch<T> {
  readonly #options: ListWatchOptions<T>;
  readonly #path: ObjectPath;
  readonly #selection: Selection;
  readonly #collection: Collection;
  readonly #store: ObjectStore<T>;
  readonly #waiting = new Set<() => void>();
  readonly #random: () => number;
  #stop: AbortController | undefined;
  #running: Promise<void> | undefined;
  /** From where it is watched; undefined: it is to be listed. */
  #resourceVersion: string | undefined;
  /** The newest version that an answer had. */
  #answeredVersion: string | undefined;
  /** The last version that was told, also while it is to be listed. */
  #latestVersion: string | undefined;
  #synced = false;
  /** Not where it began from an object: who may watch that one need not be allowed to list. */
  #hasListed = false;
  #lastError: Error | undefined;
  readonly #staleness = new Staleness();
  #failures = 0;
  /** Something went wrong since it was known that the server has the history that was told. */
  #isInDoubt = false;
  /** The server's history went back: all is told anew. */
  #isAnew = false;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    const { resource, namespace } = options;
    this.#path = namespace === undefined ? { resource } : { resource, namespace };
    const { labelSelector, fieldSelector, metadataOnly } = options;
    this.#selection = {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(metadataOnly === undefined ? {} : { metadataOnly }),
    };
    this.#collection = new Collection({ ...options, path: this.#path, selection: this.#selection });
    this.#random = options.random ?? Math.random;
    this.#store = new ObjectStore((event) => {
      if (this.#stop?.signal.aborted === true) return;
      this.#tell(() => options.onEvent?.(event));
    });
  }

  start(): void {
    if (this.#stop !== undefined) return;
    this.#stop = new AbortController();
    this.#beginFrom(this.#options.from);
    this.#running = this.#run(this.#stop.signal);
  }

  #beginFrom(object: KubeObject | undefined): void {
    const reduced = object === undefined ? undefined : this.#reduce(object);
    if (object === undefined || reduced === undefined) return;
    this.#store.put(entryOf(object, reduced.object));
    this.#advance(object.metadata.resourceVersion);
    this.#synced = true;
  }

  #advance(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    this.#latestVersion = resourceVersion;
  }

  /** Ends the watch; no callback comes afterwards. What was synced stays readable. */
  async stop(): Promise<void> {
    this.#stop?.abort(new Error('stopped'));
    await this.#running;
  }

  /** Whether everything was listed once. It stays true when the watch fails later. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The error that it is failing with now. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Why what was listed once is too old to count: it has failed with this for too long. Only with `onStale`. */
  get stale(): Error | undefined {
    return this.#staleness.error;
  }

  /** @throws the signal's reason */
  whenSynced(signal?: AbortSignal): Promise<void> {
    if (this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onSynced = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiting.delete(onSynced);
        reject(signal?.reason);
      };
      this.#waiting.add(onSynced);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
    });
  }

  /** `namespace` is '' outside namespaces. */
  get(namespace: string, name: string): T | undefined {
    return this.#store.get(namespace, name)?.object;
  }

  values(): IterableIterator<T> {
    return this.#store.objects();
  }

  /**
   * Takes in an object as the answer to a request shows it, so that what is known is not behind one's own writes.
   * False: the watch has told all that happened up to the answer's version, and knows no such object: it was deleted
   * since, or lost its label, and nothing will tell so again. One number remembers all deletions.
   */
  takeIn(answer: Entry<T>): boolean {
    const { namespace, name, uid, resourceVersion } = answer;
    const upTo = this.#resourceVersion;
    const isToldOf = upTo !== undefined && !isNewerVersion(resourceVersion, upTo);
    if (isToldOf && this.#store.get(namespace, name)?.uid !== uid) return false;
    if (this.#answeredVersion === undefined || isNewerVersion(resourceVersion, this.#answeredVersion))
      this.#answeredVersion = resourceVersion;
    this.#store.put(answer, { isAnswer: true });
    return true;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#isInDoubt) await this.#checkHistory(signal);
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#backOff(asError(error), signal);
      }
    }
  }

  async #backOff(error: Error, signal: AbortSignal): Promise<void> {
    this.#isInDoubt = true;
    const gone = isGone(error) || isTooNew(error);
    if (gone) this.#resourceVersion = undefined;
    this.#failures += 1;
    // What the server forgot is listed again at once, the first time.
    if (gone && this.#failures === 1) return;
    const pause = backoffMs({
      ...RETRY,
      failures: this.#failures,
      jitter: 'Full',
      random: this.#random(),
    });
    const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const retryInMs = Math.min(retryAfterMs, RETRY.longestMs) + pause;
    this.#lastError = error;
    this.#noteStale(error);
    this.#tell(() => this.#options.onState?.({ state: 'Failing', error, retryInMs }));
    await delay(retryInMs, undefined, { signal }).catch(() => undefined);
  }

  #noteStale(error: Error): void {
    const { onStale } = this.#options;
    if (onStale === undefined || !this.#synced || !this.#staleness.failed(error)) return;
    this.#resourceVersion = undefined;
    this.#tell(onStale);
  }

  /**
   * An API server whose etcd was restored from a backup takes a watch from a version that it has not reached, and says
   * nothing in it until it has. So after each failure the version of a list is compared, which is the last one.
   */
  async #checkHistory(signal: AbortSignal): Promise<void> {
    // What is to be listed anyway tells by itself.
    if (this.#resourceVersion !== undefined) {
      try {
        const newest = this.#newestVersion();
        if (isNewerVersion(newest, await this.#collection.version(signal))) this.#resourceVersion = undefined;
      } catch (error) {
        // Who could list may do so again: a server that has just started forbids all until it knows the roles.
        if (!isForbidden(error) || this.#hasListed) throw error;
      }
    }
    this.#isInDoubt = false;
  }

  /** What is asked for from now on is at least as new, unless the server's history went back. */
  #newestVersion(): string {
    const [watched = '', answered = ''] = [this.#latestVersion, this.#answeredVersion];
    return isNewerVersion(answered, watched) ? answered : watched;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { slices } = this.#options.client;
    this.#tell(() => this.#options.onState?.({ state: 'Syncing' }));
    const found: Entry<T>[] = [];
    const newest = this.#newestVersion();
    const resourceVersion = await this.#collection.list(signal, (item, version) => {
      this.#isAnew ||= isNewerVersion(newest, version);
      const entry = this.#entryOf(item);
      if (entry !== undefined) found.push(entry);
    });
    if (signal.aborted) return;
    this.#isAnew ||= isNewerVersion(newest, resourceVersion);
    // Of a history that there is no more.
    if (this.#isAnew) this.#answeredVersion = undefined;
    await this.#store.replace(found, resourceVersion, this.#isAnew ? { isAnew: true } : {}, slices);
    if (signal.aborted) return;
    this.#advance(resourceVersion);
    this.#hasListed = true;
    this.#synced = true;
    for (const onSynced of this.#waiting) onSynced();
    this.#waiting.clear();
    this.#isAnew = false;
    this.#isInDoubt = false;
    // Before anybody is told: who hears that all was listed asks at once what is known.
    const wasStale = this.#staleness.listed();
    this.#tell(() => this.#options.onListed?.());
    if (wasStale) this.#tell(() => this.#options.onStale?.());
  }

  /** The entry that is kept already where nothing changed or `reduce` fails, so that no event comes of it. */
  #entryOf(item: KubeObject): Entry<T> | undefined {
    const { namespace = '', name, uid, resourceVersion } = item.metadata;
    const stored = this.#store.get(namespace, name);
    const isSame = stored?.uid === uid && stored.resourceVersion === resourceVersion;
    // Others may know versions of it that are gone.
    if (isSame && !this.#isAnew) return stored;
    const reduced = this.#reduce(item);
    return reduced === undefined ? stored : entryOf(item, reduced.object);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, as, silenceMs = client.silenceMs } = this.#options;
    const since = performance.now();
    const broken = new AbortController();
    const onLine = (line: string) => {
      if (signal.aborted || broken.signal.aborted) return undefined;
      try {
        this.#take(line);
      } catch (error) {
        broken.abort(error);
      }
      // A read may bring thousands of them.
      return client.slices.pause();
    };
    const onHead = ({ status }: { status: number }) => {
      if (status !== 200) return;
      this.#lastError = undefined;
      this.#staleness.watching();
      this.#tell(() => this.#options.onState?.({ state: 'Watching' }));
    };
    const watch = {
      ...this.#selection,
      resourceVersion: this.#resourceVersion ?? '',
      timeoutSeconds: Math.round(300 + this.#random() * 300),
      silenceMs,
    };
    const call = {
      signal: AbortSignal.any([signal, broken.signal]),
      timeoutMs: WATCH_HEADERS_TIMEOUT_MS,
      ...(as === undefined ? {} : { as }),
    };
    const isGood = () => performance.now() - since > SHORT_WATCH_MS;
    try {
      await client.watch(this.#path, watch, { onHead, onLine }, call);
    } finally {
      if (isGood()) this.#failures = 0;
    }
    if (isGood()) return;
    // Also one that told something: a server that ends each watch after a line is not to be asked without a pause.
    throw new UnreachableError('ShortWatch', 'The API server ended the watch as soon as it began.');
  }

  /** One line of the watch. @throws what ends this watch: an ERROR event, or a line that is none */
  #take(text: string): void {
    const line = this.#read(text);
    if (line.resourceVersion !== undefined) this.#advance(line.resourceVersion);
    if (line.object === undefined) return;
    const { namespace = '', name, resourceVersion } = line.object.metadata;
    const reduced = this.#reduce(line.object);
    if (line.type === 'DELETED') this.#store.remove({ namespace, name }, resourceVersion, reduced?.object);
    else if (reduced !== undefined) this.#store.put(entryOf(line.object, reduced.object));
  }

  #read(text: string): WatchLine {
    try {
      return readWatchLine(text, this.#path.resource.plural);
    } catch (error) {
      if (!(error instanceof ApiError)) this.#fault(asError(error));
      throw error;
    }
  }

  #reduce(object: KubeObject): { object: T } | undefined {
    try {
      return { object: this.#options.reduce(object) };
    } catch (error) {
      this.#fault(asError(error));
      return undefined;
    }
  }

  #tell(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#fault(asError(error));
    }
  }

  #fault(error: Error): void {
    try {
      const { client, resource, onFault } = this.#options;
      if (onFault === undefined) client.onWatchFault(resource.plural, error);
      else onFault(error);
    } catch {
      // Nobody is left to tell.
    }
  }
}

/** The server is behind our resourceVersion: its etcd was restored from an older backup. */
function isTooNew(error: Error): boolean {
  return (
    error instanceof ApiError &&
    (error.causes.some((cause) => cause.reason === 'ResourceVersionTooLarge') ||
      error.message.startsWith('Too large resource version'))
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
