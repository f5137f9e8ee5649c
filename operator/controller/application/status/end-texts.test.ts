import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deletedNote, leftNote } from './end-texts.ts';
import { behindLines } from './log-lines.ts';

const object = { group: '', kind: 'ConfigMap', namespace: 'shop-prod', name: 'web' };
const kept = [{ object, reason: 'it is annotated so.' }];
const behind = { why: 'Abandoned', namespaces: ['shop-eu'] } as const;

test('D11: an environment that is over without a deletion is not told as one of which nothing is left', () => {
  assert.match(leftNote({ environment: 'eu', kept: [] }), /^Nothing of environment eu is left/);
  assert.equal(
    leftNote({ environment: 'eu', kept, behind }),
    'Environment eu is gone. Nothing was deleted in eu, as towpath.dev/abandon asked: what is there stays, and nobody looks after it.',
  );
  assert.equal(
    leftNote({ environment: 'eu', kept }),
    'Environment eu is gone; ConfigMap shop-prod/web stayed: it is annotated so.',
  );
});

test('D11: of an Application that is gone it is told in which environments nothing was deleted, and why', () => {
  const prod = { environment: 'prod', kept: [] };
  assert.match(deletedNote('shop/web', [prod]), /^All objects of Application shop\/web were/);
  const leaving = { ...behind, why: 'Leaving' } as const;
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((environment) => ({ environment, kept, behind: leaving }));
  assert.match(
    deletedNote('shop/web', [prod, ...all]),
    /^Application shop\/web is gone\. Nothing was deleted in a, b, c, d, e and 1 more, since its namespace/,
  );
});

test('B5: of what a cluster has that was replaced it is told that it stays there, beside what was left for another reason', () => {
  const replaced = { environment: 'us', kept: [], behind: { ...behind, why: 'Replaced' } } as const;
  const stays =
    'Nothing was deleted in us, since its cluster was replaced: what the former cluster has stays there, and nobody looks after it.';
  assert.equal(leftNote(replaced), `Environment us is gone. ${stays}`);
  assert.equal(
    deletedNote('shop/web', [{ environment: 'eu', kept, behind }, replaced]),
    `Application shop/web is gone. Nothing was deleted in eu, as towpath.dev/abandon asked: what is there stays, and nobody looks after it. ${stays}`,
  );
});

test('D11: the log names the namespaces in which objects were left behind', () => {
  assert.deepEqual(behindLines({ environment: 'eu' }), []);
  const namespaces = Array.from({ length: 12 }, (_, index) => `n${index}`);
  assert.deepEqual(behindLines({ environment: 'eu', behind: { why: 'Leaving', namespaces } }), [
    {
      line: 'leftBehind',
      fields: { environment: 'eu', namespaces: 'n0,n1,n2,n3,n4,n5,n6,n7,n8,n9,…', why: 'Leaving' },
    },
  ]);
});
