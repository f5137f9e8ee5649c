import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  admittedIn,
  type Candidate,
  candidateKey,
  type Deployment,
  namedIn,
  newRecord,
  noteRan,
} from './record.ts';

const candidate = (id: string): Candidate => ({
  id,
  inputs: '',
  request: '',
  revision: '',
  ref: '',
  digest: id,
});

const deployment = (id: string): Deployment => ({
  id: 1,
  candidate: candidate(id),
  trigger: 'Commit',
  generation: 1,
  startedAt: '',
  clusterStartedAt: '',
  install: true,
  hooks: [],
  deferred: [],
  applied: false,
});

const keys = (...ids: string[]) => ids.map((id) => candidateKey(candidate(id)));

/** A record in which these ran, one after the other. */
function recordAfter(...ids: string[]) {
  const record = newRecord({
    id: '0'.repeat(20),
    name: 'shop/web/default',
    application: 'shop/web',
    environment: 'default',
  });
  const run = (id: string) => {
    record.deployment = deployment(id);
    noteRan(record);
  };
  for (const id of ids) run(id);
  return { record, run };
}

test('D6: the last good candidate is named, however many failed since', () => {
  const { record, run } = recordAfter('good');
  record.succeeded = candidateKey(candidate('good'));
  for (const id of ['f1', 'f2', 'f3', 'f4', 'f5', 'f6']) run(id);
  assert.deepEqual(record.ran, keys('f6', 'f5', 'f4', 'good'));
});

test('of those that ran and succeeded the last four are named, one that runs again as the newest', () => {
  const { record, run } = recordAfter();
  for (const id of ['a', 'b', 'c', 'd', 'e', 'c']) {
    run(id);
    record.succeeded = candidateKey(candidate(id));
  }
  assert.deepEqual(record.ran, keys('c', 'e', 'd', 'b'));
});

test('what waits and is replaced by a newer one takes the place of none that ran', () => {
  const { record } = recordAfter('a', 'b', 'c');
  for (const id of ['w1', 'w2', 'w3', 'w4']) {
    record.pending = candidate(id);
    noteRan(record);
  }
  assert.deepEqual(new Set(namedIn(record)), new Set(keys('c', 'b', 'a', 'w4')));
});

test('a candidate of which the cluster makes other manifests is named beside itself', () => {
  const { record } = recordAfter('web');
  for (const digest of ['one', 'two']) {
    record.deployment = { ...deployment('web'), candidate: { ...candidate('web'), digest } };
    noteRan(record);
  }
  assert.deepEqual(record.ran, ['web two', 'web one', 'web web']);
});

test('S9: what runs, and what waits and never ran, is not judged again; what ran and was left is', () => {
  const { record } = recordAfter('left', 'runs');
  assert.deepEqual(admittedIn(record), new Set(keys('runs')));
  const waits = { ...candidate('waits'), asked: '' };
  record.waiting = [{ ...candidate('left'), asked: '' }, waits];
  assert.deepEqual(admittedIn(record), new Set(keys('waits', 'runs')));
  record.pending = candidate('left');
  assert.deepEqual(admittedIn(record), new Set(keys('waits', 'runs')));
  record.deployment = { ...deployment('runs'), outcome: 'Cancelled' };
  assert.deepEqual(admittedIn(record), new Set(keys('waits')));
});
