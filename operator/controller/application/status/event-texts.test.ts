import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationStatus, EnvironmentStatus, HealthState } from '../../../api/v1alpha1/application.ts';
import type { Standing } from '../../target/words/facts.ts';
import { changeEvents, doneEvents, isOtherFailure } from './event-texts.ts';
import { changeLines, doneLines } from './log-lines.ts';

const at = '2026-01-01T00:00:00Z';
const failed = { name: 'staging', sync: 'Failed', health: 'Degraded', message: 'A hook failed.' } as const;

/** Staging failed, and is what the conditions are about. */
function statusWith(
  prod: Partial<EnvironmentStatus>,
  more: Partial<ApplicationStatus> = {},
): ApplicationStatus {
  const ready = { type: 'Ready', status: 'False', reason: 'HookFailed', message: failed.message } as const;
  return {
    conditions: [{ ...ready, lastTransitionTime: at }],
    sync: 'Failed',
    health: 'Degraded',
    environments: [failed, { name: 'prod', ...prod }],
    ...more,
  };
}

const before = statusWith({ sync: 'Synced', health: 'Healthy', message: 'It is deployed.' });

function eventsOf(standing: Standing, health: HealthState, entry: Partial<EnvironmentStatus> = {}) {
  const { sync, reason, message } = standing;
  const blockedBy = sync === 'Blocked' ? { blockedBy: [{ reason, message, since: at }] } : {};
  const status = statusWith({ sync, health, message, ...blockedBy, ...entry });
  const found = { standing, health: { state: health }, environment: 'prod' };
  const texts = (former: ApplicationStatus) =>
    changeEvents(found, status, former).map(({ type, reason, message }) => `${type} ${reason} ${message}`);
  assert.deepEqual(texts(status), [], 'told once');
  return texts(before);
}

test('what happens in an environment is told, also while another one is worse off', () => {
  const because = { message: 'Because.' };
  assert.deepEqual(
    eventsOf({ sync: 'Quarantined', reason: 'ManifestInvalid', remedy: 'Person', ...because }, 'Healthy'),
    ['Warning ManifestInvalid In prod: Because.'],
  );
  assert.deepEqual(eventsOf({ sync: 'Failed', reason: 'ApplyFailed', ...because }, 'Healthy'), [
    'Warning ApplyFailed In prod: Because.',
  ]);
  assert.deepEqual(
    eventsOf({ sync: 'Blocked', reason: 'QuotaExceeded', remedy: 'Resource', ...because }, 'Healthy'),
    ['Warning QuotaExceeded In prod: Because.'],
  );
  assert.deepEqual(eventsOf({ sync: 'OutOfSync', reason: 'AwaitingSync', ...because }, 'Healthy'), [
    'Normal AwaitingSync In prod: Because.',
  ]);
  assert.deepEqual(
    eventsOf({ sync: 'Synced', reason: 'Synced', ...because }, 'Degraded', { message: 'A Pod crashes.' }),
    ['Warning Degraded In prod: A Pod crashes.'],
  );
  assert.deepEqual(eventsOf({ sync: 'Synced', reason: 'Synced', ...because }, 'Healthy'), []);
});

test('A14: the health of what still runs tells nothing new of what is refused, however it flaps', () => {
  const message = 'Because.';
  const standing: Standing = { sync: 'Quarantined', reason: 'ManifestInvalid', remedy: 'Person', message };
  const of = (health: HealthState) => statusWith({ sync: 'Quarantined', health, message });
  const flaps = ['Healthy', 'Progressing', 'Degraded', 'Healthy'] as const;
  for (const [index, health] of flaps.entries()) {
    const found = { standing, health: { state: health }, environment: 'prod' };
    assert.deepEqual(changeEvents(found, of(health), of(flaps[index - 1] ?? 'Healthy')), [], health);
  }
});

test('a failure that no look came past is news where the entry of its environment is', () => {
  const error = { reason: 'RecordNotSaved', message: 'The operator cannot write.' };
  const { reason, message } = error;
  const status = statusWith({
    sync: 'Blocked',
    health: 'Healthy',
    message,
    blockedBy: [{ reason, message, since: at }],
  });
  assert.ok(isOtherFailure('prod', error, status, before));
  assert.ok(!isOtherFailure('prod', error, status, status));
});

test('the log has a line for each environment whose candidate is refused, each once', () => {
  const of = (...environments: string[]) =>
    statusWith(
      { sync: 'Quarantined' },
      {
        quarantine: {
          revision: 'r',
          errors: environments.map((environment) => ({ environment, message: 'bad' })),
          total: environments.length,
        },
      },
    );
  const linesOf = (status: ApplicationStatus, former: ApplicationStatus) =>
    changeLines('prod', status, former).filter(({ line }) => line === 'quarantined').length;
  assert.equal(linesOf(of('staging', 'prod'), of('staging')), 1);
  assert.equal(linesOf(of('staging', 'prod'), of('staging', 'prod')), 0);
  assert.equal(linesOf(of('staging'), before), 0);
});

test('A32: who had something enter past which gates is in the event and in the line of the log', () => {
  const candidate = {
    id: `sha256:${'0'.repeat(64)}`,
    request: 'r',
    revision: 'a'.repeat(40),
    ref: '',
    digest: 'd',
  };
  const promoted = { promotion: 'web-prod-x', uid: 'u', by: 'ben', skipped: ['windows', 'freeze'] };
  const deployment = { id: 3, candidate, trigger: 'Promotion' as const, promoted };
  const report = {
    environment: 'prod',
    before: undefined,
    begun: [{ how: 'begun' as const, deployment }],
    outcomes: [],
    warnings: [],
    done: { repaired: [], pruned: [], endedHooks: [] },
  };
  assert.deepEqual(
    doneEvents(report).map(({ reason, message }) => `${reason} ${message}`),
    [
      'Promoted Revision aaaaaaa enters, past its gates windows, freeze: ben asked for it by Promotion web-prod-x.',
    ],
  );
  const [line] = doneLines(report);
  assert.deepEqual(
    [line?.fields.by, line?.fields.skipped, line?.fields.promotion],
    ['ben', 'windows,freeze', 'web-prod-x'],
  );
});
