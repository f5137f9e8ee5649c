import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError, EXIT } from './exit-codes.ts';
import { allWaiting, changesOf, isOfDigest, isOfRevision, waitingOf } from './waiting.ts';

const one = (letter: string) => ({ revision: letter.repeat(40), digest: `sha256:${letter.repeat(64)}` });

test('A2: what waits is what the entry is about, and then what came before it; where that is told of none, the others all the same', () => {
  const { revision: desiredRevision, digest: desiredDigest } = one('c');
  const waiting = [one('a'), one('b')];
  assert.deepEqual(allWaiting({ desiredRevision, desiredDigest, waiting }), [one('c'), ...waiting]);
  assert.deepEqual(allWaiting({ desiredRevision, waiting }), waiting, 'what failed is told of first');
  assert.deepEqual(allWaiting({ desiredRevision, desiredDigest }), [one('c')]);
  assert.deepEqual(allWaiting({}), []);
});

test('a commit, and what it comes to, are named by seven digits of them at least', () => {
  const { revision, digest } = one('a');
  assert.equal(isOfRevision('aaaaaaa', revision), true);
  assert.equal(isOfRevision('aaaaaa', revision), false);
  assert.equal(isOfRevision('aaaaaab', revision), false);
  assert.equal(isOfRevision('aaaaaaa', undefined), false);
  for (const written of ['aaaaaaa', 'AAAAAAA', 'sha256:aaaaaaa', 'c-aaaaaaaaaaaa', digest])
    assert.equal(isOfDigest(written, digest), true, written);
  for (const written of ['aaaaaa', 'sha256:', 'aaaaaab', `${digest}a`])
    assert.equal(isOfDigest(written, digest), false, written);
});

test('A2, A22: of one commit that waits more than once, with another spec say, one is to be named by its digest', () => {
  const { revision } = one('a');
  const entry = {
    desiredRevision: revision,
    desiredDigest: one('b').digest,
    waiting: [{ revision, digest: one('a').digest }, one('c')],
  };
  assert.throws(
    () => waitingOf({ revision: 'aaaaaaa' }, entry),
    (error) =>
      error instanceof CommandError &&
      error.code === EXIT.Usage &&
      /names several .*--candidate=sha256:b{12} or --candidate=sha256:a{12}\.$/.test(error.message),
  );
  assert.equal(waitingOf({ candidate: 'aaaaaaa' }, entry)?.digest, one('a').digest);
  assert.equal(waitingOf({ candidate: one('b').digest }, entry)?.digest, one('b').digest);
  assert.equal(waitingOf({ revision: 'ccccccc' }, entry)?.digest, one('c').digest);
  assert.equal(waitingOf({ candidate: 'ddddddd' }, entry), undefined);
  assert.equal(waitingOf({ revision: 'ddddddd' }, undefined), undefined);
});

test('what waits besides the newest has what it changes of its own, from the commit that runs to its own', () => {
  const { revision, digest } = one('a');
  const entry = {
    revision: 'f'.repeat(40),
    desiredRevision: one('c').revision,
    desiredDigest: one('c').digest,
    changes: { added: 1 },
    waiting: [{ revision, digest, changes: { changed: 2 } }, one('b')],
  };
  const told = allWaiting(entry).map((its) => changesOf(entry, its));
  assert.deepEqual(told, [
    { added: 1, revision: { from: entry.revision, to: one('c').revision } },
    { changed: 2, revision: { from: entry.revision, to: revision } },
    undefined,
  ]);
});

test('a published chart is named by its version, or by the commit of its values files', () => {
  const commit = 'a'.repeat(40);
  assert.equal(isOfRevision('6.7.0', '6.7.0'), true);
  assert.equal(isOfRevision('6.7.0', `6.7.0@${commit}`), true);
  assert.equal(isOfRevision('aaaaaaa', `6.7.0@${commit}`), true);
  assert.equal(isOfRevision('6.7.1', `6.7.0@${commit}`), false);
  assert.equal(isOfRevision('6.7.0', commit), false);
});
