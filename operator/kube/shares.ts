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
 * Nobody holds one place while waiting for another, so that nothing can lock up; tenants that wait are served in turn,
 * and so are the targets of each, whose requests keep their order.
 */
export class Shares {
  readonly #options: SharesOptions;
  readonly #byTenant = new Map<string, number>();
  readonly #byTarget = new Map<string, number>();
  /** By tenant and by target, of both the one that was served longest ago first. */
  readonly #waiting = new Map<string, Map<string, One[]>>();
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
    const one: One = { sharer, begin };
    const targets = this.#waiting.get(sharer.tenant) ?? new Map<string, One[]>();
    const queue = targets.get(sharer.target) ?? [];
    queue.push(one);
    targets.set(sharer.target, queue);
    this.#waiting.set(sharer.tenant, targets);
    void ended.then(() => this.#leave(one));
    this.#serve();
  }

  #leave(one: One): void {
    if (this.#forget(one)) return;
    this.#count(one.sharer, -1);
    this.#lend(one);
  }

  /** Whether it was among those that wait. */
  #forget(one: One): boolean {
    const { tenant, target } = one.sharer;
    const targets = this.#waiting.get(tenant);
    const queue = targets?.get(target);
    const place = queue?.indexOf(one) ?? -1;
    if (targets === undefined || queue === undefined || place < 0) return false;
    queue.splice(place, 1);
    if (queue.length === 0) targets.delete(target);
    if (targets.size === 0) this.#waiting.delete(tenant);
    return true;
  }

  #lend(one: One): void {
    if (one.lend !== undefined) this.#active -= 1;
    clearTimeout(one.lend);
    one.lend = undefined;
    this.#serve();
  }

  #serve(): void {
    while (!this.full) {
      const next = this.#next();
      if (next === undefined) return;
      this.#count(next.sharer, 1);
      this.#active += 1;
      next.lend = setTimeout(() => this.#lend(next), this.#options.lendAfterMs).unref();
      next.begin();
    }
  }

  /**
   * Takes the one whose turn it is from those that wait. Only tenants and targets that hold places can be passed
   * over, so it is found soon however many wait.
   */
  #next(): One | undefined {
    for (const [tenant, targets] of this.#waiting) {
      if (!this.#tenantMay(tenant)) continue;
      for (const [target, queue] of targets) {
        const [one] = queue;
        if (one === undefined || !this.#targetMay(one.sharer)) continue;
        this.#forget(one);
        // Behind all others, those that wait for the same included.
        if (targets.delete(target)) targets.set(target, queue);
        if (this.#waiting.delete(tenant)) this.#waiting.set(tenant, targets);
        return one;
      }
    }
    return undefined;
  }

  #tenantMay(tenant: string): boolean {
    const ofTenant = this.#byTenant.get(tenant) ?? 0;
    return ofTenant === 0 || ofTenant < (this.#options.most - this.#taken) / PARTS;
  }

  #targetMay(sharer: Sharer): boolean {
    const ofTenant = this.#byTenant.get(sharer.tenant) ?? 0;
    const ofTarget = this.#byTarget.get(targetKey(sharer)) ?? 0;
    return ofTenant === 0 || ofTarget === 0 || ofTarget < this.#options.mostOfTenant - ofTenant;
  }

  #count(sharer: Sharer, change: 1 | -1): void {
    this.#taken += change;
    add(this.#byTenant, sharer.tenant, change);
    add(this.#byTarget, targetKey(sharer), change);
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function targetKey({ tenant, target }: Sharer): string {
  return `${tenant} ${target}`;
}
