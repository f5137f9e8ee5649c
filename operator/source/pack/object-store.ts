import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { TowpathError } from '../../api/errors.ts';
import { BoundedMap } from '../bounded-map.ts';
import type { Limits } from '../limits.ts';
import { onOwnDisk } from '../own-disk.ts';
import { notACommit } from './not-a-commit.ts';
import { checkPack, maxRebuilt } from './pack-check.ts';
import type { PackedObject } from './pack-index.ts';
import { type BaseCache, PackReader } from './pack-reader.ts';
import { WorkBudget } from './work-budget.ts';

export interface CommitInfo {
  /** First line, at most 256 characters. */
  message: string;
  /** `name <email>`, as the commit has it. */
  author: string;
  /** RFC 3339, UTC. */
  committedAt: string;
}

export type EntryType = 'file' | 'directory' | 'symlink' | 'submodule';

export interface TreeEntry {
  name: string;
  /** As Git reads it: 0o100644, 0o100755, 0o120000, 0o040000 or 0o160000, whatever other bits are set. */
  mode: number;
  type: EntryType;
  oid: string;
}

/** Entries in all trees that are kept parsed; some 200 bytes each. */
const maxCachedEntries = 100_000;
const maxCachedCommits = 64;
const maxCachedLinks = 1_000;
const maxCachedLinkBytes = 4_096;

/** Looking at one entry of a tree that is in memory costs as much as copying so many bytes. */
const entryWork = 64;
/** Git need not send it. */
const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** The objects of one repository, in packs of one directory. Lives in a worker. */
export class ObjectStore {
  readonly #directory: string;
  readonly #packs: PackReader;
  readonly #trees = new BoundedMap<string, ParsedTree>(maxCachedEntries, ({ entries }) => entries.length + 1);
  readonly #commits = new BoundedMap<string, { tree: string; commit: CommitInfo }>(maxCachedCommits);
  readonly #linkTargets = new BoundedMap<string, Buffer>(maxCachedLinks);
  #budget = new WorkBudget(0);

  constructor(directory: string, bases: BaseCache) {
    this.#directory = directory;
    this.#packs = new PackReader(directory, bases);
  }

  /** Bytes of packs and indexes in memory. */
  get bytesInMemory(): number {
    return this.#packs.bytesInMemory;
  }

  /** Says how many bytes may be unpacked until the next call. */
  allow(bytes: number): void {
    this.#budget = new WorkBudget(bytes);
  }

  /**
   * Checks and indexes a pack that lies in the directory, so that its objects can be read.
   *
   * @throws TowpathError TooLarge, PackInvalid.
   */
  async addPack(name: string, limits: Limits): Promise<void> {
    this.allow(maxRebuilt * limits.inflatedBytes);
    const path = join(this.#directory, 'objects/pack', name);
    const { objects, index } = await checkPack(await fs.readFile(path), limits, (oid) => this.#find(oid));
    if (objects === 0) return;
    await onOwnDisk('The index of a pack', writeWhole(path.replace(/\.pack$/, '.idx'), index));
    this.#packs.look();
  }

  /** The tree and the description of a commit. @throws TowpathError RefNotFound for the id of a tag. */
  async commit(oid: string): Promise<{ tree: string; commit: CommitInfo }> {
    const cached = this.#commits.get(oid);
    if (cached) return cached;
    const { type, content } = await this.#read(oid);
    if (type === 'tag')
      throw notACommit(oid, /^object ([0-9a-f]{40})$/m.exec(content.toString('latin1'))?.[1]);
    if (type !== 'commit') {
      throw new TowpathError(
        'Person',
        'RefNotFound',
        `${oid} is a ${type}, not a commit. Name a commit in spec.source.ref.`,
      );
    }
    const parsed = parseCommit(content);
    this.#commits.set(oid, parsed);
    return parsed;
  }

  async tree(oid: string): Promise<TreeEntry[]> {
    return (await this.#tree(oid)).entries;
  }

  /** The entry of a name in a tree. */
  async entry(tree: string, name: string): Promise<TreeEntry | undefined> {
    const found = await this.#tree(tree, 1);
    found.byName ??= indexByName(found.entries);
    return found.byName.get(name);
  }

  /** What a symlink says. */
  async linkTarget(oid: string): Promise<Buffer> {
    const cached = this.#linkTargets.get(oid);
    if (cached) return cached;
    const target = await this.blob(oid);
    if (target.length <= maxCachedLinkBytes) this.#linkTargets.set(oid, target);
    return target;
  }

  async blob(oid: string): Promise<Buffer> {
    const { type, content } = await this.#read(oid);
    if (type !== 'blob') throw damaged(`${oid} is a ${type}, where a blob is expected`);
    return content;
  }

  async #tree(oid: string, looks?: number): Promise<ParsedTree> {
    let tree = this.#trees.get(oid);
    if (!tree) {
      const { type, content } = await this.#read(oid);
      if (type !== 'tree') throw damaged(`${oid} is a ${type}, where a tree is expected`);
      tree = { entries: parseTree(content) };
      this.#trees.set(oid, tree);
    }
    this.#budget.spend((looks ?? tree.entries.length) * entryWork);
    return tree;
  }

  async #read(oid: string): Promise<PackedObject> {
    const found = await this.#find(oid);
    if (!found) throw damaged(`the object ${oid} was not sent`);
    return found;
  }

  async #find(oid: string): Promise<PackedObject | undefined> {
    if (oid === emptyTree) return { type: 'tree', content: Buffer.alloc(0) };
    const found = await this.#packs.read(oid, this.#budget);
    if (found) return found;
    // Another worker may have added a pack.
    this.#packs.look();
    return this.#packs.read(oid, this.#budget);
  }
}

