import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WITHOUT_CORPUS } from '../../test/corpus/corpus.ts';
import type { FileResult } from './run-files.ts';
import { inexcusable } from './skips.ts';

const skipped = (reason: string) => ({ file: 'a.test.ts', name: 'a', reason });

test('a strict run excuses no test that something lacks on this machine', () => {
  const all = ['sshd is not installed', 'the server takes everyone', WITHOUT_CORPUS].map(skipped);
  const reasons = (where: { corpusBelongs: boolean }) => inexcusable(all, where).map(({ reason }) => reason);
  assert.deepEqual(reasons({ corpusBelongs: true }), ['sshd is not installed', WITHOUT_CORPUS]);
  assert.deepEqual(reasons({ corpusBelongs: false }), ['sshd is not installed']);
});

test('a suite that is skipped as a whole is counted as skipped', () => {
  const directory = mkdtempSync(join(tmpdir(), 'towpath-skips-'));
  try {
    const file = join(directory, 'a.test.mjs');
    writeFileSync(
      file,
      "import { describe, test } from 'node:test';\ndescribe('all', { skip: 'no sshd' }, () => test('one', () => {}));\ntest('two', () => {});\n",
    );
    const script = join(directory, 'run.mjs');
    const runFiles = join(import.meta.dirname, 'run-files.ts');
    writeFileSync(
      script,
      `import { runFiles } from '${runFiles}';\nconst [result] = await runFiles(['${file}'], '', 1);\nconsole.log(JSON.stringify(result));\n`,
    );
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const output = execFileSync(process.execPath, [script], { env, encoding: 'utf8' });
    const result = JSON.parse(output.trim().split('\n').at(-1) ?? '') as FileResult;
    assert.deepEqual([result.passed, result.skipped], [1, 1]);
    assert.deepEqual(result.skippedTests, [{ file, name: 'all', reason: 'no sshd' }]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
