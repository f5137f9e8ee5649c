/** What waits: `First` is what a person asked for, or is on its way, and goes before all others. */
export type Rank = 'First' | 'InTurn';

/** So many that are first may go before one that waits in turn: however many they are, it has its turn. */
const FIRST_IN_A_ROW = 3;

/** Keys that wait: those that are first before the others, and of each kind tenant by tenant. */
export class WaitingLine {
  readonly #lines: Readonly<Record<Rank, TenantLine>>;
  /** Of those that are first, how many went before one that waits in turn. */
  #inARow = 0;

  constructor(tenantOf: (key: string) => string) {
    this.#lines = { First: new TenantLine(tenantOf), InTurn: new TenantLine(tenantOf) };
  }

  get size(): number {
    return this.#lines.First.size + this.#lines.InTurn.size;
  }

  add(key: string, rank: Rank): void {
    this.#lines[rank].add(key);
  }

  /** Has a key that waits in turn wait with those that are first. */
  bringForward(key: string): void {
    if (this.#lines.InTurn.remove(key)) this.#lines.First.add(key);
  }

  /** Takes out the key whose turn it is among the tenants that may be served. */
  next(mayServe: (tenant: string) => boolean): string | undefined {
    const { First, InTurn } = this.#lines;
    const isTurn = this.#inARow >= FIRST_IN_A_ROW;
    const before = isTurn ? InTurn.next(mayServe) : undefined;
    const first = before === undefined ? First.next(mayServe) : undefined;
    this.#inARow = first === undefined || InTurn.size === 0 ? 0 : this.#inARow + 1;
    return before ?? first ?? InTurn.next(mayServe);
  }

  clear(): void {
    for (const line of Object.values(this.#lines)) line.clear();
  }
}

/** Keys by tenant: tenants are served in turn, the keys of each in order. */
class TenantLine {
  readonly #tenantOf: (key: string) => string;
  /** By tenant, the one that was served longest ago first; none without a key. */
  readonly #byTenant = new Map<string, Set<string>>();
  #size = 0;

  constructor(tenantOf: (key: string) => string) {
    this.#tenantOf = tenantOf;
  }

  get size(): number {
    return this.#size;
  }

  add(key: string): void {
    const tenant = this.#tenantOf(key);
    const keys = this.#byTenant.get(tenant) ?? new Set();
    if (keys.has(key)) return;
    keys.add(key);
    this.#byTenant.set(tenant, keys);
    this.#size += 1;
  }

  /** Answers whether it was there. */
  remove(key: string): boolean {
    const tenant = this.#tenantOf(key);
    const keys = this.#byTenant.get(tenant);
    if (keys?.delete(key) !== true) return false;
    if (keys.size === 0) this.#byTenant.delete(tenant);
    this.#size -= 1;
    return true;
  }

  next(mayServe: (tenant: string) => boolean): string | undefined {
    for (const [tenant, keys] of this.#byTenant) {
      if (!mayServe(tenant)) continue;
      const [key] = keys;
      if (key === undefined) continue;
      this.remove(key);
      if (keys.size > 0) {
        this.#byTenant.delete(tenant);
        this.#byTenant.set(tenant, keys);
      }
      return key;
    }
    return undefined;
  }

  clear(): void {
    this.#byTenant.clear();
    this.#size = 0;
  }
}
