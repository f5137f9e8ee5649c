import { TowpathError } from '../../api/errors.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { size } from '../limits.ts';
import { malformed, type Packet } from './pkt-line.ts';

/** What a remote has: its refs and what it can do (gitprotocol-pack, "Reference Discovery"). */
export interface Advertisement {
  /** Full ref name → commit; annotated tags peeled. */
  readonly refs: ReadonlyMap<string, string>;
  /** The ref that HEAD names, such as `refs/heads/main`; undefined when detached, absent or not told. */
  readonly head: string | undefined;
  /** The commit of HEAD; undefined when it names a branch that does not exist. */
  readonly headCommit: string | undefined;
  /** Commit → what the server lets us ask for by id to get it: the commit itself, or the annotated tag. */
  readonly wants: ReadonlyMap<string, string>;
  /** An annotated tag's own id → the commit that it stands for. */
  readonly tagged: ReadonlyMap<string, string>;
  readonly capabilities: ReadonlySet<string>;
}

const maxRefs = 200_000;
/** Git's own references to files are shorter, and spec.source.ref takes 250 characters. */
const maxNameBytes = 1_024;
/** Of all lines together: what a server says of its refs is kept in memory. */
export const maxAdvertisementBytes = 64 << 20;

/**
 * Reads an advertisement up to its flush packet.
 *
 * @throws TowpathError ServerError, TooLarge, ObjectFormatUnsupported, or what the server itself said.
 */
export async function readAdvertisement(packets: AsyncIterator<Packet>): Promise<Advertisement> {
  const refs = new Map<string, string>();
  const wants = new Map<string, string>();
  const tagged = new Map<string, string>();
  let capabilities: Set<string> | undefined;
  let atHead: { object: string; commit: string } | undefined;
  let bytes = 0;
  for (let lines = 1; ; lines++) {
    const { value, done } = await packets.next();
    if (done) throw malformed('the list of refs ended early');
    if (value === undefined) break;
    bytes += value.length;
    if (bytes > maxAdvertisementBytes) throw advertisementTooLarge();
    // A tag may have a second line, for what it points at.
    if (lines > 2 * maxRefs) throw tooLarge(`more than ${maxRefs} refs. Delete stale ones`);
    if (startsWith(value, 'ERR ')) throw new RemoteRefusal(value.toString('utf8', 4).replace(/\n$/, ''));
    if (startsWith(value, 'version ') || startsWith(value, 'shallow ')) continue;
    capabilities ??= capabilitiesOf(value);
    const { oid, name } = parseLine(value);
    if (name === 'capabilities^{}') continue;
    if (name === 'HEAD') atHead = { object: oid, commit: oid };
    else if (name === 'HEAD^{}') atHead = { object: atHead?.object ?? oid, commit: oid };
    else if (name.endsWith('^{}')) {
      const tag = name.slice(0, -3);
      const object = refs.get(tag);
      refs.set(tag, oid);
      if (object === undefined) continue;
      if (!wants.has(oid)) wants.set(oid, object);
      wants.delete(object);
      tagged.set(object, oid);
    } else {
      refs.set(name, oid);
      wants.set(oid, oid);
    }
  }
  const headCommit = atHead?.commit;
  if (atHead !== undefined && !wants.has(atHead.commit)) wants.set(atHead.commit, atHead.object);
  const advertised = capabilities ?? new Set<string>();
  const symref = [...advertised].find((capability) => capability.startsWith('symref=HEAD:'));
  return {
    refs,
    head: symref?.slice('symref=HEAD:'.length),
    headCommit,
    wants,
    tagged,
    capabilities: advertised,
  };
}

/** What a Git server said instead of an answer; the transport turns it into an error for the user. */
export class RemoteRefusal extends Error {}

/** So many refs are looked at before others may have a turn. */
export const REFS_A_PIECE = 1_000;

/** Whether both say the same about refs. */
export async function sameRefs(
  left: Advertisement | undefined,
  right: Advertisement,
  slices: Slices,
): Promise<boolean> {
  if (left === undefined || left.refs.size !== right.refs.size) return false;
  if (left.head !== right.head || left.headCommit !== right.headCommit) return false;
  let count = 0;
  for (const [name, oid] of right.refs) {
    if (left.refs.get(name) !== oid) return false;
    count += 1;
    if (count % REFS_A_PIECE === 0) await slices.pause();
  }
  return true;
}

/** `<id> <name>`; what may follow after a NUL is not decoded. */
function parseLine(line: Buffer): { oid: string; name: string } {
  const nul = line.indexOf(0);
  const end = nul >= 0 ? nul : line.at(-1) === 0x0a ? line.length - 1 : line.length;
  const space = line.indexOf(0x20);
  const oid = line.toString('latin1', 0, Math.max(0, Math.min(space, 65)));
  requireOid(oid);
  if (end - space - 1 > maxNameBytes) {
    throw tooLarge(`a ref whose name has more than ${size(maxNameBytes)}. Delete it`);
  }
  return { oid, name: line.toString('utf8', space + 1, end) };
}

/** The first line has them after a NUL. */
function capabilitiesOf(line: Buffer): Set<string> {
  const nul = line.indexOf(0);
  const text = nul < 0 ? '' : line.toString('utf8', nul + 1).replace(/\n$/, '');
  return new Set(text.split(' ').filter(Boolean));
}

function startsWith(line: Buffer, text: string): boolean {
  return line.toString('latin1', 0, text.length) === text;
}

/** The list of refs has more than `maxAdvertisementBytes`. */
export function advertisementTooLarge(): TowpathError {
  return tooLarge(`a list of refs of more than ${size(maxAdvertisementBytes)}. Delete stale refs`);
}

function tooLarge(what: string): TowpathError {
  return new TowpathError('Person', 'TooLarge', `The repository has ${what}.`);
}

function requireOid(oid: string): void {
  if (/^[0-9a-f]{40}$/.test(oid)) return;
  if (/^[0-9a-f]{64}$/.test(oid)) {
    throw new TowpathError(
      'Person',
      'ObjectFormatUnsupported',
      'The repository has SHA-256 object ids, which Towpath cannot read. Use a repository with SHA-1 ids.',
    );
  }
  throw malformed('a ref has no object id');
}
