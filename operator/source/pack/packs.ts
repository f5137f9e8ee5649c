import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { TowpathError } from '../../api/errors.ts';
import { type Credential, quoted } from '../credential.ts';
import type { Arrival, ArrivalOwner, DiskSpace } from '../disk-space.ts';
import type { Limits } from '../limits.ts';
import { onOwnDisk } from '../own-disk.ts';
import { type Advertisement, RemoteRefusal } from '../wire/advertisement.ts';
import { type FetchRequest, fetchPack, type PackFile } from '../wire/fetch-pack.ts';
import type { Transport } from '../wire/transport.ts';
import type { RunWork } from '../work.ts';

const maxHaves = 16;

/** What of a commit's history is fetched: all of it, or nothing but the commit, as `git fetch --depth 1` does. */
export type History = 'Full' | 'Shallow';

export interface PacksSettings {
  directory: string;
  history: History;
  limits: Limits;
  run: RunWork;
  /** The room that all repositories share, and whose part of it these packs take. */
  space: DiskSpace;
  of: ArrivalOwner;
}

/** What is known of one repository's objects on disk: packs in one directory, and the commits they complete. */
export class Packs {
  readonly directory: string;
  readonly history: History;
  /** Bytes on disk, the indexes among them. */
  bytes = 0;
  lastUsed = performance.now();
  readonly #commits = new Set<string>();
  readonly #limits: Limits;
  readonly #run: RunWork;
  readonly #space: DiskSpace;
  readonly #of: ArrivalOwner;
  #count = 0;
  #isRemoved = false;

  constructor({ directory, history, limits, run, space, of }: PacksSettings) {
    this.directory = directory;
    this.history = history;
    this.#limits = limits;
    this.#run = run;
    this.#space = space;
    this.#of = of;
  }

  /** Whether more packs should go elsewhere. */
  get isFull(): boolean {
    return this.#count >= this.#limits.packs || this.bytes > this.#limits.packBytes;
  }

  async has(commit: string, signal?: AbortSignal): Promise<boolean> {
    if (this.#commits.has(commit)) return true;
    if (this.history === 'Shallow') return false;
    const input = { directory: this.directory, limits: this.#limits, oid: commit };
    const found = await this.#run('commit', input, signal).catch(() => undefined);
    signal?.throwIfAborted();
    if (found) this.#commits.add(commit);
    return found !== undefined;
  }

  /**
   * Fetches what `wants` name on top of what is there.
   *
   * @param commits that the wants lead to; they are complete afterwards.
   * @returns bytes of the pack.
   */
  async fetch(
    transport: Transport,
    advertisement: Advertisement,
    wants: readonly string[],
    commits: readonly string[],
    signal: AbortSignal,
  ): Promise<number> {
    const directory = join(this.directory, 'objects/pack');
    await onOwnDisk(`What comes of ${this.#of.where}`, mkdir(directory, { recursive: true, mode: 0o700 }));
    const path = join(directory, `pack-${this.#count++}.pack`);
    const haves = [...this.#commits].slice(-maxHaves);
    const request: FetchRequest = {
      wants,
      haves,
      shallows: this.history === 'Full' ? [] : haves,
      depth: this.history === 'Full' ? undefined : 1,
    };
    const bytes = await this.#add(path, signal, (file, until) =>
      fetchPack(transport, advertisement.capabilities, request, file, this.#limits, until),
    );
    // What was asked for by its id may be no commit, and a server refuses every fetch that names such as shallow.
    if (this.history === 'Shallow') {
      for (const oid of commits)
        await this.#run('commit', { directory: this.directory, limits: this.#limits, oid });
    }
    for (const commit of commits) this.#commits.add(commit);
    return bytes;
  }

  /** Has a pack come to that path, and its index made. @returns bytes of the pack. */
  async #add(
    path: string,
    signal: AbortSignal,
    fetch: (file: PackFile, until: AbortSignal) => Promise<number>,
  ): Promise<number> {
    const arrival = this.#space.begin(this.#of);
    try {
      const file = { path, where: this.#of.where, grow: (more: number) => arrival.grow(more) };
      const bytes = await fetch(file, AbortSignal.any([signal, arrival.signal]));
      arrival.received();
      const input = { directory: this.directory, name: basename(path), bytes, limits: this.#limits };
      await this.#run('addPack', input);
      // A pack of many small objects has an index that is larger than itself.
      const index = await stat(path.replace(/\.pack$/, '.idx')).catch(() => undefined);
      this.#keep(arrival, bytes + (index?.size ?? 0));
      return bytes;
    } catch (error) {
      arrival.drop();
      await rm(path, { force: true }).catch(() => undefined);
      arrival.signal.throwIfAborted();
      throw error;
    }
  }

  #keep(arrival: Arrival, bytes: number): void {
    arrival.keep(bytes);
    this.bytes += bytes;
    // Removed while it came, because what lay there could not be relied on: nobody else would do it again.
    if (this.#isRemoved) void this.remove().catch(() => undefined);
  }

  /** Gives their room back; who calls it removes them. */
  giveUp(): void {
    this.#space.free(this.#of.tenant, this.bytes);
    this.bytes = 0;
  }

  async remove(): Promise<void> {
    this.#commits.clear();
    this.giveUp();
    this.#isRemoved = true;
    await rm(this.directory, { recursive: true, force: true });
    // Afterwards: a read in between would have what is forgotten in memory again.
    await this.#run('forget', { directory: this.directory }).catch(() => undefined);
  }
}

/** What a server said in Git's protocol, as an error for the user. */
export function refusalError(
  error: unknown,
  host: string,
  where: string,
  credential: Credential | undefined,
): unknown {
  if (!(error instanceof RemoteRefusal)) return error;
  const said = quoted(error.message, credential);
  if (/not found|not exist|does not appear|no such|not exported/i.test(said)) {
    return new TowpathError(
      'Person',
      'RepositoryNotFound',
      `There is no repository at ${where}, or the credential may not read it. Check spec.source.repoURL and the Secret that spec.source.secretRef names. The server says: ${said}`,
    );
  }
  if (/denied|permission|forbidden|not allowed to|unauthorized/i.test(said)) {
    return new TowpathError(
      'Person',
      'AuthenticationFailed',
      `The Git server ${host} does not let the credential read ${where}. Check its rights. The server says: ${said}`,
    );
  }
  return new TowpathError(
    'Time',
    'ServerError',
    `The Git server ${host} refuses the request for ${where}: ${said || 'without a reason'}. It is tried again.`,
  );
}
