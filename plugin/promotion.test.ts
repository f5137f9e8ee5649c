import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allWaiting, isOfRevision } from './promotion.ts';

const one = (letter: string) => ({ revision: letter.repeat(40), digest: `sha256:${letter.repeat(64)}` });

test('A2: what waits is what the entry is about, and then what came before it; where that is told of none, the others all the same', () => {
  const { revision: desiredRevision, digest: desiredDigest } = one('c');
  const waiting = [one('a'), one('b')];
  assert.deepEqual(allWaiting({ desiredRevision, desiredDigest, waiting }), [one('c'), ...waiting]);
  assert.deepEqual(allWaiting({ desiredRevision, waiting }), waiting, 'what failed is told of first');
  assert.deepEqual(allWaiting({ desiredRevision, desiredDigest }), [one('c')]);
  assert.deepEqual(allWaiting({}), []);
});

test('a commit is named by seven digits of it at least', () => {
  const { revision } = one('a');
  assert.equal(isOfRevision('aaaaaaa', revision), true);
  assert.equal(isOfRevision('aaaaaa', revision), false);
  assert.equal(isOfRevision('aaaaaab', revision), false);
  assert.equal(isOfRevision('aaaaaaa', undefined), false);
});
