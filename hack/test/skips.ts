import { WITHOUT_CORPUS } from '../../test/corpus/corpus.ts';
import type { NamedTest } from './run-files.ts';

/** What a test skips because of what it tests, and not because of the machine. */
const OF_THE_TEST = ['the server takes everyone'];

/**
 * Skipped tests with which a strict run fails: whatever they lack belongs on the machine, sshd for one. The
 * corpus, which is no part of the repository, only where `corpusBelongs`.
 */
export function inexcusable(
  skipped: readonly NamedTest[],
  { corpusBelongs }: { corpusBelongs: boolean },
): NamedTest[] {
  const excused = new Set(corpusBelongs ? OF_THE_TEST : [...OF_THE_TEST, WITHOUT_CORPUS]);
  return skipped.filter(({ reason }) => !excused.has(reason));
}
