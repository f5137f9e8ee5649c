import { TowpathError } from '../api/errors.ts';
import { printable } from './text.ts';

/**
 * Something that is done on the operator's own disk, which may be full, or fail: no defect, and no fault of a server.
 *
 * @param what is kept there, as the beginning of a sentence.
 * @throws TowpathError RepositoryDamaged.
 */
export async function onOwnDisk<T>(what: string, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    // Behind the comma there is a path, which is another one with each try.
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split(',');
    throw new TowpathError(
      'Time',
      'RepositoryDamaged',
      `${what} cannot be kept on the operator's own disk (${printable(why, 100)}). It is fetched anew; if it stays, have who runs Towpath look at that disk.`,
      { cause: error },
    );
  }
}
