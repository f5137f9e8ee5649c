import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Places } from '../observe/places.ts';

/** Bytes of a delivery: as much as JSON.parse reads in a turn of the event loop. */
export const MOST_BYTES = 1024 * 1024;
/** Bytes that are kept of all bodies together, of senders who have proved nothing. */
const ALL_BYTES = 16 * MOST_BYTES;

/** Whether the headers say that the body is larger than what is read. */
export function isTooLarge(headers: IncomingHttpHeaders): boolean {
  return Number(headers['content-length'] ?? 0) > MOST_BYTES;
}

/** Reads bodies, all of them together within a bound: the newest is read on, others give way. */
export class Bodies {
  readonly #places = new Places(ALL_BYTES);

  /** Rejects where the connection ended before the body did. */
  async read(request: IncomingMessage): Promise<Buffer | 'TooLarge' | 'Busy'> {
    const dropped = new AbortController();
    const place = this.#places.take(request.socket.remoteAddress ?? '', () => dropped.abort());
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      return await new Promise((resolve, reject) => {
        dropped.signal.addEventListener('abort', () => resolve('Busy'));
        request.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MOST_BYTES) return resolve('TooLarge');
          chunks.push(chunk);
          place.grow(chunk.length);
        });
        request.once('end', () => resolve(Buffer.concat(chunks)));
        request.once('error', reject);
        request.once('close', () => reject(new Error('the connection ended')));
      });
    } finally {
      request.removeAllListeners('data').pause();
      place.leave();
    }
  }
}
