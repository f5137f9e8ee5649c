import assert from 'node:assert/strict';
import { test } from 'node:test';
import { earliest } from './earliest.ts';

test('the first of several times is found, whichever are not known', () => {
  const [one, two] = [new Date(1_000), new Date(2_000)];
  assert.equal(earliest(two, undefined, one, two), one);
  assert.equal(earliest(undefined), undefined);
  assert.equal(earliest(), undefined);
});
