import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockingCalls } from './blocking-rules.ts';

test('A15: the operator waits for no other program or thread while the event loop stands still', () => {
  for (const call of [
    "execFileSync('git')",
    "execSync('git')",
    "spawnSync('git')",
    'Atomics.wait(a, 0, 0)',
  ]) {
    const source = `const a = 1;\nconst b = ${call};\n`;
    const name = call.slice(0, call.indexOf('('));
    assert.deepEqual(blockingCalls('operator/source/a.ts', source), [
      `operator/source/a.ts:2: ${name}() holds the event loop until it ends; take what has a callback.`,
    ]);
    for (const file of ['operator/source/a.test.ts', 'hack/a.ts', 'test/harness/a.ts'])
      assert.deepEqual(blockingCalls(file, source), []);
  }
  const others = 'execFile("git");\nAtomics.waitAsync(a, 0, 0);\nspawn("git");\nnotspawnSync();\n';
  assert.deepEqual(blockingCalls('operator/source/a.ts', others), []);
});
