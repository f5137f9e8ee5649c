import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortCandidate } from '../candidate/revision.ts';
import {
  type ApplicationRecord,
  accept,
  type CandidateOfAll,
  candidatesIn,
  digestsOf,
  isAccepted,
  newApplicationRecord,
} from './application-record.ts';
import { candidateId, candidateKey } from './record.ts';

const candidate = (id: string, more: Partial<CandidateOfAll> = {}): CandidateOfAll => ({
  id,
  inputs: '',
  request: '',
  revision: '',
  ref: '',
  ...more,
});

const NOBODY: ReadonlySet<string> = new Set();
const named = (...pairs: [id: string, digest: string][]) =>
  new Set(pairs.map(([id, digest]) => candidateKey({ id, digest })));

const before = () => newApplicationRecord('shop/web');
const shown = ({ candidates }: ApplicationRecord) =>
  candidates.map(({ id, order, environments }) => [
    id,
    order,
    Object.fromEntries(Object.entries(environments).map(([name, { digest }]) => [name, digest])),
  ]);

test('candidates are kept in the order of observation; one that is seen again is the newest', () => {
  const all = named(['a', 'a1'], ['b', 'b1']);
  let record = accept(before(), candidate('a'), { prod: { digest: 'a1' } }, all);
  record = accept(record, candidate('b'), { prod: { digest: 'b1' } }, all);
  record = accept(record, candidate('a', { revision: 'again' }), { prod: { digest: 'a1' } }, all);
  assert.deepEqual(shown(record), [
    ['a', 3, { prod: 'a1' }],
    ['b', 2, { prod: 'b1' }],
  ]);
  assert.equal(record.candidates[0]?.revision, 'again');
  // The newest is accepted again where its deployment is tried again.
  assert.deepEqual(shown(accept(record, candidate('a'), { prod: { digest: 'a1' } }, all)), shown(record));
  assert.equal(record.order, 3);
});

test('an environment that is behind the others finds a candidate where they put it', () => {
  const all = named(['a', 'a1'], ['b', 'b1'], ['c', 'c1'], ['a', 'a2'], ['b', 'b2'], ['c', 'c2']);
  const orders = ({ candidates }: ApplicationRecord) => candidates.map(({ id, order }) => [id, order]);
  const staging = (record: ApplicationRecord, id: string) =>
    accept(record, candidate(id), { staging: { digest: `${id}1` } }, all);
  const prod = (record: ApplicationRecord, id: string) =>
    accept(record, candidate(id), { prod: { digest: `${id}2` } }, all);
  let record = prod(staging(staging(before(), 'a'), 'b'), 'a');
  const behind = [
    ['b', 2],
    ['a', 1],
  ];
  assert.deepEqual(orders(record), behind);
  assert.ok(isAccepted(record, { id: 'a' }, { prod: { digest: 'a2' } }));
  assert.deepEqual(orders(prod(record, 'b')), behind);
  // A git revert, after which prod is behind again.
  record = staging(staging(prod(record, 'b'), 'a'), 'c');
  const reverted = [
    ['c', 4],
    ['a', 3],
    ['b', 2],
  ];
  assert.deepEqual(orders(record), reverted);
  assert.ok(isAccepted(record, { id: 'a' }, { prod: { digest: 'a2' } }));
  assert.deepEqual(orders(prod(record, 'a')), reverted);
});

test('what no target names is not kept, and what one names is, whatever others do', () => {
  let record = accept(
    before(),
    candidate('a'),
    { staging: { digest: 'a1' }, prod: { digest: 'a2' } },
    NOBODY,
  );
  record = accept(record, candidate('b'), { staging: { digest: 'b1' } }, named(['a', 'a2']));
  record = accept(record, candidate('c'), { staging: { digest: 'c1' } }, named(['a', 'a2']));
  assert.deepEqual(shown(record), [
    ['c', 3, { staging: 'c1' }],
    ['a', 1, { staging: 'a1', prod: 'a2' }],
  ]);
  assert.deepEqual([...digestsOf(record)], ['c1', 'a1', 'a2']);
});

