import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../../../test/harness/target.ts';
import { TowpathError } from '../../../api/errors.ts';
import {
  type Application,
  type ApplicationStatus,
  HEALTH_STATES,
  type HealthState,
  parseApplication,
  type SyncState,
} from '../../../api/v1alpha1/application.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { Deployment } from '../../record/record.ts';
import type { Facts, Standing } from '../../target/words/facts.ts';
import type { Report } from '../../target/words/unreported.ts';
import { judge } from './conditions.ts';
import { changeEvents, doneEvents, endedSince } from './event-texts.ts';
import { settle as settleFacts } from './settle.ts';

const NOW = new Date('2026-11-23T10:00:00.123Z');
const REVISION = '4f2c81a0000000000000000000000000000000ab';

function application(spec: Record<string, unknown> = {}): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', generation: 3 },
    spec: { source: { repoURL: 'https://git.example.com/web.git' }, ...spec },
  });
  assert.ok(parsed.ok);
  return parsed.application;
}

function deployment(id: number, outcome?: Deployment['outcome']): Deployment {
  return {
    id,
    candidate: {
      id: `c-00000000000${id}`,
      request: 'r',
      revision: REVISION,
      ref: 'refs/heads/main',
      commit: { message: 'm', author: 'a', committedAt: '2026-11-23T09:00:00Z' },
      digest: `sha256:${'0'.repeat(64)}`,
    },
    trigger: 'Commit',
    generation: 3,
    startedAt: '2026-11-23T09:59:00.500Z',
    clusterStartedAt: '2026-11-23T09:59:00.500Z',
    install: false,
    hooks: [],
    deferred: [],
    applied: true,
    ...(outcome === undefined ? {} : { outcome, finishedAt: '2026-11-23T09:59:30.999Z' }),
  };
}

function facts(
  changes: Partial<Facts & Omit<Report, 'outcomes'>> = {},
): Facts & Omit<Report, 'before' | 'begun' | 'outcomes'> {
  return {
    application: application(),
    environment: 'default',
    now: NOW,
    standing: { sync: 'Synced', reason: 'Synced', message: 'Revision main@4f2c81a is deployed: 1 object.' },
    health: { state: 'Healthy' },
    source: { revision: REVISION, ref: 'refs/heads/main' },
    running: deployment(1).candidate,
    objects: 1,
    runsNewest: true,
    kept: [],
    gates: [],
    isLookedAt: true,
    warnings: [],
    ended: [deployment(1, 'Succeeded')],
    done: { repaired: [], pruned: [], endedHooks: [] },
    ...changes,
  };
}

type Status = ApplicationStatus | undefined;

function settle(found: Facts & Omit<Report, 'before' | 'begun' | 'outcomes'>, before: Status) {
  const status = settleFacts(found, found.done, before);
  const outcomes = endedSince(status, { environment: found.environment, before, outcomes: [] });
  const events = [...doneEvents({ ...found, begun: [], outcomes }), ...changeEvents(found, status, before)];
  return { status, events };
}

const standing = (sync: SyncState, remedy?: Standing['remedy']): Standing => ({
  sync,
  reason: 'Why',
  message: 'Because.',
  ...(remedy === undefined ? {} : { remedy }),
});

const anyHealth = (sync: SyncState, remedy: Standing['remedy'], expected: string) =>
  HEALTH_STATES.map((health) => [sync, remedy, health, expected] as const);

/** sync, what helps, health → Ready's status and reason, and which of Reconciling and Stalled are there. */
const table: readonly (readonly [SyncState, Standing['remedy'], HealthState, string])[] = [
  ['Synced', undefined, 'Healthy', 'True Synced'],
  ['Synced', undefined, 'Suspended', 'False Suspended'],
  ['Synced', undefined, 'Progressing', 'False Progressing Reconciling'],
  ['Synced', undefined, 'Unknown', 'False Unknown'],
  ['Synced', undefined, 'Missing', 'False Missing'],
  ['Synced', undefined, 'Degraded', 'False Degraded'],
  ...(['Held', 'Waiting'] as const).flatMap((sync) => [
    [sync, undefined, 'Healthy', 'True Why'] as const,
    [sync, undefined, 'Progressing', 'False Progressing Reconciling'] as const,
    ...(['Suspended', 'Unknown', 'Missing', 'Degraded'] as const).map(
      (health) => [sync, undefined, health, `False ${health}`] as const,
    ),
  ]),
  ...anyHealth('Syncing', undefined, 'False Why Reconciling'),
  ...anyHealth('Blocked', 'Time', 'False Why Reconciling'),
  ...anyHealth('Blocked', 'Resource', 'False Why Reconciling'),
  ...anyHealth('Blocked', 'Person', 'False Why Stalled'),
  ...anyHealth('Quarantined', 'Person', 'False Why Stalled'),
  ...anyHealth('Failed', 'Person', 'False Why Stalled'),
  ...anyHealth('OutOfSync', undefined, 'False Why'),
  ...anyHealth('Suspended', undefined, 'False Why'),
];

