import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

/** A message of the engine's protocol (engine/frames.go): a JSON header and raw blobs. */
export interface EngineMessage {
  header: Record<string, unknown>;
  blobs: Buffer[];
}

/** How a process came to its end: `exit code 2`, `signal SIGKILL`; '' where that is not known. */
export type EngineEnd = `exit code ${number}` | `signal ${NodeJS.Signals}` | '';

/** The engine's process ended while it worked on a request. */
export class EngineExit extends Error {
  readonly stderr: string;
  /** False where the program could not be started; `stderr` says why then. */
  readonly started: boolean;
  readonly end: EngineEnd;

  constructor({ stderr, started, end = '' }: Pick<EngineExit, 'stderr' | 'started'> & { end?: EngineEnd }) {
    super('the rendering engine ended');
    this.name = 'EngineExit';
    this.stderr = stderr;
    this.started = started;
    this.end = end;
  }
}

const keptStderr = 16_384;
/** Above what the engine's own limits allow, manifests and what it says of them together. */
const MAX_ANSWER_BYTES = 256 * 2 ** 20;
const keptDigests = 200;

/** One engine process: sends a message and waits for the next one. One exchange at a time. */
export class EngineChild {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  #chunks: Buffer[] = [];
  #received = 0;
  #needed = 4;
  #waiting: { resolve: (message: EngineMessage) => void; reject: (error: Error) => void } | undefined;
  #stderr = '';
  #ended = false;
  #end: EngineEnd = '';
  readonly #charts = new Set<string>();
  readonly #exited: Promise<void>;

  /**
   * `limits` in bytes, of processor time in milliseconds; the process gets an empty environment and no descriptor but its stdio.
   *
   * @throws EngineExit where there is no process at all
   */
  constructor(enginePath: string, limits: { cpu: number; memory: number; cache: number; input: number }) {
    const args = [
      `-cpu=${limits.cpu}ms`,
      `-memory=${limits.memory}`,
      `-cache=${limits.cache}`,
      `-input=${limits.input}`,
    ];
    this.#process = spawned(enginePath, args);
    this.#process.stdin.on('error', () => {}); // told by 'close'
    this.#process.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#process.stderr.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < keptStderr) this.#stderr += chunk.toString('latin1');
    });
    this.#exited = new Promise((resolve) => {
      this.#process.on('error', (error) => {
        this.#stderr += error.message;
        this.#close();
        resolve();
      });
      this.#process.on('close', (code, signal) => {
        if (signal !== null) this.#end = `signal ${signal}`;
        else if (code !== null) this.#end = `exit code ${code}`;
        this.#close();
        resolve();
      });
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes that the process has in memory; 0 where it ended, and where the system does not tell. */
  get residentBytes(): number {
    if (this.#ended || this.#process.pid === undefined) return 0;
    try {
      const status = readFileSync(`/proc/${this.#process.pid}/status`, 'latin1');
      return 1024 * Number(/^VmRSS:[\t ]{1,80}(\d{1,20}) kB$/m.exec(status)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** Whether the process was lately given the chart, and so probably has it in memory. */
  hasSeen(digest: string): boolean {
    return this.#charts.has(digest);
  }

  sawChart(digest: string): void {
    if (this.#charts.size >= keptDigests) this.#charts.clear();
    this.#charts.add(digest);
  }

  /** @throws EngineExit where the process ends before it answers. */
  exchange(header: Record<string, unknown>, blobs: readonly Uint8Array[] = []): Promise<EngineMessage> {
    if (this.#ended) return Promise.reject(this.#exit());
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const text = Buffer.from(JSON.stringify({ ...header, blobs: blobs.map((blob) => blob.length) }));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      this.#process.stdin.cork();
      this.#process.stdin.write(length);
      this.#process.stdin.write(text);
      for (const blob of blobs) if (blob.length > 0) this.#process.stdin.write(blob);
      this.#process.stdin.uncork();
    });
  }

  /** Ends the process at once; an exchange under way is rejected. */
  async kill(): Promise<void> {
    // At once: it must not be taken for one that can be asked, whatever is in the pipe.
    this.#ended = true;
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  #exit(): EngineExit {
    return new EngineExit({
      stderr: this.#stderr,
      started: this.#process.pid !== undefined,
      end: this.#end,
    });
  }

  #close(): void {
    this.#ended = true;
    this.#waiting?.reject(this.#exit());
    this.#waiting = undefined;
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
    while (this.#received >= this.#needed && !this.#ended) {
      const all = this.#chunks.length === 1 ? (this.#chunks[0] ?? chunk) : Buffer.concat(this.#chunks);
      this.#chunks = [all];
      const message = this.#parseOrKill(all);
      if (message === undefined) continue;
      const nextBytes = all.subarray(this.#needed);
      this.#chunks = nextBytes.length > 0 ? [nextBytes] : [];
      this.#received = nextBytes.length;
      this.#needed = 4;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(message);
      if (this.#received === 0) return;
    }
  }

  /** What cannot be an answer comes from a process that runs wild: it is not trusted to come to an end. */
  #parseOrKill(all: Buffer): EngineMessage | undefined {
    try {
      const message = this.#parse(all);
      if (this.#needed <= MAX_ANSWER_BYTES) return message;
      this.#stderr += `an answer of ${this.#needed} bytes`;
    } catch (error) {
      this.#stderr += `an answer that cannot be read: ${error instanceof Error ? error.message : error}`;
    }
    void this.kill();
    return undefined;
  }

  /** The message, once all of it is there; else notes how many bytes are needed for the next part. */
  #parse(all: Buffer): EngineMessage | undefined {
    const headerEnd = 4 + all.readUInt32BE(0);
    if (all.length < headerEnd) {
      this.#needed = headerEnd;
      return undefined;
    }
    const header = JSON.parse(all.toString('utf8', 4, headerEnd)) as Record<string, unknown>;
    const lengths = (header.blobs ?? []) as number[];
    const end = lengths.reduce((sum, length) => sum + length, headerEnd);
    this.#needed = end;
    if (all.length < end) return undefined;
    const blobs: Buffer[] = [];
    let at = headerEnd;
    for (const length of lengths) {
      blobs.push(all.subarray(at, at + length));
      at += length;
    }
    return { header, blobs };
  }
}

/** Some failures to start are told by an event later, which the caller hears; these are not. */
function spawned(path: string, args: readonly string[]): ChildProcessByStdio<Writable, Readable, Readable> {
  let child: ChildProcessByStdio<Writable, Readable, Readable>;
  try {
    child = spawn(path, args, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    throw new EngineExit({ stderr: error instanceof Error ? error.message : String(error), started: false });
  }
  // Against its type: without descriptors for pipes there are none, and an event that would end the operator.
  if ((child.stdin as Writable | undefined) === undefined) {
    child.on('error', () => undefined);
    throw new EngineExit({ stderr: 'the operator has too many files open', started: false });
  }
  return child;
}