/** A tree that was parsed, and its entries by name once one was asked for. */
interface ParsedTree {
  entries: TreeEntry[];
  byName?: Map<string, TreeEntry>;
}

/** Of entries of one name, which no checkout could hold, the first counts. */
function indexByName(entries: readonly TreeEntry[]): Map<string, TreeEntry> {
  const byName = new Map<string, TreeEntry>();
  for (const entry of entries) if (!byName.has(entry.name)) byName.set(entry.name, entry);
  return byName;
}

/** gitformat: header lines, an empty line, the message. */
export function parseCommit(object: Buffer): { tree: string; commit: CommitInfo } {
  const text = object.toString('utf8');
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const lines = head.split('\n');
  const line = (name: string) =>
    lines.find((each) => each.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
  const tree = line('tree');
  if (!/^[0-9a-f]{40}$/.test(tree)) throw damaged('a commit names no tree');
  const seconds = Number(/ (\d{1,20}) [+-]\d{4}$/.exec(line('committer'))?.[1] ?? 0);
  const message =
    end < 0
      ? ''
      : (text
          .slice(end + 2)
          .trimStart()
          .split('\n', 1)[0] ?? '');
  return {
    tree,
    commit: {
      message: message.trim().slice(0, 256),
      author: line('author')
        .replace(/ \d{1,20} [+-]\d{4}$/, '')
        .slice(0, 256),
      committedAt: timestamp(seconds),
    },
  };
}

function timestamp(seconds: number): string {
  const date = new Date(Math.min(seconds, 253_402_300_799) * 1000);
  return date.toISOString().replace('.000Z', 'Z');
}

/** A tree object: `<octal mode> <name>\0<20 bytes of id>`, again and again. */
function parseTree(object: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < object.length; ) {
    const space = object.indexOf(0x20, at);
    const end = object.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > object.length) throw damaged('a tree is cut short');
    const digits = object.toString('latin1', at, Math.min(space, at + 12));
    if (!/^[0-7]{1,11}$/.test(digits)) throw damaged('an entry of a tree has no mode');
    entries.push({
      name: object.toString('utf8', space + 1, end),
      ...kindOf(Number.parseInt(digits, 8)),
      oid: object.toString('hex', end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

/** Old tools wrote 100664 and the like; of a file's bits Git minds who owns it may execute, and of others none. */
function kindOf(mode: number): Pick<TreeEntry, 'mode' | 'type'> {
  switch (mode & 0o170000) {
    case 0o100000:
      return { mode: mode & 0o100 ? 0o100755 : 0o100644, type: 'file' };
    case 0o040000:
      return { mode: 0o040000, type: 'directory' };
    case 0o120000:
      return { mode: 0o120000, type: 'symlink' };
    default:
      return { mode: 0o160000, type: 'submodule' };
  }
}

function damaged(what: string): TowpathError {
  return new TowpathError(
    'Time',
    'RepositoryDamaged',
    `The repository's objects do not fit together: ${what}. They are fetched anew; if this stays, check the repository with "git fsck" on the server.`,
  );
}

/** A file that is there as a whole, or not at all: with half an index, of a full disk, no pack beside it could be read. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await fs.writeFile(partial, bytes, { mode: 0o600 });
    await fs.rename(partial, path);
  } catch (error) {
    await fs.rm(partial, { force: true }).catch(() => undefined);
    throw error;
  }
}