for (const [sync, remedy, health, expected] of table) {
  test(`${sync}${remedy === undefined ? '' : ` (${remedy})`} and ${health}: ${expected}`, () => {
    const told = sync === 'Synced' ? { ...standing(sync), reason: 'Synced' } : standing(sync, remedy);
    const { ready, reconciling, stalled } = judge(told, { state: health });
    const flags = [reconciling && 'Reconciling', stalled && 'Stalled'].filter(Boolean);
    assert.equal([ready.status, ready.reason, ...flags].join(' '), expected);
  });
}

test('a new deployment enters the history and is told in one event', () => {
  const { status, events } = settle(facts(), undefined);
  assert.deepEqual(
    environmentOf(status)?.history?.map(({ id, outcome, startedAt, finishedAt }) => ({
      id,
      outcome,
      startedAt,
      finishedAt,
    })),
    [{ id: 1, outcome: 'Succeeded', startedAt: '2026-11-23T09:59:00Z', finishedAt: '2026-11-23T09:59:30Z' }],
  );
  assert.deepEqual(events, [
    { type: 'Normal', reason: 'Synced', message: 'Revision main@4f2c81a is deployed and healthy.' },
  ]);
  assert.equal(status.summary?.environments, '1/1');
  assert.equal(status.summary?.revision, 'main@4f2c81a');
});

test('A14: the same facts again change nothing and tell nothing', () => {
  const first = settle(facts(), undefined);
  const later = settle(facts({ now: new Date('2026-11-23T11:00:00Z') }), first.status);
  assert.deepEqual(later.status, first.status);
  assert.deepEqual(later.events, []);
});

test('the history is bounded by revisionHistoryLimit, newest first', () => {
  const ended = [1, 2, 3, 4].map((id) => deployment(id, 'Succeeded'));
  const { status } = settle(
    facts({ application: application({ revisionHistoryLimit: 2 }), ended }),
    undefined,
  );
  assert.deepEqual(
    environmentOf(status)?.history?.map(({ id }) => id),
    [4, 3],
  );
});

test('D7: a deployment that the history has already is not told twice', () => {
  const first = settle(facts(), undefined);
  const again = settle(facts({ ended: [deployment(1, 'Failed'), deployment(2, 'Succeeded')] }), first.status);
  assert.deepEqual(
    environmentOf(again.status)?.history?.map(({ id, outcome }) => `${id} ${outcome}`),
    ['2 Succeeded', '1 Succeeded'],
  );
});

test('S14: what others write into the history hides nothing that ran, and goes', () => {
  const { status } = settle(facts(), undefined);
  const entry = environmentOf(status);
  const [first] = entry?.history ?? [];
  assert.ok(first !== undefined && entry !== undefined);
  const feigned = { ...first, startedAt: '2026-11-23T09:00:00Z', revision: 'f'.repeat(40) };
  const history = [{ ...feigned, id: 99 }, { ...feigned, id: 2 }, feigned];
  const ended = [deployment(1, 'Succeeded'), deployment(2, 'Failed')];
  const after = settle(facts({ ended, lastId: 2 }), { ...status, environments: [{ ...entry, history }] });
  assert.deepEqual(
    environmentOf(after.status)?.history?.map(({ id, outcome, revision }) => `${id} ${outcome} ${revision}`),
    [`2 Failed ${REVISION}`, `1 Succeeded ${REVISION}`],
  );
});

test('A4: a Git server out of reach is told beside what runs, which stays Ready', () => {
  const sourceError = new TowpathError('Time', 'ConnectionRefused', 'git.example.com refuses connections.');
  const { status } = settle(facts({ sourceError }), undefined);
  const conditions = Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: is, reason }) => [type, `${is} ${reason}`]),
  );
  assert.deepEqual(conditions, { Ready: 'True Synced', Reconciling: 'True ConnectionRefused' });
  assert.match(status.conditions?.[0]?.message ?? '', /refuses connections/);
});

