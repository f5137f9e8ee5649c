import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFollowable, isMeant, partsOf, revisionOf, shortened } from './revision.ts';

const COMMIT = '4f2c81a9d0b3e57c6a1f8e2d4b6c8a0e1f3d5b79';

test('a revision is a commit, a version of a chart, or both', () => {
  for (const [parts, text, short] of [
    [{ commit: COMMIT }, COMMIT, '4f2c81a'],
    [{ version: '6.7.0-rc.1+build' }, '6.7.0-rc.1+build', '6.7.0-rc.1+build'],
    [{ version: '6.7.0', commit: COMMIT }, `6.7.0@${COMMIT}`, '6.7.0@4f2c81a'],
  ] as const) {
    assert.equal(revisionOf(parts), text);
    assert.deepEqual(partsOf(text), parts);
    assert.equal(shortened(text), short);
  }
});

test('no version of a chart is one that is too long for it, or would be taken for a commit', () => {
  const followed = ['1.0.0', '2024.05', `1.0.0+${'b'.repeat(34)}`, '20240501', `1.0.0+${'b'.repeat(35)}`];
  assert.deepEqual(followed.map(isFollowable), [true, true, true, false, false]);
});

test('it is meant by its version, by the beginning of its commit, or by both', () => {
  const both = `6.7.0@${COMMIT}`;
  for (const written of ['6.7.0', '4f2c81a', COMMIT, '6.7.0@4f2c81a', both])
    assert.ok(isMeant(written, both), written);
  for (const written of ['6.7.1', '6.7', '4f2c81b', '6.7.1@4f2c81a', '6.7.0@5f2c81a'])
    assert.ok(!isMeant(written, both), written);
  assert.ok(isMeant('6.7.0', '6.7.0'));
  assert.ok(!isMeant('4f2c81a', '6.7.0'));
  assert.ok(!isMeant('6.7.0', COMMIT));
});
