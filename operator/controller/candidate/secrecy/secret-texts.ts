/** Shorter values are words like `true` and `80`: no secrets, and messages need them. The engine's limit too. */
const LEAST = 4;
/** Of a message that much is told, and of a secret that much searched for. */
const LONGEST = 2048;

/**
 * Texts that nobody may read, however many: each place of a message is looked up among them by bisection, so
 * that the time it takes hardly grows with them.
 */
export class SecretTexts {
  readonly #beginnings = new Set<string>();
  /** In order, so that those that begin alike stand together. */
  readonly #sorted: readonly string[];
  /** Of each the longest other one that it begins with, by index; -1: none. */
  readonly #within: Int32Array;

  constructor(texts: Iterable<string>) {
    const long = [...texts].filter((text) => text.length >= LEAST).map((text) => text.slice(0, LONGEST));
    this.#sorted = [...new Set(long)].sort();
    this.#within = new Int32Array(this.#sorted.length);
    const open: number[] = [];
    for (const [index, text] of this.#sorted.entries()) {
      this.#beginnings.add(text.slice(0, LEAST));
      while (open.length > 0 && !text.startsWith(this.#sorted[open.at(-1) ?? 0] ?? '')) open.pop();
      this.#within[index] = open.at(-1) ?? -1;
      open.push(index);
    }
  }

  /**
   * The text with `***` in place of each secret, the longest first, and of what is left of one that was cut off
   * (`…`); a long text is cut.
   */
  hideIn(message: string): string {
    const end = Math.min(message.length, LONGEST);
    // A secret that begins at the very end is still seen whole.
    const text = message.slice(0, end + LONGEST);
    let hidden = '';
    let at = 0;
    while (at < end) {
      const length = Math.max(this.#lengthAt(text, at), this.#cutLengthAt(text, at));
      hidden += length === 0 ? text.charAt(at) : '***';
      at += Math.max(1, length);
    }
    return at < message.length ? `${hidden}…` : hidden;
  }

  /** Length of the longest secret that stands at a place; 0: none. */
  #lengthAt(text: string, at: number): number {
    if (!this.#beginnings.has(text.slice(at, at + LEAST))) return 0;
    const tail = text.slice(at, at + LONGEST);
    // The last that is not behind `rest` begins with the longest that `rest` begins with, or is it.
    for (
      let index = this.#firstWhere((secret) => secret > tail) - 1;
      index >= 0;
      index = this.#within[index] ?? -1
    ) {
      const secret = this.#sorted[index] ?? '';
      if (tail.startsWith(secret)) return secret.length;
    }
    return 0;
  }

  /** Length of a secret's beginning that stands at a place, before the mark of what was cut off; 0: none. */
  #cutLengthAt(text: string, at: number): number {
    if (!this.#beginnings.has(text.slice(at, at + LEAST))) return 0;
    const end = text.indexOf('…', at);
    if (end < 0 || end - at > LONGEST) return 0;
    const begun = text.slice(at, end);
    // Those that begin so stand behind it.
    const next = this.#sorted[this.#firstWhere((secret) => secret >= begun)];
    return next?.startsWith(begun) === true ? begun.length : 0;
  }

  /** By bisection: `holds` is false of all before. */
  #firstWhere(holds: (secret: string) => boolean): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#sorted[middle] ?? '')) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