test('A14: a newer version that renders the same keeps the chart that was told of it, though an older one runs', () => {
  const chart = (version: string) => ({
    repository: 'https://charts.example.com',
    name: 'web',
    version,
    digest: version.at(-1)?.repeat(64) ?? '',
  });
  const told = (published: string, before: Status) =>
    settle(facts({ source: { revision: '6.7.1', ref: '', published: chart(published) } }), before).status;
  const rendered = told('6.7.1', undefined);
  assert.equal(rendered.source?.chart?.version, '6.7.1');
  assert.deepEqual(told('6.7.0', rendered).source, rendered.source);
  assert.equal(told('6.7.0', undefined).source?.chart, undefined);
  const revision = `6.7.1@${REVISION}`;
  const besideGit = settle(
    facts({ source: { revision, ref: 'main', published: chart('6.7.1') } }),
    undefined,
  );
  assert.equal(besideGit.status.source?.chart?.version, '6.7.1');
});

test('what is refused stands with its errors and their number, while what runs keeps its revision', () => {
  const before = settle(facts(), undefined).status;
  const { status, events } = settle(
    facts({
      standing: {
        sync: 'Quarantined',
        reason: 'ChartInvalid',
        message: 'The chart is broken.',
        remedy: 'Person',
      },
      source: { revision: 'b'.repeat(40), ref: 'refs/heads/main' },
      rejected: {
        revision: 'b'.repeat(40),
        alone: true,
        errors: [{ message: 'one', file: 'a.yaml', line: 3 }, { message: 'two' }],
      },
    }),
    before,
  );
  assert.equal(status.quarantine?.total, 2);
  assert.deepEqual(status.quarantine?.errors?.[0], {
    environment: 'default',
    alone: true,
    message: 'one',
    file: 'a.yaml',
    line: 3,
  });
  assert.equal(environmentOf(status)?.revision, REVISION);
  assert.equal(environmentOf(status)?.desiredRevision, 'b'.repeat(40));
  assert.deepEqual(events, [{ type: 'Warning', reason: 'ChartInvalid', message: 'The chart is broken.' }]);
});

test('drift that was repaired is told with its author, and no longer counted', () => {
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
  const drift = {
    count: 1,
    lastAt: '2026-11-23T09:59:59Z',
    lastBy: 'kubectl-edit',
    lastObject: object,
    isGone: false,
  };
  const before = settle(facts(), undefined).status;
  const gone = { ...object, name: 'gone' };
  const done = {
    repaired: [
      { object, by: 'kubectl-edit', at: drift.lastAt },
      { object: gone, at: drift.lastAt },
    ],
    pruned: [],
    endedHooks: [],
  };
  const repaired = settle(facts({ drift: { ...drift, count: 0 }, done }), before);
  assert.deepEqual(environmentOf(repaired.status)?.drift, {
    count: 0,
    lastAt: '2026-11-23T09:59:59Z',
    lastBy: 'kubectl-edit',
    lastObject: 'ConfigMap shop/web',
  });
  assert.deepEqual(repaired.events.map(({ message }) => message).sort(), [
    'ConfigMap shop/gone was put back to what Git says.',
    'ConfigMap shop/web was put back to what Git says after a change by kubectl-edit.',
  ]);
  const later = settle(facts(), repaired.status as ApplicationStatus);
  assert.deepEqual(environmentOf(later.status)?.drift, environmentOf(repaired.status)?.drift);
});

test('what stands in the way is told with since when: as long as it is the same, whatever its message counts', () => {
  const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);
  const waitsFor = (reason: string, message: string): Standing => ({
    sync: 'Blocked',
    reason,
    message,
    remedy: 'Time',
  });
  const blockedBy = (status: Status) => environmentOf(status)?.blockedBy;
  const first = settle(facts({ standing: waitsFor('Unreachable', 'Try 1.') }), undefined).status;
  const since = '2026-11-23T10:00:00Z';
  assert.deepEqual(blockedBy(first), [{ reason: 'Unreachable', message: 'Try 1.', since }]);
  const second = settle(facts({ now: at(30), standing: waitsFor('Unreachable', 'Try 2.') }), first).status;
  assert.deepEqual(blockedBy(second), [{ reason: 'Unreachable', message: 'Try 2.', since }]);
  const other = settle(facts({ now: at(60), standing: waitsFor('KindMissing', 'Why.') }), second).status;
  assert.equal(blockedBy(other)?.[0]?.since, '2026-11-23T10:01:00Z');
  const over = settle(facts({ now: at(90) }), other).status;
  assert.equal(blockedBy(over), undefined);
});

test('what is tried again, what was kept and what is refused names its environment', () => {
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'old' };
  const { status } = settle(
    facts({
      environment: 'staging',
      retry: { attempts: 2, nextAt: NOW },
      kept: [{ object, reason: 'Why.' }],
      rejected: { revision: REVISION, errors: [{ message: 'Wrong.' }] },
    }),
    undefined,
  );
  assert.deepEqual(status.retry, { attempts: 2, nextAt: '2026-11-23T10:00:00Z', environment: 'staging' });
  assert.deepEqual(status.kept, [{ environment: 'staging', object, reason: 'Why.' }]);
  assert.deepEqual(status.quarantine?.errors, [{ environment: 'staging', message: 'Wrong.' }]);
  assert.deepEqual(
    status.environments?.map(({ name }) => name),
    ['staging'],
  );
});

