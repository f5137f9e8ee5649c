import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { FileResult } from './run-files.ts';
import { summary } from './summary.ts';

const listens = `(await import('node:net')).createServer().listen(0, '127.0.0.1');`;

const sources: Record<string, string> = {
  many: `for (let i = 0; i < 200; i++) test('test ' + i, () => {}); ${listens}`,
  fails: `test('fails', async () => { ${listens} throw new Error('no'); });`,
  exits: `test('passes', () => {}); test('exits', () => process.exit(0));`,
};

/** Runs files with these sources, by their names, in a process of its own: node:test runs none from within a test. */
async function runSources(
  t: TestContext,
  sourcesByName: Readonly<Record<string, string>>,
  filesAtOnce: number,
): Promise<FileResult[]> {
  const directory = await mkdtemp(join(tmpdir(), 'run-files-'));
  t.after(() => rm(directory, { recursive: true }));
  const files: string[] = [];
  for (const [name, source] of Object.entries(sourcesByName)) {
    const file = join(directory, `${name}.test.mjs`);
    await writeFile(file, `import { test } from 'node:test';\n${source}\n`);
    files.push(file);
  }
  const script = join(directory, 'run.mjs');
  await writeFile(
    script,
    `import { runFiles } from ${JSON.stringify(new URL('run-files.ts', import.meta.url).href)};
    const results = await runFiles(${JSON.stringify(files)}, '', ${filesAtOnce});
    console.log(JSON.stringify(results));`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const ran = await promisify(execFile)(process.execPath, [script], { env });
  return JSON.parse(ran.stdout.trim().split('\n').at(-1) ?? '') as FileResult[];
}

test('every test of a file counts, whatever it leaves open, and one whose end is not told is no success', async (t) => {
  const results = await runSources(t, sources, 3);
  const resultOf = (name: string) => results.find(({ file }) => file.includes(`${name}.test`));
  assert.equal(resultOf('many')?.passed, 200);
  assert.equal(resultOf('many')?.failed, 0);
  assert.deepEqual(
    resultOf('fails')?.failedTests.map(({ name }) => name),
    ['fails'],
  );
  assert.match(summary(results, []), /\/fails\.test\.mjs: fails\n {4}no\n/, 'what failed, and why');
  assert.equal(resultOf('exits')?.failed, 1);
});

test('files that are run one at once never meet, however idle the processors are', async (t) => {
  const lock = join(tmpdir(), `run-files-lock-${process.pid}`);
  t.after(() => rm(lock, { recursive: true, force: true }));
  // Longer than the time after which one more would be begun.
  const alone = `import { mkdirSync, rmdirSync } from 'node:fs';
    import { setTimeout } from 'node:timers/promises';
    test('alone', async () => {
      mkdirSync(${JSON.stringify(lock)});
      await setTimeout(4_000);
      rmdirSync(${JSON.stringify(lock)});
    });`;
  const results = await runSources(t, { one: alone, two: alone }, 1);
  assert.deepEqual(
    results.map(({ passed, failed }) => [passed, failed]),
    [
      [1, 0],
      [1, 0],
    ],
  );
});
