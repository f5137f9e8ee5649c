type Known = Readonly<{ id: number; startedAt: string }>;

/** Of which deployments, that the records of their targets still have, the ledger is known to tell how they ended. */
export class RecordedDeployments {
  /** Their starts by target and id: one that left its Application and came back counts from 1 again. */
  readonly #byTarget = new Map<string, Map<number, { startedAt: string; name?: string }>>();

  has(target: string, { id, startedAt }: Known): boolean {
    return this.#byTarget.get(target)?.get(id)?.startedAt === startedAt;
  }

  /** What its Promotion is called; undefined: that is not known. */
  nameOf(target: string, { id, startedAt }: Known): string | undefined {
    const one = this.#byTarget.get(target)?.get(id);
    return one?.startedAt === startedAt ? one.name : undefined;
  }

  /** @param name of its Promotion, where that is known */
  add(target: string, { id, startedAt }: Known, name?: string): void {
    const its = this.#byTarget.get(target) ?? new Map<number, { startedAt: string; name?: string }>();
    this.#byTarget.set(target, its.set(id, { startedAt, ...(name === undefined ? {} : { name }) }));
  }

  /** Nobody asks about others of that target any more. */
  keep(target: string, deployments: readonly Known[]): void {
    const its = this.#byTarget.get(target);
    if (its === undefined) return;
    const ids = new Set(deployments.map(({ id }) => id));
    for (const id of its.keys()) if (!ids.has(id)) its.delete(id);
    if (its.size === 0) this.#byTarget.delete(target);
  }

  clear(): void {
    this.#byTarget.clear();
  }
}
