/**
 * Writes what is generated from operator/api: CRDs and reference pages. With --check it writes nothing, shows
 * how the files differ and ends with exit code 1 when one does.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { generatedFiles } from './generate/files.ts';
import { lineDifference } from './generate/line-difference.ts';

const ROOT = join(import.meta.dirname, '..');

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
let differing = 0;
for (const [file, wanted] of generatedFiles()) {
  const path = join(ROOT, file);
  const found = await read(path);
  if (found === wanted) continue;
  differing += 1;
  if (values.check) {
    console.error(found === undefined ? `${file} does not exist.` : lineDifference(file, found, wanted));
    continue;
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, wanted);
  console.log(`wrote ${file}`);
}
if (values.check && differing > 0) {
  console.error(
    `\n${differing} generated file(s) differ from their source. Run "make generate" and commit the result.`,
  );
  process.exitCode = 1;
}
