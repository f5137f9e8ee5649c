import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { type Arrival, DiskSpace, type Occupant } from '../disk-space.ts';
import { onOwnDisk } from '../own-disk.ts';
import { asBeginning } from './https-files.ts';

interface CachedFile {
  name: string;
  tenant: string;
  path: string;
  bytes: number;
  /** SHA-256, in hexadecimal. */
  digest: string;
  /** The later, the greater. */
  lastUsed: number;
}

/** A file that is to come. */
export interface WantedFile {
  /** Who waits for it: it counts as of the one among them who has least coming. */
  tenants: Iterable<string>;
  /** What it is, for messages: `index.yaml of https://charts.example.com`. */
  what: string;
  /**
   * Has it come; undefined: there is nothing to keep.
   *
   * @param room is aborted where it has to make room for others.
   */
  open(room: AbortSignal): Promise<AsyncIterable<Buffer> | undefined>;
  /** What it is kept as; what this throws is thrown, and nothing kept. */
  nameOf(digest: string): string;
}

/** Bytes that are read, and worked on, at once: as many lines take a few milliseconds. */
const CHUNK = 32 * 1024;

/** Files on disk within a bound, those that are coming with them, which tenants share as `DiskSpace` says. */
export class FileCache {
  readonly #directory: string;
  readonly #space: DiskSpace;
  readonly #slices: Slices;
  readonly #files = new Map<string, CachedFile>();
  readonly #byTenant = new Map<string, TenantFiles>();
  /** What takes no room any more, and is being removed. */
  readonly #going = new Set<Promise<void>>();
  #count = 0;
  #uses = 0;

  constructor(directory: string, limit: number, slices: Slices) {
    this.#directory = directory;
    const use = { reason: 'ChartCacheFull', of: 'chart repositories' } as const;
    this.#space = new DiskSpace(limit, use, () => this.#byTenant.values());
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
   * Keeps what comes.
   *
   * @throws TowpathError ChartCacheFull where it had to make room for others; RepositoryDamaged where the disk fails; what
   * `open`, the chunks and `nameOf` throw.
   */
  async add({ tenants, what, open: begin, nameOf }: WantedFile): Promise<void> {
    const tenant = this.#space.leastOf(tenants);
    const arrival = this.#space.begin({ tenant, where: what });
    const path = join(this.#directory, String(this.#count++));
    const partial = `${path}.partial`;
    try {
      const chunks = await begin(arrival.signal);
      if (chunks === undefined) return;
      const onDisk = <T>(done: Promise<T>) => onOwnDisk(asBeginning(what), done);
      const digest = await this.#write(arrival, chunks, partial, onDisk);
      const name = nameOf(digest);
      await onDisk(rename(partial, path));
      this.#delete(this.#files.get(name));
      this.#use({ name, tenant, path, bytes: arrival.bytes, digest, lastUsed: 0 });
      arrival.keep(arrival.bytes);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => undefined);
      arrival.signal.throwIfAborted();
      throw error;
    } finally {
      arrival.drop();
    }
  }

  /** Returns the digest of what came. */
  async #write(
    arrival: Arrival,
    chunks: AsyncIterable<Buffer>,
    path: string,
    onDisk: <T>(done: Promise<T>) => Promise<T>,
  ): Promise<string> {
    const hash = createHash('sha256');
    const file = await onDisk(open(path, 'wx', 0o600));
    try {
      for await (const chunk of chunks) {
        arrival.grow(chunk.length);
        await Promise.all(this.#going);
        hash.update(chunk);
        await onDisk(file.writeFile(chunk));
      }
    } finally {
      await onDisk(file.close());
    }
    arrival.received();
    return hash.digest('hex');
  }

  /**
   * The file chunk by chunk; undefined where it is not there, or cannot be read. What is no more what was kept is found out
   * at its end.
   */
  async read(name: string, take: (chunk: Buffer) => void): Promise<'Read' | undefined> {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    this.#use(file);
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
      await handle?.close().catch(() => undefined);
    }
    if (hash.digest('hex') === file.digest) return 'Read';
    if (this.#files.get(name) === file) this.#delete(file);
    return undefined;
  }

  #use(file: CachedFile): void {
    file.lastUsed = this.#uses++;
    this.#files.set(file.name, file);
    const { tenant } = file;
    const ofTenant = this.#byTenant.get(tenant) ?? new TenantFiles(tenant, (oldest) => this.#delete(oldest));
    this.#byTenant.set(tenant, ofTenant);
    ofTenant.use(file);
  }

  #delete(file: CachedFile | undefined): void {
    if (file === undefined || !this.#files.delete(file.name)) return;
    const { tenant, path, bytes } = file;
    const ofTenant = this.#byTenant.get(tenant);
    ofTenant?.forget(file);
    if (ofTenant?.isEmpty === true) this.#byTenant.delete(tenant);
    this.#space.free(tenant, bytes);
    const going = rm(path, { force: true })
      .catch(() => undefined)
      .finally(() => this.#going.delete(going));
    this.#going.add(going);
  }
}

/** What came for one tenant, of which that goes first which was not used for longest. */
class TenantFiles implements Occupant {
  readonly tenant: string;
  readonly isIdle = true;
  readonly #evict: (file: CachedFile) => void;
  /** In the order of their last use. */
  readonly #files = new Set<CachedFile>();
  #bytes = 0;

  constructor(tenant: string, evict: (file: CachedFile) => void) {
    this.tenant = tenant;
    this.#evict = evict;
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  get cached(): { bytes: number; lastUsed: number } {
    const [oldest] = this.#files;
    return { bytes: this.#bytes, lastUsed: oldest?.lastUsed ?? 0 };
  }

  use(file: CachedFile): void {
    if (!this.#files.delete(file)) this.#bytes += file.bytes;
    this.#files.add(file);
  }

  forget(file: CachedFile): void {
    if (this.#files.delete(file)) this.#bytes -= file.bytes;
  }

  evict(): void {
    const [oldest] = this.#files;
    if (oldest !== undefined) this.#evict(oldest);
  }
}

async function* chunksOf(handle: Awaited<ReturnType<typeof open>> | undefined): AsyncGenerator<Buffer> {
  if (handle === undefined) return;
  for (;;) {
    const read = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK).catch(() => undefined);
    if (read === undefined || read.bytesRead === 0) return;
    yield read.buffer.subarray(0, read.bytesRead);
  }
}
