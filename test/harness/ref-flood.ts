import type { Writable } from 'node:stream';
import { packet } from '../../operator/source/wire/pkt-line.ts';

/** Writes packets with one ref each for as long as the other side takes them. The result counts on. */
export function floodRefs(stream: Writable, name: (index: number) => string): { bytes: number } {
  const sent = { bytes: 0 };
  let index = 0;
  const more = () => {
    while (!stream.destroyed && !stream.writableEnded) {
      const lines = Array.from({ length: 32 }, () =>
        packet(`${'a'.repeat(40)} refs/heads/${name(index++)}\n`),
      );
      const bytes = Buffer.concat(lines);
      sent.bytes += bytes.length;
      if (!stream.write(bytes)) return void stream.once('drain', more);
    }
  };
  stream.on('error', () => undefined);
  more();
  return sent;
}
