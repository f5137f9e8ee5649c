import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'towpath-';
/** What mkdtemp adds. */
const RANDOM = 6;
/** The path of a socket has 103 bytes at most on macOS, whose own directory takes 49 of them, and 107 on Linux. */
const LONGEST_SOCKET = 103;

/** Where a directory for a socket of that name is made: not everywhere that files may be. Pure. */
export function placeForSocket(name: string, temporary: string): string {
  const path = join(temporary, `${PREFIX}${'x'.repeat(RANDOM)}`, name);
  return Buffer.byteLength(path) <= LONGEST_SOCKET ? temporary : '/tmp';
}

/**
 * Works in a directory that nobody else may enter, and that goes afterwards, also where Ctrl-C ends this process.
 *
 * @param below in which directory it is made.
 */
export async function inTemporaryDirectory<T>(
  work: (directory: string) => Promise<T>,
  below: string = tmpdir(),
): Promise<T> {
  const directory = await mkdtemp(join(below, PREFIX));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  // Ctrl-C ends this process at once.
  process.once('exit', remove);
  try {
    return await work(directory);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
