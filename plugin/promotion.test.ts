import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from './exit-codes.ts';
import type { Kubectl } from './kubectl.ts';
import { allWaiting, isOfRevision, readPromotion } from './promotion.ts';

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

test('D8: a Promotion that does not exist is told with the newest that do', async () => {
  const of = (name: string, creationTimestamp: string) => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1', creationTimestamp },
    spec: {
      type: 'Rollback',
      application: 'web',
      environment: 'prod',
      historyID: 1,
      requestedBy: 'olga',
    },
  });
  const json = async (args: readonly string[]) => {
    if (args[2] === 'web-prdo') throw new CommandError('Error from server (NotFound): not found');
    return { items: [of('web-prod-1', '2026-11-29T10:00:00Z'), of('web-prod-2', '2026-11-30T10:00:00Z')] };
  };
  await assert.rejects(readPromotion({ json } as unknown as Kubectl, 'web-prdo'), {
    message: 'There is no Promotion web-prdo here; the newest in this namespace are: web-prod-2, web-prod-1.',
  });
});
