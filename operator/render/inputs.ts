import { createHash } from 'node:crypto';
import { sha256 } from '../manifest/digest.ts';
import type { RenderEntry, RenderTree } from './tree.ts';

/** What a render asked a tree, with the answer's fingerprint: the exact inputs of its result. */
export type Trace = ReadonlyMap<string, string>;

type Operation = 'type' | 'oid' | 'names' | 'digest';

/** A result that was read at more places may be about anything in the repository. */
const MOST_PLACES = 64;

/** Reads a tree and notes what was read, so that a result can be reused where the same reads give the same. */
export class TracedReads {
  readonly #tree: RenderTree;
  readonly #trace = new Map<string, string>();
  /** Something was read that is elsewhere than where it was asked for. */
  #hasLinks = false;
  readonly #signal: AbortSignal;

  /** @param signal ends every read once nobody waits for the render any more. */
  constructor(tree: RenderTree, signal: AbortSignal) {
    this.#tree = tree;
    this.#signal = signal;
  }

  get trace(): Trace {
    return this.#trace;
  }

  /**
   * The paths at and below which all was read: what a commit changes elsewhere is no input. Undefined where symlinks were
   * followed, or where they are too many.
   */
  get places(): readonly string[] | undefined {
    if (this.#hasLinks) return undefined;
    const places = new Set([...this.#trace.keys()].map((key) => key.slice(key.indexOf(' ') + 1)));
    const whole = (path: string) => this.#trace.has(`digest ${path}`);
    const least = [...places].filter((path) => !directoriesOf(path).some(whole));
    return least.length > MOST_PLACES ? undefined : least;
  }

  /** Whether a file, a directory or nothing is at the path; what it holds is not an input. */
  async type(path: string): Promise<'file' | 'directory' | undefined> {
    const found = await this.#stat(path);
    this.#note('type', path, found?.type ?? '');
    return found?.type;
  }

  async read(path: string): Promise<Uint8Array> {
    await this.oid(path);
    return this.#tree.read(path, this.#signal);
  }

  async oid(path: string): Promise<string> {
    const oid = (await this.#stat(path))?.oid ?? '';
    this.#note('oid', path, oid);
    return oid;
  }

  /** The names in a directory; what they hold is not an input. */
  async names(path: string): Promise<RenderEntry[]> {
    const entries = await this.#tree.list(path, this.#signal);
    await this.#stat(path);
    this.#note('names', path, namesFingerprint(entries));
    return entries;
  }

  async digest(path: string): Promise<string> {
    const digest = await this.#tree.digest(path, this.#signal);
    await this.#noteDigest(path, digest);
    return digest;
  }

  async readAll(
    path: string,
    filter: { suffixes?: readonly string[] } = {},
  ): ReturnType<RenderTree['readAll']> {
    const all = await this.#tree.readAll(path, { ...filter, signal: this.#signal });
    await this.#noteDigest(path, all.digest);
    return all;
  }

  async #stat(path: string): ReturnType<RenderTree['stat']> {
    const found = await this.#tree.stat(path, this.#signal);
    if (found?.followed === true) this.#hasLinks = true;
    return found;
  }

  /** A directory with symlinks below it has another digest than its own. */
  async #noteDigest(path: string, digest: string): Promise<void> {
    if ((await this.#stat(path))?.oid !== digest) this.#hasLinks = true;
    this.#note('digest', path, digest);
  }

  #note(operation: Operation, path: string, fingerprint: string): void {
    this.#trace.set(`${operation} ${path}`, fingerprint);
  }
}

/** The directories that a path is in, the repository's root too. */
function directoriesOf(path: string): string[] {
  if (path === '') return [];
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index).join('/'));
}

/** Whether the tree answers every read of the trace as it was answered then. */
export async function sameInputs(trace: Trace, tree: RenderTree, signal?: AbortSignal): Promise<boolean> {
  for (const [key, fingerprint] of trace) {
    const at = key.indexOf(' ');
    const now = await fingerprintOf(key.slice(0, at) as Operation, key.slice(at + 1), tree, signal);
    if (now !== fingerprint) return false;
  }
  return true;
}

async function fingerprintOf(
  operation: Operation,
  path: string,
  tree: RenderTree,
  signal: AbortSignal | undefined,
): Promise<string> {
  const found = await tree.stat(path, signal);
  if (operation === 'type') return found?.type ?? '';
  if (operation === 'oid') return found?.oid ?? '';
  if (found?.type !== 'directory') return '';
  return operation === 'digest' ? tree.digest(path, signal) : namesFingerprint(await tree.list(path, signal));
}

function namesFingerprint(entries: readonly RenderEntry[]): string {
  const lines = entries.map((entry) => `${entry.type} ${entry.name}`).sort();
  return sha256(lines.join('\n'));
}

/** The digest of all that was read of the repository. */
export function inputsDigest(trace: Trace): string {
  const hash = createHash('sha256');
  for (const [key, fingerprint] of [...trace].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`\0${key}\0${fingerprint}`);
  return hash.digest('hex');
}
