import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationStatus } from '../../../api/v1alpha1/application.ts';
import { statusUntold } from './status-of-update.ts';

const at = '2026-01-01T00:00:00Z';
const now = new Date('2026-01-02T00:00:00Z');

function untold(status: ApplicationStatus | undefined) {
  return statusUntold({ environment: 'prod', generation: 2, now, status });
}

test('an environment that has told nothing yet keeps its entry, and counts as that says', () => {
  const entry = {
    name: 'prod',
    sync: 'Blocked' as const,
    health: 'Degraded' as const,
    message: 'Not allowed.',
    blockedBy: [{ reason: 'Forbidden', message: 'Not allowed.', since: at }],
  };
  const stalled = { type: 'Stalled', status: 'True' as const, reason: 'Forbidden', message: '' };
  const status = untold({
    observedGeneration: 1,
    conditions: [{ ...stalled, lastTransitionTime: at }],
    environments: [entry],
    handledSyncRequest: 'one',
  });
  assert.deepEqual(status.environments, [entry]);
  assert.deepEqual([status.sync, status.health], ['Blocked', 'Degraded']);
  assert.deepEqual([status.observedGeneration, status.handledSyncRequest], [1, 'one']);
  assert.equal(status.summary?.environments, '0/1');
  const told = status.conditions?.map(({ type, reason, lastTransitionTime }) => [
    type,
    reason,
    lastTransitionTime,
  ]);
  assert.deepEqual(told?.sort(), [
    ['Ready', 'Forbidden', '2026-01-02T00:00:00Z'],
    ['Stalled', 'Forbidden', at],
  ]);
});

test('one that was never looked at has no entry, and nothing is Ready for it', () => {
  const status = untold(undefined);
  assert.deepEqual(status.environments, []);
  assert.equal(status.sync, 'Syncing');
  assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
});