test('what was pruned, and drift that is left alone, are told in an event each', () => {
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'old', uid: 'u' };
  const before = settle(facts(), undefined).status;
  const pruned = settle(facts({ done: { repaired: [], pruned: [object], endedHooks: [] } }), before);
  assert.deepEqual(pruned.events, [
    { type: 'Normal', reason: 'Pruned', message: 'ConfigMap shop/old is no longer in Git and was deleted.' },
  ]);
  const outOfSync: Standing = {
    sync: 'OutOfSync',
    reason: 'OutOfSync',
    message: 'ConfigMap shop/old was changed.',
  };
  const drift = { count: 2, lastAt: '2026-11-23T09:59:59Z', lastObject: object, isGone: false };
  const reported = settle(facts({ standing: outOfSync, drift }), before);
  const told = [{ type: 'Warning', reason: 'DriftReported', message: outOfSync.message }];
  assert.deepEqual(reported.events, told);
  const next = (more: Partial<typeof drift> & { lastBy?: string }) =>
    settle(facts({ standing: outOfSync, drift: { ...drift, ...more } }), reported.status).events;
  assert.deepEqual(next({}), []);
  assert.deepEqual(next({ count: 1 }), [], 'less drift is no news');
  assert.deepEqual(next({ count: 3 }), told);
  assert.deepEqual(next({ lastBy: 'somebody' }), told);
  assert.deepEqual(next({ lastObject: { ...object, name: 'new' } }), told);
});

test('what is waited for is told in an event once, whatever numbers its message has', () => {
  const before = settle(facts(), undefined).status;
  const waiting = (message: string): Standing => ({
    sync: 'Blocked',
    reason: 'QuotaExceeded',
    message,
    remedy: 'Resource',
  });
  const told = settle(facts({ standing: waiting('9 of 10 are used.') }), before);
  assert.deepEqual(told.events, [{ type: 'Warning', reason: 'QuotaExceeded', message: '9 of 10 are used.' }]);
  assert.deepEqual(settle(facts({ standing: waiting('10 of 10 are used.') }), told.status).events, []);
});

test('each commit that waits for a request is told in an event', () => {
  const before = settle(facts(), undefined).status;
  const awaiting = (message: string): Standing => ({ sync: 'OutOfSync', reason: 'AwaitingSync', message });
  const told = settle(facts({ standing: awaiting('ConfigMap a would change.') }), before);
  assert.deepEqual(told.events, [
    { type: 'Normal', reason: 'AwaitingSync', message: 'ConfigMap a would change.' },
  ]);
  const next = settle(facts({ standing: awaiting('ConfigMap b would change.') }), told.status);
  assert.equal(next.events.length, 1);
  assert.deepEqual(
    settle(facts({ standing: awaiting('ConfigMap b would change.') }), next.status).events,
    [],
  );
});

test('a revision is shown as branch@7 digits, tag, or 7 digits', () => {
  assert.equal(shortRevision(REVISION, 'refs/heads/feature/x'), 'feature/x@4f2c81a');
  assert.equal(shortRevision(REVISION, 'refs/tags/v1.2.3'), 'v1.2.3');
  assert.equal(shortRevision(REVISION, ''), '4f2c81a');
  assert.equal(shortRevision('6.7.0', ''), '6.7.0');
  assert.equal(shortRevision(`6.7.0@${REVISION}`, 'refs/heads/main'), '6.7.0 main@4f2c81a');
  const long = shortRevision(REVISION, `refs/heads/renovate/${'b'.repeat(300)}`);
  assert.match(long, /^renovate\/b+…@4f2c81a$/);
  assert.equal(Buffer.byteLength(long), 80);
});

test('of what only time clears it is told by when it is tried again, of what others clear it is not', () => {
  const retry = { attempts: 2, nextAt: new Date(NOW.getTime() + 30_000) };
  const clearsAt = (remedy: Standing['remedy']) => {
    const { status } = settle(facts({ standing: standing('Blocked', remedy), retry }), undefined);
    return environmentOf(status)?.blockedBy?.map((one) => one.clearsAt);
  };
  assert.deepEqual(clearsAt('Time'), ['2026-11-23T10:00:30Z']);
  assert.deepEqual(clearsAt('Resource'), [undefined]);
  assert.deepEqual(clearsAt('Person'), [undefined]);
});
