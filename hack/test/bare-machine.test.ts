import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { globSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { scaled } from '../../test/harness/slowness.ts';

const root = join(import.meta.dirname, '../..');

/** What README asks for, and what these call themselves. */
const PROGRAMS = ['git', 'make', 'npm', 'go', 'sh', 'bash', 'env', 'uname', 'sed', 'cat', 'mkdir', 'rm'];

/** Tests that need more, or suites of them: file, name, and the program. */
const SKIPPED: [file: string, name: string, program: string][] = [
  ['operator/source/conformance', 'a repository over SSH', 'ssh-keygen'],
  ['operator/source/conformance', 'a repository over SSH with a passphrase', 'ssh-keygen'],
  ['operator/source/transport/key-rounds', 'the rounds that a key asks for are read from it', 'ssh-keygen'],
  ['operator/source/transport/ssh-transport', 'a repository over SSH', 'ssh-keygen'],
  ['operator/source/threads/work-lanes', 'never begins what nobody waits for any more', 'mkfifo'],
  [
    'test/integration/secrets',
    'S5: no secret value is in logs, status, events or metrics, however hard the input tries',
    'ssh-keygen',
  ],
  [
    'test/integration/ssh',
    'A15: an Application from a repository over SSH is deployed, and follows a push',
    'ssh-keygen',
  ],
  [
    'test/integration/plugin-terminal',
    'kubectl towpath uses colours on a terminal only, and no more than its columns',
    'script',
  ],
  [
    'test/integration/plugin-terminal',
    'kubectl towpath diff fits into 80 columns, and says without colours what it says with them',
    'script',
  ],
  [
    'test/monitoring/rules',
    'each alert fires where it should, by itself, and not where it only nearly should',
    'promtool',
  ],
  [
    'test/monitoring/scraped',
    'a real Prometheus has an answer to every query of the dashboard and every alert',
    'prometheus',
  ],
];

const LIMIT_MS = 10 * 60_000;

/** A directory with these programs of the machine, and this Node. */
function pathOf(programs: readonly string[]): string {
  const path = temporaryDirectory('bare-path');
  symlinkSync(process.execPath, join(path, 'node'));
  for (const program of programs) {
    const found = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    symlinkSync(found, join(path, program));
  }
  return path;
}

test('on a machine with git, make, Node and Go alone, tests that need more are skipped by name', async () => {
  const files = new Set(SKIPPED.map(([file]) => `${file}.test.ts`));
  // All others of these files run elsewhere.
  const patterns = SKIPPED.map(([, name]) => `--test-name-pattern=^${RegExp.escape(name)}$`);
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--test', '--test-reporter=tap', ...patterns, ...files],
    {
      cwd: root,
      env: { ...environment, PATH: pathOf(PROGRAMS) },
      timeout: scaled(LIMIT_MS),
      maxBuffer: 16 << 20,
    },
  ).catch((error: Error & { stdout: string }) => {
    throw new Error(`${error.message}\n${error.stdout.slice(-8_000)}`);
  });
  assert.match(stdout, /^# fail 0$/m);
  const lines = stdout.split('\n').map((line) => line.replace(/^ *ok \d+ - /, ''));
  for (const [file, name, program] of SKIPPED)
    assert.ok(lines.includes(`${name} # SKIP ${program} is not installed`), `${file}: ${name}`);
});

/** What says before it begins what it needs. */
const ELSEWHERE = [
  'test/arm64/**',
  'test/bench/**',
  'test/image/**',
  'test/installed/**',
  'test/harness/real-node.ts',
];

test('tests start no other programs by name', () => {
  const files = globSync(['test/**/*.ts', 'operator/**/*.test.ts', 'hack/**/*.test.ts'], {
    cwd: root,
    exclude: ELSEWHERE,
  });
  const started = new Set<string>();
  const starts = /(?:(?:execFile|spawn)(?:Sync)?\)?\(\s*|command: |\brun\((?='[^']*', \[))'([^']+)'/g;
  for (const file of files)
    for (const [, program = ''] of readFileSync(join(root, file), 'utf8').matchAll(starts))
      started.add(basename(program));
  assert.ok(started.has('git') && started.has('sh'), 'they are found');
  const more = started.difference(new Set(PROGRAMS));
  const skipped = new Set(SKIPPED.map(([, , program]) => program));
  assert.deepEqual(more, skipped, 'a test that needs more is skipped by `without` and listed here');
});
