import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationStatus, EnvironmentStatus } from '../../../api/v1alpha1/application.ts';
import { type Standing, withPromoted } from './promoted.ts';

const BEFORE = '2026-11-30T08:00:00Z';
const NOW = '2026-11-30T09:00:00Z';
const first = { source: { revision: 'first' } };

function standing(
  environment: string,
  is: 'Newest' | 'Older' | 'Untold',
  entry: Partial<EnvironmentStatus> = {},
): Standing {
  const runsNewest = is === 'Untold' ? undefined : is === 'Newest';
  return { environment, runsNewest, entry: { name: environment, ...entry } };
}

function promoted(
  standings: readonly Standing[],
  previous: ApplicationStatus | undefined = undefined,
  status: ApplicationStatus = first,
) {
  const conditions = previous?.conditions ?? [];
  const after = withPromoted({ observedGeneration: 2, ...status, conditions }, standings, previous, NOW);
  const found = after.conditions?.find(({ type }) => type === 'Promoted');
  assert.ok(found !== undefined);
  return found;
}

function told(status: 'True' | 'False', lastTransitionTime = BEFORE): ApplicationStatus {
  const reason = status === 'True' ? 'AllPromoted' : 'NotPromoted';
  return { ...first, conditions: [{ type: 'Promoted', status, reason, message: '', lastTransitionTime }] };
}

const waiting = standing('prod', 'Older', {
  sync: 'Waiting',
  blockedBy: [
    { reason: 'Soak', message: 'It soaks.', clearsAt: '2026-11-30T10:00:00Z' },
    { reason: 'OutsideWindow', message: 'Closed.' },
  ],
});

test('it is True when every environment has the newest, and names those that do not with what they wait for', () => {
  assert.deepEqual(promoted([standing('staging', 'Newest'), standing('prod', 'Newest')]), {
    type: 'Promoted',
    status: 'True',
    observedGeneration: 2,
    lastTransitionTime: NOW,
    reason: 'AllPromoted',
    message: 'All 2 environments have the newest candidate.',
  });
  const { status, reason, message } = promoted([standing('staging', 'Newest'), waiting], told('True'));
  assert.deepEqual([status, reason], ['False', 'NotPromoted']);
  assert.match(message, /not yet in prod \(Soak until 2026-11-30T10:00:00Z\)\.$/);
});

test('its time is when it became so, and of many environments the first are named', () => {
  const many = Array.from({ length: 64 }, (_, index) =>
    standing(`${index}`.padEnd(63, 'x'), 'Older', { sync: 'Syncing' }),
  );
  const { message, lastTransitionTime } = promoted(many, told('False'));
  assert.equal(lastTransitionTime, BEFORE);
  assert.match(
    message,
    /^The newest candidate is not yet in 0x+ \(Syncing\), 1x+ \(Syncing\).* and 61 more\.$/,
  );
});

test('A14: a restart leaves it as it was until an environment tells otherwise, but where the source has something newer', () => {
  const untold = [standing('staging', 'Untold', { sync: 'Quarantined' }), standing('prod', 'Newest')];
  const again = promoted(untold, told('True'));
  assert.deepEqual([again.status, again.lastTransitionTime], ['True', BEFORE]);
  assert.equal(promoted(untold, told('False')).status, 'False');
  const { message } = promoted([standing('staging', 'Untold', { sync: 'Synced' }), waiting], told('False'));
  assert.doesNotMatch(message, /staging/);
  assert.equal(promoted(untold, told('True'), { source: { revision: 'second' } }).status, 'False');
});

test('of what an earlier version told, what is Synced has it', () => {
  assert.equal(promoted([standing('default', 'Untold', { sync: 'Synced' })], first).status, 'True');
  assert.equal(promoted([standing('default', 'Untold', { sync: 'Waiting' })], first).status, 'False');
});
