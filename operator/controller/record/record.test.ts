import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortCandidate } from '../candidate/revision.ts';
import {
  type Candidate,
  candidateId,
  candidateKey,
  type Deployment,
  keepCandidate,
  newRecord,
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
  install: true,
  hooks: [],
  deferred: [],
  applied: false,
});

const record = () =>
  newRecord({
    id: '0'.repeat(20),
    name: 'shop/web/default',
    application: 'shop/web',
    environment: 'default',
  });

test('D6: the last good candidate is kept, however many failed since', () => {
  const subject = record();
  const run = (id: string) => {
    keepCandidate(subject, candidate(id));
    subject.deployment = deployment(id);
  };
  run('good');
  subject.succeeded = candidateKey(candidate('good'));
  for (const id of ['f1', 'f2', 'f3', 'f4', 'f5', 'f6']) run(id);
  assert.deepEqual(
    subject.candidates.map(({ id }) => id),
    ['f6', 'f5', 'f4', 'good'],
  );
});

test('what waits and is replaced by a newer one takes the place of none that ran', () => {
  const subject = record();
  for (const id of ['a', 'b', 'c']) {
    keepCandidate(subject, candidate(id));
    subject.deployment = deployment(id);
    subject.succeeded = candidateKey(candidate(id));
  }
  for (const id of ['w1', 'w2', 'w3', 'w4']) {
    const before = subject.pending;
    subject.pending = candidate(id);
    keepCandidate(subject, subject.pending, before);
  }
  assert.deepEqual(
    subject.candidates.map(({ id }) => id),
    ['w4', 'c', 'b', 'a'],
  );
});

test('S18: candidates whose ids share 12 digits are two', () => {
  // Inputs that were searched for, as anyone can within a minute.
  const [harmless, hostile] = ['commit-39732607', 'commit-33167457'].map((inputs) =>
    candidate(candidateId(inputs, 'request')),
  ) as [Candidate, Candidate];
  assert.equal(shortCandidate(harmless.id), shortCandidate(hostile.id));
  const subject = record();
  subject.deployment = deployment(harmless.id);
  for (const one of [harmless, hostile]) keepCandidate(subject, one);
  assert.equal(subject.candidates.length, 2);
  assert.match(hostile.id, /^sha256:[0-9a-f]{64}$/);
});

test('a candidate of which the cluster makes other manifests is kept beside itself', () => {
  const subject = record();
  const before = candidate('web');
  subject.deployment = { ...deployment('web'), candidate: before };
  subject.succeeded = candidateKey(before);
  for (const digest of ['one', 'two', 'three', 'four', 'five']) keepCandidate(subject, { ...before, digest });
  assert.deepEqual(
    subject.candidates.map(({ digest }) => digest),
    ['five', 'four', 'three', 'two'],
  );
});
