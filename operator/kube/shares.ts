/** For whom a request is made. */
export interface Sharer {
  /** Those who are to be independent of each other: a namespace with all its ServiceAccounts. */
  tenant: string;
  /** One of that tenant's several, who must not hold up each other; '' where it is for none of them. */
  target: string;
}

export interface SharesOptions {
  /** Requests under way at once that were begun a moment ago: what the API server is asked to do at the same time. */
  active: number;
  /** One that takes longer waits for something: it lends its place among those on (A3). */
  lendAfterMs: number;
  /** All that are under way; beyond them a tenant has one. */
  most: number;
  /** What the targets of a tenant share; beyond that each has one, as long as the tenant's share lasts. */
  mostOfTenant: number;
}

/** Of the places that are left, a tenant may have as many as one of so many parts. */
const PARTS = 4;

interface One {
  sharer: Sharer;
  begin(): void;
  /** Runs while it is among the active ones. */
  lend?: NodeJS.Timeout | undefined;
}

/**
 * Hands out places so that what hangs takes few of them (A3): a tenant may take a part of what is left for those that
 * come later, and a target no more than are left of its tenant's. Who has none gets its first however much hangs.
 * Nobody holds one place while waiting for another, so that nothing can lock up; targets that wait are served in turn,
 * each one's requests in order.
 */
export class Shares {
  readonly #options: SharesOptions;
  readonly #byTenant = new Map<string, number>();
  readonly #byTarget = new Map<string, number>();
  /** By target, the one that was served longest ago first. */
  readonly #waiting = new Map<string, One[]>();
  #taken = 0;
  #active = 0;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Whether also one that has no share yet would only wait. Who waits for its own share tells nothing of others. */
  get full(): boolean {
    return this.#active >= this.#options.active;
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
    for (let served = true; served && !this.full; ) {
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
    if (this.full) return false;
    const { most, mostOfTenant } = this.#options;
    const ofTenant = this.#byTenant.get(sharer.tenant) ?? 0;
    if (ofTenant === 0) return true;
    if (ofTenant >= (most - this.#taken) / PARTS) return false;
    const ofTarget = this.#byTarget.get(keyOf(sharer)) ?? 0;
    return ofTarget === 0 || ofTarget < mostOfTenant - ofTenant;
  }

  #count(sharer: Sharer, change: 1 | -1): void {
    this.#taken += change;
    add(this.#byTenant, sharer.tenant, change);
    add(this.#byTarget, keyOf(sharer), change);
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function keyOf({ tenant, target }: Sharer): string {
  return `${tenant} ${target}`;
}
