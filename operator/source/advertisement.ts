import { TowpathError } from '../api/errors.ts';
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
  readonly capabilities: ReadonlySet<string>;
}

const maxRefs = 200_000;

/**
 * Reads an advertisement up to its flush packet.
 *
 * @throws TowpathError ServerError, TooLarge, ObjectFormatUnsupported, or what the server itself said.
 */
export async function readAdvertisement(packets: AsyncIterator<Packet>): Promise<Advertisement> {
  const refs = new Map<string, string>();
  const wants = new Map<string, string>();
  let capabilities: Set<string> | undefined;
  let headCommit: string | undefined;
  for (let lines = 0; ; lines++) {
    const { value, done } = await packets.next();
    if (done) throw malformed('the list of refs ended early');
    if (value === undefined) break;
    const text = value.toString('utf8').replace(/\n$/, '');
    if (text.startsWith('ERR ')) throw new RemoteRefusal(text.slice(4));
    if (text.startsWith('version ') || text.startsWith('shallow ')) continue;
    const [line = '', given] = text.split('\0');
    capabilities ??= new Set((given ?? '').split(' ').filter(Boolean));
    const oid = line.slice(0, line.indexOf(' '));
    const name = line.slice(oid.length + 1);
    requireOid(oid);
    if (name === 'capabilities^{}') continue;
    if (name === 'HEAD') headCommit = oid;
    else if (name.endsWith('^{}')) {
      const tag = name.slice(0, -3);
      const object = refs.get(tag);
      refs.set(tag, oid);
      if (object !== undefined && !wants.has(oid)) wants.set(oid, object);
    } else {
      refs.set(name, oid);
      wants.set(oid, oid);
    }
    if (lines > 2 * maxRefs) {
      throw new TowpathError(
        'Person',
        'TooLarge',
        `The repository has more than ${maxRefs} refs. Delete stale ones.`,
      );
    }
  }
  if (headCommit !== undefined) wants.set(headCommit, headCommit);
  const known = capabilities ?? new Set<string>();
  const symref = [...known].find((capability) => capability.startsWith('symref=HEAD:'));
  return { refs, head: symref?.slice('symref=HEAD:'.length), headCommit, wants, capabilities: known };
}

/** What a Git server said instead of an answer; the transport turns it into an error for the user. */
export class RemoteRefusal extends Error {}

/** Whether both say the same about refs. */
export function sameRefs(left: Advertisement | undefined, right: Advertisement): boolean {
  if (left === undefined || left.refs.size !== right.refs.size) return false;
  if (left.head !== right.head || left.headCommit !== right.headCommit) return false;
  for (const [name, oid] of right.refs) if (left.refs.get(name) !== oid) return false;
  return true;
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
