import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { groupsOf, suiteOf } from './suites.ts';

test('every test file is of a suite, once', () => {
  const names = [
    'test',
    'faults',
    'edges',
    'exhaustive',
    'release',
    'scale',
    'arm64',
    'image',
    'monitoring',
    'installed',
  ];
  const suites = names.map(suiteOf);
  const ran = suites.flatMap((suite) => groupsOf(suite, '').flatMap(({ files }) => files));
  const all = ['operator', 'plugin', 'test', 'hack'].flatMap((room) =>
    globSync(`${room}/**/*.test.ts`).filter((file) => !file.includes('node_modules/')),
  );
  assert.deepEqual(ran.toSorted(), all.toSorted());
});

test('faults that measure times have the machine to themselves', () => {
  const timed = groupsOf('faults', 'leader');
  assert.deepEqual(timed, [{ files: ['test/faults/leader.test.ts'], atOnce: 1 }]);
  assert.deepEqual(groupsOf('faults', 'git-down'), [{ files: ['test/faults/git-down.test.ts'], atOnce: 2 }]);
  assert.throws(() => suiteOf('fault'), /no suite fault; there are test, faults,/);
});

test('several parts of paths may be asked for', () => {
  const files = groupsOf('faults', 'faults/git-down,faults/leader').flatMap((group) => group.files);
  assert.deepEqual(files.toSorted(), ['test/faults/git-down.test.ts', 'test/faults/leader.test.ts']);
});
