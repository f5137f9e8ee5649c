import { applicationOf, namespaceOf } from '../../record/application-key.ts';

export interface WishesOptions {
  /** The targets that are to be looked at, or are; `since` when a look that nothing interrupted began. */
  underWay(): Iterable<{ key: string; since?: number }>;
  /** Which repository a target follows; undefined: it is not known. Two of those have nothing in common. */
  repositoryOf(target: string): string | undefined;
  /** Has those look at Git who follow the owner's repository, but are told by themselves of what is new there. */
  othersSee(owner: string, signal: AbortSignal): Promise<void>;
  /** An object that was left for another target is no longer wanted there. */
  onUnwanted(owner: string): void;
}

/**
 * Of so many objects it is remembered that targets of one namespace's Applications want them; of more, the one of them that told
 * first is forgotten, and never one of another namespace.
 */
export const MOST_WISHES = 20_000;
/**
 * So long what is to be deleted waits for other targets to say whether they want it: for those that are to be
 * looked at, for a look from its begin, and after a start for all.
 */
const PATIENCE_MS = 30_000;

/**
 * Which objects the targets have in Git, would take over as they are, and have not got yet: what moves from one
 * to another in a commit must not be deleted because the former one is the first to notice. All by the name of the
 * target, and by cluster and object key; times are on the clock of performance.now().
 */
export class Wishes {
  readonly #options: WishesOptions;
  readonly #byTarget = new Map<string, ReadonlySet<string>>();
  readonly #byObject = new Map<string, Set<string>>();
  /** Whose objects were left for the one that wants them. */
  readonly #leftBy = new Map<string, string>();
  /** When each told last, or ended a look without. */
  readonly #toldAt = new Map<string, number>();
  readonly #listeners = new Set<(target: string) => void>();
  /** By namespace. */
  readonly #sizes = new Map<string, number>();
  readonly #startedAt = performance.now();

  constructor(options: WishesOptions) {
    this.#options = options;
  }

  /** Takes in what a target wants now, instead of what it wanted. */
  tell(target: string, objects: ReadonlySet<string>): void {
    const before = this.#drop(target);
    if (objects.size > 0) this.#byTarget.set(target, objects);
    const namespace = namespaceOf(target);
    this.#count(namespace, objects.size);
    for (const object of objects)
      this.#byObject.set(object, (this.#byObject.get(object) ?? new Set()).add(target));
    for (const [oldest] of this.#byTarget) {
      if ((this.#sizes.get(namespace) ?? 0) <= MOST_WISHES || oldest === target) break;
      if (namespaceOf(oldest) !== namespace) continue;
      for (const object of this.#drop(oldest)) this.#unwanted(object);
    }
    for (const object of before) this.#unwanted(object);
    this.noteLook(target);
  }

  /** A look at the target ended; whatever it wants, it told. */
  noteLook(target: string): void {
    this.#toldAt.set(target, performance.now());
    for (const listener of [...this.#listeners]) listener(target);
  }

  forget(target: string): void {
    this.tell(target, new Set());
    this.#toldAt.delete(target);
  }

  /** The targets besides the owner that want an object. */
  of(object: string, owner: string): string[] {
    return [...(this.#byObject.get(object) ?? [])].filter((target) => target !== owner);
  }

  /** The owner leaves an object for those who want it, if there are any; returns these. */
  leave(object: string, owner: string): string[] {
    const wanting = this.of(object, owner);
    if (wanting.length > 0) this.#leftBy.set(object, owner);
    return wanting;
  }

  /**
   * Resolves when every other target that may know of something newer has told what it wants, or its look ended:
   * those that follow the same repository, which are shown first what it told the owner, and after a start all. After
   * half a minute it resolves all the same: one that does not get on holds up nobody's pruning for ever. Rejects with
   * the signal's reason.
   */
  async othersTold(owner: string, signal: AbortSignal): Promise<void> {
    await this.#options.othersSee(owner, signal);
    const repository = this.#options.repositoryOf(owner);
    const now = performance.now();
    const isStarting = now - this.#startedAt < PATIENCE_MS;
    const awaited = new Set<string>();
    for (const { key, since } of this.#options.underWay()) {
      // What one environment of an Application gives up, none of its others is about to take over.
      if (applicationOf(key) === applicationOf(owner)) continue;
      const toldAt = this.#toldAt.get(key);
      if (since !== undefined && toldAt !== undefined && toldAt >= since) continue;
      // One that does not get on holds up each pruning once, and not at every look.
      if (since !== undefined && now - since >= PATIENCE_MS) continue;
      const isFollower = repository !== undefined && this.#options.repositoryOf(key) === repository;
      if ((isStarting && toldAt === undefined) || isFollower) awaited.add(key);
    }
    if (awaited.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const end = () => resolve();
    const onTold = (target: string) => {
      if (awaited.delete(target) && awaited.size === 0) resolve();
    };
    this.#listeners.add(onTold);
    limit.addEventListener('abort', end, { once: true });
    try {
      if (!limit.aborted) await promise;
    } finally {
      this.#listeners.delete(onTold);
      limit.removeEventListener('abort', end);
    }
    signal.throwIfAborted();
  }

  #drop(target: string): ReadonlySet<string> {
    const objects = this.#byTarget.get(target) ?? new Set<string>();
    this.#byTarget.delete(target);
    this.#count(namespaceOf(target), -objects.size);
    for (const object of objects) {
      const wanting = this.#byObject.get(object);
      wanting?.delete(target);
      if (wanting?.size === 0) this.#byObject.delete(object);
    }
    return objects;
  }

  #count(namespace: string, change: number): void {
    const size = (this.#sizes.get(namespace) ?? 0) + change;
    if (size === 0) this.#sizes.delete(namespace);
    else this.#sizes.set(namespace, size);
  }

  #unwanted(object: string): void {
    const owner = this.#leftBy.get(object);
    if (owner === undefined || this.#byObject.has(object)) return;
    this.#leftBy.delete(object);
    this.#options.onUnwanted(owner);
  }
}
