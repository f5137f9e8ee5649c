/** Bound of one line of a watch; etcd takes objects of 1.5 MiB. */
const MAX_LINE_BYTES = 16 * 2 ** 20;

/** Chunks as UTF-8 text. */
export function joined(chunks: Buffer[]): string {
  const [first] = chunks;
  if (first === undefined) return '';
  return chunks.length === 1 ? first.toString() : Buffer.concat(chunks).toString();
}

/** How more of a stream is kept from coming. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** Hands lines on, each when the one before was taken in; until then no more are read. */
export class LineFeed {
  readonly #onLine: (line: string) => Promise<void> | undefined;
  readonly #flow: Flow;
  #waiting: string[] = [];
  #isHeld = false;
  #isOver = false;

  constructor(onLine: (line: string) => Promise<void> | undefined, flow: Flow) {
    this.#onLine = onLine;
    this.#flow = flow;
  }

  add(line: string): void {
    if (this.#isHeld) {
      this.#waiting.push(line);
      return;
    }
    const taken = this.#onLine(line);
    if (taken !== undefined) void this.#hold(taken);
  }

  /** What was not handed on is not any more. */
  end(): void {
    this.#isOver = true;
    this.#waiting = [];
  }

  async #hold(first: Promise<void>): Promise<void> {
    this.#isHeld = true;
    this.#flow.pause();
    await first;
    // What one read brought; more is not read meanwhile.
    for (let lines = this.#take(); lines.length > 0; lines = this.#take()) {
      for (const line of lines) {
        if (this.#isOver) return;
        await this.#onLine(line);
      }
    }
    this.#isHeld = false;
    this.#flow.resume();
  }

  #take(): string[] {
    const lines = this.#waiting;
    this.#waiting = [];
    return lines;
  }
}

/** Cuts a stream of bytes into lines. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #unfinished: Buffer[] = [];
  #unfinishedSize = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** False when a line exceeds the bound. */
  push(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#unfinished.push(chunk.subarray(start, end));
      const line = joined(this.#unfinished);
      this.#unfinished = [];
      this.#unfinishedSize = 0;
      start = end + 1;
      if (line !== '') this.#onLine(line);
    }
    if (start < chunk.length) {
      this.#unfinished.push(chunk.subarray(start));
      this.#unfinishedSize += chunk.length - start;
    }
    return this.#unfinishedSize <= MAX_LINE_BYTES;
  }
}
