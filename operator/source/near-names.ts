/** Names of more characters are compared by their first ones. */
const COMPARED = 64;
const NAMES = 5_000;
/** Comparisons of two characters in all: some milliseconds (A15). Names for which none are left are passed over. */
const STEPS = 1_000_000;

/** Those that are like the wanted name, the nearest first. */
export function nearNames(wanted: string, names: readonly string[]): string[] {
  const lower = wanted.toLowerCase();
  const furthest = Math.max(2, Math.floor(wanted.length / 3));
  const comparison = new Comparison(lower.slice(0, COMPARED));
  const near: { name: string; distance: number }[] = [];
  for (const name of names.slice(0, NAMES)) {
    const other = name.toLowerCase();
    const distance = comparison.distance(other.slice(0, COMPARED), furthest);
    if (distance <= furthest || contains(other, lower)) near.push({ name, distance });
  }
  return near.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1)).map(({ name }) => name);
}

function contains(name: string, wanted: string): boolean {
  return wanted.length >= 3 && name.includes(wanted);
}

/** Levenshtein's distance from one text, with a bound on all that is compared. */
class Comparison {
  readonly #from: string;
  #left = STEPS;

  constructor(from: string) {
    this.#from = from;
  }

  /** Infinity where it is more than the furthest. */
  distance(to: string, furthest: number): number {
    const from = this.#from;
    if (Math.abs(from.length - to.length) > furthest) return Number.POSITIVE_INFINITY;
    let row = Array.from({ length: to.length + 1 }, (_, index) => index);
    for (let i = 1; i <= from.length; i++) {
      this.#left -= to.length;
      if (this.#left < 0) return Number.POSITIVE_INFINITY;
      const next = [i];
      let least = i;
      for (let j = 1; j <= to.length; j++) {
        const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
        const cell = Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
        next.push(cell);
        least = Math.min(least, cell);
      }
      // No row's least is less than that of the row before.
      if (least > furthest) return Number.POSITIVE_INFINITY;
      row = next;
    }
    return row[to.length] ?? 0;
  }
}
