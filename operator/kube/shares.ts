/** For whom a request is made. */
export interface Sharer {
  /** The user whom it impersonates. */
  user: string;
  /** One of that user's several, who must not hold up each other; '' where it is for none of them. */
  target: string;
}

export interface SharesOptions {
  /** Requests under way at once that were begun a moment ago: what the API server is asked to do at the same time. */
  active: number;
  /** One that takes longer waits for something: it lends its place among those on (A3). */
  lendAfterMs: number;
  /** All that are under way, and those of one user. */
  most: number;
  mostOfUser: number;
}

interface One {
  sharer: Sharer;
  begin(): void;
  /** Runs while it is among the active ones. */
  lend?: NodeJS.Timeout | undefined;
}

/**
 * Hands out a bounded number of places so that what hangs takes few of them (A3): a user may take no more than are left
 * for those that come later, and a target no more than are left of its user's. Nobody holds one place while waiting
 * for another, so that nothing can lock up; targets that wait are served in turn, each one's requests in order.
 */
export class Shares {
  readonly #options: SharesOptions;
  readonly #byUser = new Map<string, number>();
  readonly #byTarget = new Map<string, number>();
  /** By target, the one that was served longest ago first. */
  readonly #waiting = new Map<string, One[]>();
  #taken = 0;
  #active = 0;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Whether more of the kind would only wait: no place is left, or a target that has none waits for its first. */
  get full(): boolean {
    if (!this.#hasRoom) return true;
    for (const key of this.#waiting.keys()) if (!this.#byTarget.has(key)) return true;
    return false;
  }

  /** Calls `begin`, at once or later, when there is a place, which is taken until `ended`. One that ended waits no more. */
  take(sharer: Sharer, begin: () => void, ended: Promise<void>): void {
    const key = keyOf(sharer);
    const one: One = { sharer, begin };
    const queue = this.#waiting.get(key) ?? [];
    queue.push(one);
    this.#waiting.set(key, queue);
    void ended.then(() => this.#leave(one));
    this.#serve();
  }

  get #hasRoom(): boolean {
    return this.#active < this.#options.active && this.#taken < this.#options.most;
  }

  #leave(one: One): void {
    const key = keyOf(one.sharer);
    const queue = this.#waiting.get(key);
    const place = queue?.indexOf(one) ?? -1;
    if (queue !== undefined && place >= 0) {
      queue.splice(place, 1);
      if (queue.length === 0) this.#waiting.delete(key);
      return;
    }
    this.#count(one.sharer, -1);
    this.#lend(one);
  }

  #lend(one: One): void {
    if (one.lend !== undefined) this.#active -= 1;
    clearTimeout(one.lend);
    one.lend = undefined;
    this.#serve();
  }

  #serve(): void {
    for (let served = true; served; ) {
      served = false;
      for (const [key, queue] of [...this.#waiting]) {
        const [next] = queue;
        if (next === undefined || !this.#mayTake(next.sharer)) continue;
        queue.shift();
        this.#waiting.delete(key);
        if (queue.length > 0) this.#waiting.set(key, queue);
        this.#count(next.sharer, 1);
        this.#active += 1;
        next.lend = setTimeout(() => this.#lend(next), this.#options.lendAfterMs).unref();
        served = true;
        next.begin();
      }
    }
  }

  #mayTake(sharer: Sharer): boolean {
    if (!this.#hasRoom) return false;
    const { most, mostOfUser } = this.#options;
    const ofUser = this.#byUser.get(sharer.user) ?? 0;
    const ofTarget = this.#byTarget.get(keyOf(sharer)) ?? 0;
    return ofUser < most - this.#taken && ofTarget < mostOfUser - ofUser;
  }

  #count(sharer: Sharer, change: 1 | -1): void {
    this.#taken += change;
    add(this.#byUser, sharer.user, change);
    add(this.#byTarget, keyOf(sharer), change);
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function keyOf({ user, target }: Sharer): string {
  return `${user} ${target}`;
}
