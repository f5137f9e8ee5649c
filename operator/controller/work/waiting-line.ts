/** Keys that wait, by tenant: tenants are served in turn, the keys of each in order. */
export class WaitingLine {
  readonly #tenantOf: (key: string) => string;
  /** By tenant, the one that was served longest ago first; none without a key. */
  readonly #byTenant = new Map<string, string[]>();
  #size = 0;

  constructor(tenantOf: (key: string) => string) {
    this.#tenantOf = tenantOf;
  }

  get size(): number {
    return this.#size;
  }

  add(key: string): void {
    const tenant = this.#tenantOf(key);
    const keys = this.#byTenant.get(tenant) ?? [];
    keys.push(key);
    this.#byTenant.set(tenant, keys);
    this.#size += 1;
  }

  /** Takes out the key whose turn it is among the tenants that may be served. */
  next(mayServe: (tenant: string) => boolean): string | undefined {
    for (const [tenant, keys] of this.#byTenant) {
      if (!mayServe(tenant)) continue;
      const key = keys.shift();
      this.#byTenant.delete(tenant);
      if (keys.length > 0) this.#byTenant.set(tenant, keys);
      this.#size -= 1;
      return key;
    }
    return undefined;
  }

  clear(): void {
    this.#byTenant.clear();
    this.#size = 0;
  }
}
