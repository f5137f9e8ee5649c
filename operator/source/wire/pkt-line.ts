import { TowpathError } from '../../api/errors.ts';

/**
 * Git's framing on the wire (gitprotocol-common, "pkt-line Format"): four hex digits of length, those four
 * included, then the bytes. 0000 is a flush packet.
 */

export const flush = Buffer.from('0000');

/** One packet with text; the line break at its end is the caller's. */
export function packet(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

/** A packet that was read: its bytes, or undefined for a flush. */
export type Packet = Buffer | undefined;

/**
 * Reads packets from chunks of bytes, however they are cut.
 *
 * @throws TowpathError ServerError for what is no packet, or when the bytes end within one.
 */
export async function* readPackets(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Packet> {
  let unread: Buffer = Buffer.alloc(0);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let wanted = 4;
  for await (const chunk of chunks) {
    waiting.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    waitingBytes += chunk.byteLength;
    if (unread.length + waitingBytes < wanted) continue;
    unread = Buffer.concat([unread, ...waiting]);
    waiting = [];
    waitingBytes = 0;
    let at = 0;
    for (;;) {
      wanted = 4;
      if (unread.length - at < 4) break;
      const length = packetLength(unread.toString('latin1', at, at + 4));
      if (length === 0) {
        at += 4;
        yield undefined;
        continue;
      }
      wanted = length;
      if (unread.length - at < length) break;
      yield unread.subarray(at + 4, at + length);
      at += length;
    }
    unread = unread.subarray(at);
  }
  if (unread.length + waitingBytes > 0) {
    throw malformed('the answer ended in the middle of a packet');
  }
}

function packetLength(digits: string): number {
  const length = /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
  // 1 to 3 are special packets of protocol version 2, which is not asked for.
  if (length !== 0 && length < 4) throw malformed('the answer is not in the form of the Git protocol');
  return length;
}

export function malformed(what: string): TowpathError {
  return new TowpathError('Time', 'ServerError', `The Git server's answer cannot be read: ${what}.`);
}
