import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseOtherRevision } from './decide.ts';

const one = (letter: string) => ({ revision: letter.repeat(40), digest: `sha256:${letter.repeat(64)}` });

test('A2: who names another commit than those that wait is told of these, and who names one of them is not', () => {
  const { revision: desiredRevision, digest: desiredDigest } = one('c');
  const entry = { desiredRevision, desiredDigest, waiting: [one('a')] };
  for (const letter of ['c', 'a']) refuseOtherRevision(letter.repeat(12), entry);
  refuseOtherRevision(undefined, entry);
  refuseOtherRevision('bbbbbbb', {});
  assert.throws(
    () => refuseOtherRevision('bbbbbbb', entry),
    /^CommandError: What waits is of revision c{12} or a{12}, not of bbbbbbb:/,
  );
});
