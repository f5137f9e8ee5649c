import type { Slices } from '../observe/event-loop-slices.ts';
import type { KubeObject } from './objects.ts';
import { isNewerVersion } from './resource-version.ts';

export interface WatchEvent<T> {
  type: 'Added' | 'Modified' | 'Deleted';
  /** '' for objects outside namespaces. */
  namespace: string;
  name: string;
  /** For Deleted the last state known. */
  object: T;
  previous?: T;
  /**
   * Told by a list after the server's history went back: it replaces what is known, whatever versions that has.
   */
  isAnew?: true;
  /** Told by an answer to a request, not by the watch: who asked knows it already. */
  isAnswer?: true;
}

/** Why an object is put in, where that is not simply that the watch told of it. */
export type PutReason = Pick<WatchEvent<unknown>, 'isAnew' | 'isAnswer'>;

/** What is kept of one object: what the caller wants of it, and what tells it from others of its name. */
export interface Entry<T> {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
  object: T;
}

/** What is kept of a collection, by namespace and name; tells each change. */
export class ObjectStore<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #onEvent: (event: WatchEvent<T>) => void;
  /** How many answers came since the last list. */
  #answers = 0;

  constructor(onEvent: (event: WatchEvent<T>) => void) {
    this.#onEvent = onEvent;
  }

  get(namespace: string, name: string): Entry<T> | undefined {
    return this.#entries.get(namespacedName({ namespace, name }));
  }

  *objects(): IterableIterator<T> {
    for (const { object } of this.#entries.values()) yield object;
  }

  /**
   * Takes over a whole list and tells what it changed: first what is gone, then what is new. What an answer told that
   * is newer than the list stays.
   */
  async replace(
    found: readonly Entry<T>[],
    version: string,
    reason: Pick<PutReason, 'isAnew'>,
    slices: Slices,
  ): Promise<void> {
    this.#answers = 0;
    const uids = new Map(found.map((entry) => [namespacedName(entry), entry.uid]));
    const isStale = (key: string, { uid, resourceVersion }: Entry<T>) =>
      uids.get(key) !== uid && (reason.isAnew === true || !isNewerVersion(resourceVersion, version));
    const removeStale = async () => {
      for (const [key, entry] of [...this.#entries]) {
        const pause = slices.pause();
        if (pause !== undefined) await pause;
        if (this.#entries.get(key) === entry && isStale(key, entry)) this.#drop(key, entry);
      }
    };
    await removeStale();
    for (const entry of found) {
      const pause = slices.pause();
      if (pause !== undefined) await pause;
      this.put(entry, reason);
    }
    // An answer that came meanwhile may be older than the list.
    for (let answers = 0; answers !== this.#answers; ) {
      answers = this.#answers;
      await removeStale();
    }
  }

  /** Whatever is not newer than what is known is no change, and tells nothing. */
  put(entry: Entry<T>, reason: PutReason = {}): void {
    const key = namespacedName(entry);
    const stored = this.#entries.get(key);
    if (stored === entry) return;
    if (reason.isAnswer === true) this.#answers += 1;
    if (stored !== undefined && reason.isAnew !== true && !isNewer(entry, stored)) return;
    // Deleted and created anew while we were not looking.
    const isOther = stored !== undefined && stored.uid !== entry.uid;
    if (isOther) this.#drop(key, stored);
    const previous = isOther ? undefined : stored;
    this.#entries.set(key, entry);
    const { namespace, name, object } = entry;
    this.#onEvent(
      previous === undefined
        ? { type: 'Added', namespace, name, object, ...reason }
        : { type: 'Modified', namespace, name, object, previous: previous.object, ...reason },
    );
  }

  /**
   * `version`: at which it went. An answer that is newer tells of one that was made since. `last` is the state to
   * tell, where one newer than what is kept is known.
   */
  remove(gone: Pick<Entry<T>, 'namespace' | 'name'>, version: string, last?: T): void {
    const key = namespacedName(gone);
    const stored = this.#entries.get(key);
    if (stored !== undefined && !isNewerVersion(stored.resourceVersion, version))
      this.#drop(key, stored, last);
  }

  #drop(key: string, { namespace, name, object }: Entry<T>, last = object): void {
    this.#entries.delete(key);
    this.#onEvent({ type: 'Deleted', namespace, name, object: last, previous: object });
  }
}

function isNewer<T>(entry: Entry<T>, stored: Entry<T>): boolean {
  return (
    isNewerVersion(entry.resourceVersion, stored.resourceVersion) ||
    // Of an API whose versions say nothing.
    (entry.uid !== stored.uid && entry.resourceVersion === stored.resourceVersion)
  );
}

function namespacedName({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

/** The entry for an object, reduced. */
export function entryOf<T>({ metadata }: KubeObject, object: T): Entry<T> {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion, object };
}
