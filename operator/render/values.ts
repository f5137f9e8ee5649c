import { posix } from 'node:path';
import { TowpathError } from '../api/errors.ts';
import { withoutEnding } from '../api/foreign-text.ts';
import type { TracedReads } from './inputs.ts';

/** A source of values as the engine takes it; see engine/values.go. */
export interface EngineValues {
  name: string;
  file?: string;
  format: 'yaml' | 'json';
  secret?: boolean;
  text: Uint8Array;
}

export const MAX_VALUES_FILE_BYTES = 2 ** 20;
const lfsPointer = 'version https://git-lfs.github.com/spec/';

/**
 * The path in the repository that a path in a spec means: relative to `base`, or to the root where it begins
 * with `/`. '' is the root.
 *
 * @throws TowpathError PathNotFound where it leaves the repository or cannot be a path (S6).
 */
export function repositoryPath(base: string, path: string): string {
  const joined = path.startsWith('/') ? path.slice(1) : posix.join(base, path);
  const normal = withoutEnding(posix.normalize(joined === '' ? '.' : joined), '/');
  if (path.includes('\0') || path.includes('\\') || normal === '..' || /^\.?\.?\//.test(normal)) {
    throw new TowpathError(
      'Person',
      'PathNotFound',
      `The path ${JSON.stringify(path)} is not a path inside the repository.`,
    );
  }
  return normal === '.' ? '' : normal;
}

/** The directory that a path is in; '' is the root. */
export function directoryOf(path: string): string {
  const directory = posix.dirname(path);
  return directory === '.' ? '' : directory;
}

/** Reads the values files, in order. */
export async function readValuesFiles(
  tree: TracedReads,
  base: string,
  files: readonly string[],
): Promise<EngineValues[]> {
  const all: EngineValues[] = [];
  for (const given of files) {
    const file = repositoryPath(base, given);
    if ((await tree.type(file)) !== 'file') {
      throw new TowpathError(
        'Person',
        'ValuesFileNotFound',
        `The values file ${given} is not in the repository: there is no file ${file || given}.${await whatIsThere(tree, directoryOf(file))}`,
        { details: [{ file, message: 'There is no such file.' }] },
      );
    }
    const text = await tree.read(file);
    refuseUnusable(file, text);
    all.push({ name: file, file, format: 'yaml', text });
  }
  return all;
}

function refuseUnusable(file: string, text: Uint8Array): void {
  if (text.length > MAX_VALUES_FILE_BYTES) {
    throw new TowpathError(
      'Person',
      'ValuesFileTooLarge',
      `The values file ${file} has ${text.length} bytes; at most 1 MiB (1048576) is read. Make it smaller: large texts can be files of the chart.`,
      { details: [{ file, message: 'The file is larger than 1 MiB.' }] },
    );
  }
  if (Buffer.from(text.subarray(0, 64)).toString('latin1').startsWith(lfsPointer)) {
    throw new TowpathError(
      'Person',
      'ValuesFileIsLFSPointer',
      `The values file ${file} is a Git LFS pointer, which is not followed. Commit the file itself.`,
      { details: [{ file, message: 'The file is a Git LFS pointer.' }] },
    );
  }
}

/** ` In charts/web there is: Chart.yaml, templates.`, for messages about a path that is missing. */
export async function whatIsThere(tree: TracedReads, path: string): Promise<string> {
  let directory = path;
  while (directory !== '' && (await tree.type(directory)) !== 'directory') directory = directoryOf(directory);
  const shown = 10;
  const names = (await tree.names(directory)).map((entry) => entry.name).sort();
  const list =
    names.slice(0, shown).join(', ') + (names.length > shown ? `, and ${names.length - shown} more` : '');
  return ` In ${directory === '' ? "the repository's root" : directory} there is: ${list || 'nothing'}.`;
}
