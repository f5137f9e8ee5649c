import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/harness/process.ts';

/** What README asks for, and what these call themselves. */
const PROGRAMS = ['git', 'make', 'npm', 'go', 'sh', 'bash', 'env', 'uname', 'sed', 'cat', 'mkdir', 'rm'];
/** Test files that need more. */
const FILES = ['key-rounds', 'ssh-transport', 'conformance'].map((name) => `operator/source/${name}.test.ts`);

test('on a machine with git, make, Node and Go alone, tests that need more are skipped by name', () => {
  const path = temporaryDirectory('bare-path');
  symlinkSync(process.execPath, join(path, 'node'));
  for (const program of PROGRAMS) {
    const found = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    symlinkSync(found, join(path, program));
  }
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const { stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', ...FILES], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...environment, PATH: path },
    encoding: 'utf8',
  });
  assert.match(stdout, /^# fail 0$/m, stdout.slice(-4_000));
  assert.match(stdout, /^ok .*a repository over SSH # SKIP ssh-keygen is not installed$/m);
});
