import { gzipSync } from 'node:zlib';

const BLOCK = 512;

export interface ArchiveEntry {
  /** Up to 100 bytes. */
  path: string;
  content?: string | Uint8Array;
  /** As tar has it: a file, which is the default, a hard link, a symlink, a device. */
  type?: '0' | '1' | '2' | '3';
  /** What a link is to. */
  to?: string;
}

/** Files as `helm package` packs them: a tar archive (ustar), compressed. */
export function archiveOf(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  return archiveOfEntries(Object.entries(files).map(([path, content]) => ({ path, content })));
}

/** The same with what `helm package` puts into none. */
export function archiveOfEntries(all: readonly ArchiveEntry[]): Buffer {
  const entries = all.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    return [headOf(entry, content.length), content, Buffer.alloc(-content.length & (BLOCK - 1))];
  });
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]));
}

function headOf({ path, type = '0', to = '' }: ArchiveEntry, size: number): Buffer {
  const head = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  const fields: [at: number, text: string][] = [
    [0, path],
    [100, octal(0o644, 7)],
    [108, octal(0, 7)],
    [116, octal(0, 7)],
    [124, octal(size, 11)],
    [136, octal(0, 11)],
    // The sum counts itself as spaces.
    [148, ' '.repeat(8)],
    [156, type],
    [157, to],
    [257, 'ustar\x0000'],
  ];
  for (const [at, text] of fields) head.write(text, at);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${octal(sum, 6)}\0 `, 148);
  return head;
}
