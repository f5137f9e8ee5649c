import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { TowpathError } from '../../api/errors.ts';
import { type PackLimits, size } from '../limits.ts';
import { onOwnDisk } from '../own-disk.ts';
import { RemoteRefusal } from './advertisement.ts';
import { flush, malformed, type Packet, packet } from './pkt-line.ts';
import type { Transport } from './transport.ts';

export interface FetchRequest {
  wants: readonly string[];
  /** Commits whose trees we have in full. */
  haves: readonly string[];
  /** Those of them whose parents we do not have. */
  shallows: readonly string[];
  /** 1: the commits alone; undefined: with all their history. */
  depth: 1 | undefined;
}

/** Where a pack is written to. */
export interface PackFile {
  path: string;
  /** The URL of the repository, for messages. */
  where: string;
  /** Told of so many bytes more before they are written. @throws what ends the fetch, where there is no room. */
  grow(bytes: number): void;
}

/** Capabilities that we use where the server has them. Progress would only cost bytes. */
const wanted = ['side-band-64k', 'thin-pack', 'ofs-delta', 'no-progress', 'include-tag'];

/**
 * Asks for a pack and writes it to a file (gitprotocol-pack, "Packfile Negotiation", in one round, which
 * every server understands). Nothing of it is looked into, except the limit on its size.
 *
 * @returns bytes of the pack.
 * @throws TowpathError; RemoteRefusal with the server's words.
 */
export async function fetchPack(
  transport: Transport,
  capabilities: ReadonlySet<string>,
  request: FetchRequest,
  file: PackFile,
  limits: PackLimits,
  signal: AbortSignal,
): Promise<number> {
  if (!capabilities.has('side-band-64k')) {
    throw new TowpathError(
      'Person',
      'ProtocolUnsupported',
      `The Git server ${transport.host} lacks the capability side-band-64k, which every Git server since 2006 has. Update it.`,
    );
  }
  if (request.depth !== undefined && !capabilities.has('shallow')) request = { ...request, depth: undefined };
  const onDisk = <T>(done: Promise<T>) => onOwnDisk(`What comes of ${file.where}`, done);
  const packets = transport.uploadPack(encode(request, capabilities), signal);
  const out = await onDisk(open(file.path, 'wx', 0o600));
  try {
    return await receive(
      packets,
      async (data) => {
        file.grow(data.length);
        await onDisk(out.writeFile(data));
      },
      request,
      limits,
    );
  } catch (error) {
    await rm(file.path, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await packets.return(undefined);
    await onDisk(out.close());
  }
}

function encode(request: FetchRequest, capabilities: ReadonlySet<string>): Buffer {
  const used = [...wanted.filter((name) => capabilities.has(name)), 'agent=git/towpath'].join(' ');
  const [first = '', ...more] = request.wants;
  return Buffer.concat([
    packet(`want ${first} ${used}\n`),
    ...more.map((oid) => packet(`want ${oid}\n`)),
    ...request.shallows.map((oid) => packet(`shallow ${oid}\n`)),
    ...(request.depth === undefined ? [] : [packet(`deepen ${request.depth}\n`)]),
    flush,
    ...request.haves.map((oid) => packet(`have ${oid}\n`)),
    packet('done\n'),
  ]);
}

async function receive(
  packets: AsyncIterable<Packet>,
  write: (data: Buffer) => Promise<void>,
  { depth }: FetchRequest,
  limits: PackLimits,
): Promise<number> {
  let inShallows = depth !== undefined;
  let bytes = 0;
  let received = 0;
  const digest = createHash('sha1');
  const tail = new Tail(20);
  for await (const one of packets) {
    if (one === undefined) {
      if (!inShallows) break;
      inShallows = false;
      continue;
    }
    received += one.length;
    if (received > limits.packBytes * 1.05 + 65_536) throw packTooLarge(limits);
    if (startsWith(one, 'ERR ')) throw new RemoteRefusal(one.toString('utf8', 4));
    if (inShallows || startsWith(one, 'ACK ') || startsWith(one, 'NAK')) continue;
    const band = one[0];
    if (band === 3) throw new RemoteRefusal(one.toString('utf8', 1));
    if (band === 2) continue;
    if (band !== 1) throw malformed('a part of the pack has no known band');
    const data = one.subarray(1);
    bytes += data.length;
    if (bytes > limits.packBytes) throw packTooLarge(limits);
    const settled = tail.push(data);
    digest.update(settled);
    await write(data);
  }
  if (!tail.bytes.equals(digest.digest())) throw malformed('the pack is cut short or damaged');
  return bytes;
}

/** Keeps back the last bytes of a stream: a pack ends with the SHA-1 of what comes before. */
class Tail {
  bytes: Buffer = Buffer.alloc(0);
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  /** Takes bytes in, and gives those that are certainly not the last. */
  push(data: Buffer): Buffer {
    const all = this.bytes.length === 0 ? data : Buffer.concat([this.bytes, data]);
    const settled = Math.max(0, all.length - this.#length);
    this.bytes = Buffer.from(all.subarray(settled));
    return all.subarray(0, settled);
  }
}

function startsWith(bytes: Buffer, text: string): boolean {
  return bytes.length >= text.length && bytes.toString('latin1', 0, text.length) === text;
}

function packTooLarge(limits: PackLimits): TowpathError {
  return new TowpathError(
    'Person',
    'TooLarge',
    `The repository sends more than ${size(limits.packBytes)} for one commit. Move large files out of it (Git LFS, a registry), or ask who runs Towpath to raise the limit.`,
  );
}
