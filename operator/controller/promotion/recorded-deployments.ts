type Known = Readonly<{ id: number; startedAt: string }>;

/** Of which deployments, that the records of their targets still have, the ledger is known to tell how they ended. */
export class RecordedDeployments {
  /** What their Promotions are called, as far as that is known, by target, and by id and start. */
  readonly #byTarget = new Map<string, Map<string, string | undefined>>();

  has(target: string, one: Known): boolean {
    return this.#byTarget.get(target)?.has(keyOf(one)) === true;
  }

  /** What its Promotion is called; undefined: that is not known. */
  nameOf(target: string, one: Known): string | undefined {
    return this.#byTarget.get(target)?.get(keyOf(one));
  }

  /** @param name of its Promotion, where that is known */
  add(target: string, one: Known, name = this.nameOf(target, one)): void {
    const its = this.#byTarget.get(target) ?? new Map<string, string | undefined>();
    this.#byTarget.set(target, its.set(keyOf(one), name));
  }

  /** Nobody asks about others of that target any more. */
  keep(target: string, deployments: readonly Known[]): void {
    const its = this.#byTarget.get(target);
    if (its === undefined) return;
    const kept = new Set(deployments.map(keyOf));
    for (const key of its.keys()) if (!kept.has(key)) its.delete(key);
    if (its.size === 0) this.#byTarget.delete(target);
  }

  clear(): void {
    this.#byTarget.clear();
  }
}

/** One that left its Application and came back counts from 1 again, and so does another Application of the name. */
function keyOf({ id, startedAt }: Known): string {
  return `${id} ${startedAt}`;
}
