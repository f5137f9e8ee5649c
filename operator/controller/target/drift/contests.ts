/** So often in this time by one manager: it is no accident any more, however slow it is. */
const REPAIRS = 3;
const WINDOW_MS = 3_600_000;

interface Contest {
  /** Of the repairs, on a monotonic clock, in milliseconds. */
  at: number[];
  toldAt?: number;
}

/** Remembers what is put back again and again, and tells it once an hour. */
export class Contests {
  readonly #contests = new Map<string, Contest>();

  /** Notes a repair of an object after a change by `manager`; answers whether it is to be told that they fight. */
  note(key: string, manager: string, now: number): boolean {
    for (const [id, { at }] of this.#contests)
      if ((at.at(-1) ?? 0) <= now - WINDOW_MS) this.#contests.delete(id);
    const id = `${manager} ${key}`;
    const contest = this.#contests.get(id) ?? { at: [] };
    this.#contests.set(id, contest);
    contest.at = [...contest.at.slice(1 - REPAIRS), now].filter((at) => at > now - WINDOW_MS);
    const isTold = contest.toldAt !== undefined && contest.toldAt > now - WINDOW_MS;
    if (contest.at.length < REPAIRS || isTold) return false;
    contest.toldAt = now;
    return true;
  }
}
