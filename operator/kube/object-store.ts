import type { Slices } from '../observe/slices.ts';
import type { KubeObject } from './objects.ts';

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
}

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

  constructor(onEvent: (event: WatchEvent<T>) => void) {
    this.#onEvent = onEvent;
  }

  get(namespace: string, name: string): Entry<T> | undefined {
    return this.#entries.get(keyOf({ namespace, name }));
  }

  *objects(): IterableIterator<T> {
    for (const { object } of this.#entries.values()) yield object;
  }

  /** Takes over a whole list and tells what it changed: first what is gone, then what is new. */
  async replace(found: readonly Entry<T>[], slices: Slices): Promise<void> {
    const keys = new Map(found.map((entry) => [keyOf(entry), entry]));
    for (const [key, entry] of [...this.#entries]) {
      const pause = slices.pause();
      if (pause !== undefined) await pause;
      if (keys.get(key)?.uid !== entry.uid) this.remove(entry);
    }
    for (const entry of found) {
      const pause = slices.pause();
      if (pause !== undefined) await pause;
      this.put(entry);
    }
  }

  /** An entry that is there already, the very same, is no change. */
  put(entry: Entry<T>): void {
    const key = keyOf(entry);
    const known = this.#entries.get(key);
    if (known === entry) return;
    // Deleted and created anew while we were not looking.
    if (known !== undefined && known.uid !== entry.uid) this.remove(known);
    const { namespace, name, object } = entry;
    const previous = this.#entries.get(key);
    this.#entries.set(key, entry);
    this.#onEvent(
      previous === undefined
        ? { type: 'Added', namespace, name, object }
        : { type: 'Modified', namespace, name, object, previous: previous.object },
    );
  }

  /** `last` is the state to tell, where one newer than what is kept is known. */
  remove({ namespace, name }: Pick<Entry<T>, 'namespace' | 'name'>, last?: T): void {
    const key = keyOf({ namespace, name });
    const known = this.#entries.get(key);
    if (known === undefined) return;
    this.#entries.delete(key);
    this.#onEvent({ type: 'Deleted', namespace, name, object: last ?? known.object, previous: known.object });
  }
}

function keyOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

/** The entry for an object, reduced. */
export function entryOf<T>({ metadata }: KubeObject, object: T): Entry<T> {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion, object };
}
