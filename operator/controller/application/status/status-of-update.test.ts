import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import { type ApplicationStatus, environmentOf } from '../../../api/v1alpha1/application.ts';
import type { TargetUpdate } from '../../target/words/target-update.ts';
import { statusOf, statusUntold } from './status-of-update.ts';

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

test('A11, I3: one that waits at a gate while it is healthy says what it said before, once', () => {
  const message = 'Revision main@4f2c81a waits: 0 of 1 approval: kubectl towpath approve web prod -n shop';
  const reason = 'AwaitingApproval';
  const entry = {
    ...{ name: 'prod', sync: 'Waiting' as const, health: 'Healthy' as const, message },
    blockedBy: [{ reason, message: '0 of 1 approval', since: at }],
  };
  const ready = { type: 'Ready', status: 'True' as const, reason, message, lastTransitionTime: at };
  const status = untold({ observedGeneration: 2, conditions: [ready], environments: [entry] });
  assert.deepEqual(status.conditions, [{ ...ready, observedGeneration: 2 }]);
});

test('one that was never looked at has no entry, and nothing is Ready for it', () => {
  const status = untold(undefined);
  assert.deepEqual(status.environments, []);
  assert.equal(status.sync, 'Syncing');
  assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.status, 'False');
});

const nextAt = new Date('2026-01-02T00:00:30Z');
const runs = {
  name: 'prod',
  sync: 'Synced' as const,
  health: 'Healthy' as const,
  message: 'Revision main@4f2c81a is deployed: 1 object.',
  revision: '4f2c81a',
  lastSyncedAt: at,
};

function entryAfter(update: TargetUpdate, status?: ApplicationStatus) {
  const before = { environment: 'prod', generation: 2, now, status };
  const { sync, environments } = statusOf(update, { repaired: [] }, before);
  return { sync, entry: environmentOf({ environments }, 'prod') };
}

/** What no look tells of, the entry of its environment says as much as the whole status does. */
const hindered: readonly (readonly [TargetUpdate, 'Blocked' | 'Syncing', object[] | undefined])[] = [
  [
    {
      kind: 'Failing',
      error: new TowpathError('Time', 'ClusterUnreachable', 'No answer.'),
      retry: { attempts: 3, nextAt },
    },
    'Blocked',
    [
      {
        reason: 'ClusterUnreachable',
        message: 'No answer.',
        since: '2026-01-02T00:00:00Z',
        clearsAt: '2026-01-02T00:00:30Z',
      },
    ],
  ],
  [
    {
      kind: 'Failing',
      error: new TowpathError('Person', 'InternalError', 'A defect.'),
      retry: { attempts: 3, nextAt },
    },
    'Blocked',
    [{ reason: 'InternalError', message: 'A defect.', since: '2026-01-02T00:00:00Z' }],
  ],
  [
    { kind: 'Leaving', reason: 'DeletionFailed', message: 'No right.', isStalled: true },
    'Blocked',
    [{ reason: 'DeletionFailed', message: 'No right.', since: '2026-01-02T00:00:00Z' }],
  ],
  [{ kind: 'Leaving', reason: 'Deleting', message: 'Deleting.', isStalled: false }, 'Syncing', undefined],
];

for (const [update, sync, blockedBy] of hindered) {
  const { message } = update.kind === 'Failing' ? update.error : { message: '', ...update };
  test(`an environment that is told ${message} is ${sync}, and what runs there is told as before`, () => {
    const after = entryAfter(update, { sync: 'Synced', environments: [runs] });
    assert.equal(after.sync, sync);
    const { blockedBy: told, ...entry } = after.entry ?? { name: '' };
    assert.deepEqual(entry, { ...runs, sync, message });
    assert.deepEqual(told, blockedBy);
    assert.equal(entryAfter(update).entry?.sync, sync, 'also where nothing was told of it before');
  });
}

test('what stands in the way for longer keeps its since, and what does no more is gone', () => {
  const [failing] = hindered[0] ?? [];
  assert.ok(failing !== undefined);
  const since = '2026-01-01T12:00:00Z';
  const blockedBy = [{ reason: 'ClusterUnreachable', message: 'Before.', since, clearsAt: since }];
  const { entry } = entryAfter(failing, { environments: [{ ...runs, blockedBy }] });
  assert.equal(entry?.blockedBy?.[0]?.since, since);
  const leaving = hindered.at(-1)?.[0] ?? failing;
  assert.equal(entryAfter(leaving, { environments: [{ ...runs, blockedBy }] }).entry?.blockedBy, undefined);
});

test('A3: what is on its way out of where nobody sees it has the health Unknown, and another one when it is seen again', () => {
  const told = (health: 'Unknown' | 'Degraded' | undefined, status: ApplicationStatus) => {
    const update = {
      ...{ kind: 'Leaving', reason: 'DeletionFailed', message: 'No answer.', isStalled: true },
      ...(health === undefined ? {} : { health }),
    } as TargetUpdate;
    return statusOf(update, { repaired: [] }, { environment: 'prod', generation: 2, now, status });
  };
  const lost = told('Unknown', { health: 'Healthy', environments: [runs] });
  assert.deepEqual([lost.health, environmentOf(lost, 'prod')?.health], ['Unknown', 'Unknown']);
  const back = told('Degraded', lost);
  assert.deepEqual([back.health, environmentOf(back, 'prod')?.health], ['Degraded', 'Degraded']);
  assert.equal(told(undefined, back).health, 'Degraded');
});

test('the plan of a target that leaves stands in its entry as long as it waits for consent', () => {
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
  const held: TargetUpdate = {
    kind: 'Leaving',
    reason: 'PruneHeld',
    message: 'It needs consent.',
    isStalled: true,
    pendingPrune: { digest: 'sha256:0', objects: [object] },
  };
  const { entry } = entryAfter(held, { environments: [runs] });
  const pendingPrune = { digest: 'sha256:0', count: 1, objects: [object] };
  assert.deepEqual(entry?.pendingPrune, pendingPrune);
  const leaving = { kind: 'Leaving', reason: 'Deleting', message: 'Deleting.', isStalled: false } as const;
  assert.equal(
    entryAfter(leaving, { environments: [{ ...runs, pendingPrune }] }).entry?.pendingPrune,
    undefined,
  );
});
