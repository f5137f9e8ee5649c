import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setCondition, setConditions } from './conditions.ts';

const T1 = '2026-01-01T00:00:00Z';
const T2 = '2026-01-02T00:00:00Z';
const ready = { type: 'Ready', status: 'True', reason: 'Synced', message: 'All is well.' } as const;

test('lastTransitionTime stays while the status stays', () => {
  const before = setCondition([], ready, 1, T1);
  const after = setCondition(before, { ...ready, reason: 'Other' }, 2, T2);
  assert.deepEqual(after, [{ ...ready, reason: 'Other', observedGeneration: 2, lastTransitionTime: T1 }]);
  const failed = setCondition(after, { ...ready, status: 'False' }, 2, T2);
  assert.equal(failed[0]?.lastTransitionTime, T2);
});

test('Reconciling and Stalled are present only while true', () => {
  const working = { type: 'Reconciling', status: 'True', reason: 'Syncing', message: 'Working.' } as const;
  const both = setConditions([], [{ ...ready, status: 'False' }, working], 1, T1);
  assert.deepEqual(
    both.map(({ type }) => type),
    ['Ready', 'Reconciling'],
  );
  assert.deepEqual(
    setCondition(both, { ...working, status: 'False' }, 1, T2).map(({ type }) => type),
    ['Ready'],
  );
  assert.deepEqual(
    setConditions(both, [ready], 1, T2).map(({ type }) => type),
    ['Ready'],
  );
});

test('conditions of other types are left alone, and an unchanged list compares equal', () => {
  const foreign = {
    type: 'Audited',
    status: 'True',
    reason: 'R',
    message: '',
    lastTransitionTime: T1,
  } as const;
  const before = setConditions([foreign], [ready], 1, T1);
  assert.deepEqual(setConditions(before, [ready], 1, T2), before);
});
