import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TowpathError } from '../../api/errors.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { size } from '../limits.ts';

interface CachedFile {
  path: string;
  bytes: number;
  /** SHA-256, in hexadecimal. */
  digest: string;
}

/** Bytes that are read, and worked on, at once: as many lines take a few milliseconds. */
const CHUNK = 32 * 1024;

/** Files on disk within a bound, those that are coming with them; those that were not used for longest go first. */
export class FileCache {
  readonly #directory: string;
  readonly #limit: number;
  readonly #slices: Slices;
  /** In the order of their last use. */
  readonly #files = new Map<string, CachedFile>();
  /** On disk, and of these what is coming. */
  #bytes = 0;
  #coming = 0;
  #count = 0;

  constructor(directory: string, limit: number, slices: Slices) {
    this.#directory = directory;
    this.#limit = limit;
    this.#slices = slices;
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** SHA-256 of a file, in hexadecimal; undefined where it is not there. */
  digestOf(name: string): string | undefined {
    return this.#files.get(name)?.digest;
  }

  /**
   * Keeps what comes under the name that it is given at its end; what has none is not kept.
   *
   * @throws TowpathError ChartCacheFull where all that is coming is more than the bound; what `chunks` throws, what
   * `nameOf` throws, and where the disk fails.
   */
  async add(chunks: AsyncIterable<Buffer>, nameOf: (digest: string) => string): Promise<void> {
    const path = join(this.#directory, String(this.#count++));
    const partial = `${path}.partial`;
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const file = await open(partial, 'wx', 0o600);
      try {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.length;
          await this.#makeRoom(chunk.length, bytes);
          await file.writeFile(chunk);
        }
      } finally {
        await file.close();
      }
      const digest = hash.digest('hex');
      const name = nameOf(digest);
      await rename(partial, path);
      await this.delete(name);
      this.#files.set(name, { path, bytes, digest });
      this.#coming -= bytes;
    } catch (error) {
      this.#coming -= bytes;
      this.#bytes -= bytes;
      await rm(partial, { force: true });
      throw error;
    }
    await this.#evict(this.#files.size - 1);
  }

  /** @param own of the file that they are of, which may alone be larger than the bound. */
  async #makeRoom(bytes: number, own: number): Promise<void> {
    this.#bytes += bytes;
    this.#coming += bytes;
    await this.#evict(this.#files.size);
    if (this.#coming > this.#limit && this.#coming > own)
      throw new TowpathError(
        'Time',
        'ChartCacheFull',
        `What comes of chart repositories at the moment is more than the ${size(this.#limit)} that the operator keeps of them on its disk. It is tried again.`,
      );
  }

  /** The file chunk by chunk; undefined where it is not there. What is no more what was kept is found out at its end. */
  async read(name: string, take: (chunk: Buffer) => void): Promise<'Read' | undefined> {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    this.#files.delete(name);
    this.#files.set(name, file);
    const hash = createHash('sha256');
    const handle = await open(file.path).catch(() => undefined);
    try {
      for await (const chunk of chunksOf(handle)) {
        const pause = this.#slices.pause();
        if (pause !== undefined) await pause;
        hash.update(chunk);
        take(chunk);
      }
    } finally {
      await handle?.close();
    }
    if (hash.digest('hex') === file.digest) return 'Read';
    if (this.#files.get(name) === file) await this.delete(name);
    return undefined;
  }

  async delete(name: string): Promise<void> {
    const file = this.#files.get(name);
    if (file === undefined) return;
    this.#files.delete(name);
    this.#bytes -= file.bytes;
    await rm(file.path, { force: true });
  }

  /** At most so many: what was added last stays, however large it is. */
  async #evict(most: number): Promise<void> {
    for (const name of [...this.#files.keys()].slice(0, most)) {
      if (this.#bytes <= this.#limit) return;
      await this.delete(name);
    }
  }
}

async function* chunksOf(handle: Awaited<ReturnType<typeof open>> | undefined): AsyncGenerator<Buffer> {
  if (handle === undefined) return;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
