/** Bound of one line of a watch; etcd takes objects of 1.5 MiB. */
const MAX_LINE_BYTES = 16 * 2 ** 20;

/** Chunks as UTF-8 text. */
export function joined(chunks: Buffer[]): string {
  const [first] = chunks;
  if (first === undefined) return '';
  return chunks.length === 1 ? first.toString() : Buffer.concat(chunks).toString();
}

/** Cuts a stream of bytes into lines. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest: Buffer[] = [];
  #restSize = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** False when a line exceeds the bound. */
  push(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#rest.push(chunk.subarray(start, end));
      const line = joined(this.#rest);
      this.#rest = [];
      this.#restSize = 0;
      start = end + 1;
      if (line !== '') this.#onLine(line);
    }
    if (start < chunk.length) {
      this.#rest.push(chunk.subarray(start));
      this.#restSize += chunk.length - start;
    }
    return this.#restSize <= MAX_LINE_BYTES;
  }
}