test('an environment whose cluster makes other manifests of a candidate has both, and no other has', () => {
  const first = { staging: { digest: 's1' }, prod: { digest: 'p1' } };
  let record = accept(before(), candidate('a'), first, NOBODY);
  record = accept(record, candidate('a'), { staging: { digest: 's2' } }, named(['a', 's1']));
  assert.deepEqual(shown(record), [
    ['a', 2, { staging: 's2', prod: 'p1' }],
    ['a', 1, { staging: 's1', prod: 'p1' }],
  ]);
  // Seen again as it was at first.
  assert.deepEqual(shown(accept(record, candidate('a'), { staging: { digest: 's1' } }, NOBODY)), [
    ['a', 3, { staging: 's1', prod: 'p1' }],
  ]);
});

test('an environment that comes later joins what was accepted', () => {
  let record = accept(before(), candidate('a'), { staging: { digest: 's' } }, NOBODY);
  assert.equal(isAccepted(record, candidate('a'), { prod: { digest: 'p' } }), false);
  record = accept(record, candidate('a'), { prod: { digest: 'p' } }, NOBODY);
  assert.deepEqual(shown(record), [['a', 1, { staging: 's', prod: 'p' }]]);
  assert.equal(isAccepted(record, candidate('a'), { prod: { digest: 'p' }, staging: { digest: 's' } }), true);
  assert.equal(isAccepted(record, candidate('a'), { prod: { digest: 'other' } }), false);
  assert.equal(isAccepted(record, candidate('b'), { prod: { digest: 'p' } }), false);
});

test('an environment finds what was accepted for it, whatever it is called', () => {
  const reads = { kubeVersion: 'v1.36.0' };
  const record = accept(before(), candidate('a'), { prod: { digest: 'p', reads } }, NOBODY);
  assert.deepEqual(candidatesIn(record, 'prod'), [{ ...candidate('a'), digest: 'p', reads }]);
  for (const name of ['staging', 'constructor']) assert.deepEqual(candidatesIn(record, name), []);
  const odd = accept(record, candidate('a'), { constructor: { digest: 'c' } }, NOBODY);
  assert.deepEqual(candidatesIn(odd, 'constructor'), [{ ...candidate('a'), digest: 'c' }]);
});

test('S9: what charts were that were fetched is kept, whichever candidates are', () => {
  const chart = (version: string) => ({
    repository: 'https://x.example',
    name: 'redis',
    version,
    digest: '',
  });
  let record = accept(before(), candidate('a', { charts: [chart('1')] }), { prod: { digest: 'a' } }, NOBODY);
  assert.ok(record.candidates.every((one) => !('charts' in one)));
  record = accept(record, candidate('b', { charts: [chart('2')] }), { prod: { digest: 'b' } }, NOBODY);
  record = accept(record, candidate('c'), { prod: { digest: 'c' } }, NOBODY);
  assert.deepEqual(
    record.candidates.map(({ id }) => id),
    ['c'],
  );
  assert.deepEqual(record.charts, [chart('2'), chart('1')]);
  const base = { repository: 'https://x.example/a', ref: 'v1', commit: 'a1', name: 'refs/tags/v1' };
  record = accept(record, candidate('d', { bases: [base] }), { prod: { digest: 'd' } }, NOBODY);
  assert.deepEqual([record.bases, record.charts], [[base], [chart('2'), chart('1')]]);
  assert.ok(record.candidates.every((one) => !('bases' in one)));
});

test('S18: candidates whose ids share 12 digits are two', () => {
  // Inputs that were searched for, as anyone can within a minute.
  const [harmless = '', hostile = ''] = ['commit-39732607', 'commit-33167457'].map((inputs) =>
    candidateId(inputs, 'request'),
  );
  assert.equal(shortCandidate(harmless), shortCandidate(hostile));
  assert.match(hostile, /^sha256:[0-9a-f]{64}$/);
  const rendering = { prod: { digest: 'same' } };
  const record = accept(before(), candidate(harmless), rendering, NOBODY);
  assert.equal(isAccepted(record, candidate(hostile), rendering), false);
  assert.equal(accept(record, candidate(hostile), rendering, named([harmless, 'same'])).candidates.length, 2);
});
