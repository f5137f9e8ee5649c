import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Application,
  EnvironmentStatus,
  HistoryEntry,
} from '../../operator/api/v1alpha1/application.ts';
import { parseApplication } from '../../operator/api/v1alpha1/application.ts';
import { SYNC_STATES } from '../../operator/api/v1alpha1/application-status.ts';
import { Overtaken } from './overtaken.ts';
import { type Awaited, verdictOn } from './verdict.ts';
import { verdictOnAll } from './wait.ts';

const AT = '2026-11-23T10:00:00Z';
const REVISION = 'a'.repeat(40);
const NEWER = 'b'.repeat(40);
const DIGEST = `sha256:${'1'.repeat(64)}`;

const awaited = (goal: Awaited['goal'] = 'healthy'): Awaited => ({
  by: 'revision',
  digits: REVISION.slice(0, 7),
  goal,
});

function entry(outcome: HistoryEntry['outcome'], more: Partial<HistoryEntry> = {}): HistoryEntry {
  const of: HistoryEntry = { id: 3, revision: REVISION, digest: DIGEST, trigger: 'Commit', startedAt: AT };
  return { ...of, ...(outcome === undefined ? {} : { outcome }), ...more };
}

function environment(more: Partial<EnvironmentStatus> = {}): EnvironmentStatus {
  return {
    name: 'staging',
    sync: 'Synced',
    health: 'Healthy',
    revision: REVISION,
    desiredRevision: REVISION,
    digest: DIGEST,
    history: [entry('Succeeded')],
    ...more,
  };
}

function application(
  environments: readonly EnvironmentStatus[],
  { status = {}, suspend = false }: { status?: object; suspend?: boolean } = {},
): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: {
      source: { repoURL: 'https://git.example.com/web' },
      environments: [{ name: 'staging' }, { name: 'prod' }],
      suspend,
    },
    status: { observedGeneration: 1, environments, ...status },
  });
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return parsed.application;
}

function codeOf(of: EnvironmentStatus, goal: Awaited['goal'] = 'healthy', more = {}): number | undefined {
  return verdictOn(application([of], more), of, awaited(goal))?.code;
}

for (const sync of SYNC_STATES)
  test(`A3: wait answers at once about what runs and is healthy, whatever newer is ${sync}`, () => {
    const newer = environment({ sync, desiredRevision: NEWER });
    assert.deepEqual([codeOf(newer), codeOf(newer, 'synced')], [0, 0]);
    const worse = environment({ sync, health: 'Degraded' });
    assert.equal(codeOf(worse, 'synced'), 0);
    assert.equal(codeOf(worse), sync === 'Suspended' ? 8 : undefined);
  });

test('wait answers that it is so where the whole Application was suspended after that', () => {
  assert.equal(codeOf(environment({ sync: 'Suspended' }), 'healthy', { suspend: true }), 0);
  const other = environment({ sync: 'Suspended', revision: NEWER, history: [] });
  assert.equal(codeOf(other, 'healthy', { suspend: true }), 8);
});

test('wait goes on for what is under way, is deployed once more, or has the digest of nothing that succeeded', () => {
  const syncing = { sync: 'Syncing', health: 'Healthy' } as const;
  const before = entry('Succeeded', { id: 2, revision: NEWER, digest: `sha256:${'2'.repeat(64)}` });
  for (const history of [
    [before],
    [before, entry('Succeeded', { id: 1 })],
    ...(['Failed', 'RolledBack', 'Superseded'] as const).map((outcome) => [
      before,
      entry(outcome, { id: 1 }),
    ]),
  ])
    assert.deepEqual([codeOf(environment({ ...syncing, history })), history.length > 0], [undefined, true]);
});

test('a commit that has the manifests of the one before has no entry of its own, and runs all the same', () => {
  const history = [entry('Succeeded', { revision: 'c'.repeat(40) })];
  assert.equal(codeOf(environment({ sync: 'Waiting', history })), 0);
});

test('wait answers nothing final by a status that is about the spec before, but that it was deployed, or is suspended', () => {
  const quarantine = { revision: REVISION, total: 1 };
  const waiting = { revision: NEWER, desiredRevision: REVISION, history: [] };
  const cases: [Partial<EnvironmentStatus>, number, object?][] = [
    [{ ...waiting, sync: 'Suspended' }, 8],
    [{ ...waiting, sync: 'Quarantined' }, 5, { quarantine }],
    [{ ...waiting, sync: 'Failed', history: [entry('Failed')] }, 4],
  ];
  for (const [of, code, more = {}] of cases) {
    const codeAt = (observedGeneration: number) =>
      codeOf(environment(of), 'healthy', { status: { observedGeneration, ...more } });
    assert.deepEqual([codeAt(1), codeAt(0)], [code, undefined], of.sync);
  }
  const before = { status: { observedGeneration: 0 } };
  assert.equal(codeOf(environment(), 'healthy', before), 0);
  assert.equal(codeOf(environment(waiting), 'healthy', { ...before, suspend: true }), 8);
});

const CANDIDATE = `sha256:${'c'.repeat(64)}`;
const byCandidate: Awaited = { by: 'candidate', digits: 'c'.repeat(12), goal: 'healthy' };

test('wait for a candidate answers at once that it runs where commits since then changed none of its manifests', () => {
  const history = [entry('Succeeded', { candidate: CANDIDATE })];
  const of = environment({ revision: NEWER, desiredRevision: NEWER, history });
  assert.deepEqual(verdictOn(application([of]), of, byCandidate), {
    code: 0,
    message: 'shop/web in staging runs it: Synced, Healthy.',
    isOfNow: true,
  });
  const worse = { ...of, health: 'Degraded' as const };
  assert.equal(verdictOn(application([worse]), worse, byCandidate), undefined, 'it runs, and is not healthy');
});

test('wait for a candidate: of a commit with several, what is being gone back to is the one whose manifests run', () => {
  const other = { candidate: `sha256:${'d'.repeat(64)}`, digest: `sha256:${'2'.repeat(64)}` };
  const history = [entry('Failed', { id: 4, ...other }), entry('Succeeded', { candidate: CANDIDATE })];
  const of = environment({ sync: 'Syncing', history });
  const codeFor = (digit: string) =>
    verdictOn(application([of]), of, { ...byCandidate, digits: digit.repeat(12) })?.code;
  assert.deepEqual([codeFor('c'), codeFor('d')], [undefined, 4]);
});

test('D1: wait takes what one environment refuses for itself for no refusal of the others, and each by its own message', () => {
  const quarantine = {
    revision: REVISION,
    errors: [{ environment: 'prod', alone: true, message: 'No path prod.' }],
    total: 1,
  };
  const coming = { revision: BEFORE, desiredRevision: REVISION, history: [] };
  const staging = environment({ ...coming, sync: 'Syncing' });
  const prod = environment({ ...coming, name: 'prod', sync: 'Quarantined', message: 'No path prod.' });
  const all = application([staging, prod], { status: { quarantine } });
  assert.equal(verdictOnAll(all, 'staging', awaited()), undefined, 'it is being deployed there');
  assert.deepEqual(verdictOnAll(all, 'prod', awaited()), {
    code: 5,
    message: 'In shop/web in prod it was refused: No path prod. All errors: kubectl towpath why web -n shop',
  });
});

test('D1: wait is told of each commit that is refused where environments follow several refs, and the status has one', () => {
  const refused: Partial<EnvironmentStatus> = { sync: 'Quarantined', revision: BEFORE, history: [] };
  const staging = environment({ ...refused, message: 'Wrong.' });
  const prod = environment({ ...refused, name: 'prod', desiredRevision: NEWER, message: 'Worse.' });
  const candidate = `sha256:${'9'.repeat(64)}`;
  const all = application([staging, prod], {
    status: { quarantine: { revision: NEWER, candidate, total: 2 } },
  });
  const codeOfIn = (name: string, digits: string, by: Awaited['by'] = 'revision') =>
    verdictOnAll(all, name, { by, digits, goal: 'healthy' })?.code;
  assert.deepEqual(
    [codeOfIn('staging', REVISION), codeOfIn('prod', NEWER), codeOfIn('prod', '9'.repeat(12), 'candidate')],
    [5, 5, 5],
  );
  const others = [codeOfIn('staging', NEWER), codeOfIn('staging', '9'.repeat(12), 'candidate')];
  assert.deepEqual([...others, codeOfIn('prod', REVISION)], [undefined, undefined, undefined]);
});

test('wait: what was rolled back failed', () => {
  const history = [
    entry('Succeeded', { id: 4, revision: NEWER }),
    entry('RolledBack', { message: 'It broke.' }),
  ];
  const of = environment({ revision: NEWER, history });
  assert.deepEqual(verdictOn(application([of]), of, awaited()), {
    code: 4,
    message: 'In shop/web in staging it was deployed and rolled back: It broke.',
  });
});

test('wait: what failed for good is told while another environment is tried again', () => {
  const failed = environment({ name: 'prod', sync: 'Failed', history: [entry('Failed')] });
  const retry = { attempts: 2, nextAt: AT };
  const codeWith = (of: string) =>
    codeOf(failed, 'healthy', { status: { retry: { ...retry, environment: of } } });
  assert.deepEqual([codeWith('staging'), codeWith('prod')], [4, undefined]);
});

test('wait without an environment asks nothing of one that the spec names no more', () => {
  const left = environment({ name: 'old', sync: 'Blocked', revision: NEWER, history: [] });
  const all = application([environment(), environment({ name: 'prod' }), left]);
  assert.equal(verdictOnAll(all, undefined, awaited())?.code, 0);
  assert.equal(verdictOnAll(all, 'old', awaited()), undefined);
});

const BEFORE = 'd'.repeat(40);

/** What a wait that sees these states of an environment, one after the other, answers to the last of them. */
function afterSeeing(states: readonly Partial<EnvironmentStatus>[], of: Awaited = awaited()) {
  const overtaken = new Overtaken(of);
  const source = (revision: string | undefined) => ({
    revision: revision ?? BEFORE,
    candidate: revision === REVISION ? CANDIDATE : `sha256:${'e'.repeat(64)}`,
  });
  return states
    .map((state) => {
      const one = environment({
        revision: BEFORE,
        digest: `sha256:${'2'.repeat(64)}`,
        history: [],
        ...state,
      });
      const status = { source: source(state.desiredRevision) };
      return verdictOn(application([one], { status }), one, of, overtaken);
    })
    .at(-1);
}

const waits = { sync: 'Waiting', desiredRevision: REVISION } as const;
const newerWaits = { sync: 'Waiting', desiredRevision: NEWER } as const;

const begun: readonly [Partial<EnvironmentStatus>, number | undefined][] = [
  [{ sync: 'Syncing', revision: NEWER }, 6],
  [{ sync: 'Synced', revision: NEWER }, 6],
  [{ sync: 'Failed', history: [entry('RolledBack', { id: 4, revision: NEWER })] }, 6],
  [newerWaits, undefined],
  [{ sync: 'Held', history: [entry('Succeeded', { id: 4, revision: BEFORE })] }, undefined],
];

test('wait: what waited for its turn is superseded once something newer was begun in its place, and not before', () => {
  for (const asked of [awaited(), byCandidate])
    for (const [then, code] of begun) {
      const last = { ...newerWaits, ...then };
      assert.equal(afterSeeing([waits, newerWaits, last], asked)?.code, code, `${asked.by} ${then.sync}`);
      assert.equal(
        afterSeeing([newerWaits, last], asked),
        undefined,
        'it was never to run, as far as was seen',
      );
    }
  assert.equal(
    afterSeeing([waits, { ...newerWaits, sync: 'Synced', revision: NEWER }])?.message,
    'In shop/web in staging a newer one, bbbbbbb, took its place before its turn came.',
  );
});

test('wait: what is pushed once more is waited for, whatever took its place before', () => {
  const history = [
    entry('Succeeded', { id: 4, revision: NEWER }),
    entry('Superseded', { candidate: CANDIDATE }),
  ];
  const runsNewer = { revision: NEWER, history };
  for (const asked of [awaited(), byCandidate]) {
    assert.equal(afterSeeing([{ ...runsNewer, desiredRevision: NEWER }], asked)?.code, 6);
    assert.equal(afterSeeing([{ ...runsNewer, ...waits }], asked), undefined);
    assert.equal(afterSeeing([{ ...runsNewer, ...waits, sync: 'Held' }], asked)?.code, 6, 'a rollback holds');
    assert.equal(
      afterSeeing([{ ...runsNewer, ...waits }, { ...runsNewer, ...newerWaits }, waits], asked),
      undefined,
    );
  }
});

const underWay = { sync: 'Syncing', health: 'Progressing', desiredRevision: REVISION } as const;
/** Under a commit that changes nothing of it. */
const moved = { revision: NEWER, desiredRevision: NEWER, digest: DIGEST } as const;
const third = 'e'.repeat(40);

function ofMoved(outcome: HistoryEntry['outcome']) {
  return { history: [entry(outcome, { id: 4, revision: NEWER })] };
}

const movedTo: readonly [string, Partial<EnvironmentStatus>, number | undefined][] = [
  ['is under way', { ...moved, sync: 'Syncing', health: 'Progressing' }, undefined],
  ['succeeded', { ...moved, ...ofMoved('Succeeded') }, 0],
  ['is not healthy yet', { ...moved, health: 'Degraded', ...ofMoved('Succeeded') }, undefined],
  ['failed', { ...moved, sync: 'Failed', ...ofMoved('Failed') }, 4],
  ['was rolled back', { desiredRevision: NEWER, sync: 'Failed', ...ofMoved('RolledBack') }, 4],
  [
    'was overtaken',
    { revision: third, desiredRevision: third, sync: 'Syncing', ...ofMoved('Superseded') },
    6,
  ],
  ['succeeded before', { revision: third, desiredRevision: third, ...ofMoved('Succeeded') }, 0],
];

for (const [what, then, code] of movedTo)
  test(`A11: wait for a commit goes by its own deployment where a newer one changes nothing of it: it ${what}`, () => {
    const deploying = { ...underWay, revision: REVISION, digest: DIGEST };
    const waiting = { ...waits, desiredDigest: DIGEST };
    const outOfReach = { ...waits, sync: 'Blocked' } as const;
    const newer = { ...moved, sync: 'Syncing', health: 'Progressing' } as const;
    assert.equal(afterSeeing([deploying, newer, then])?.code, code);
    assert.equal(afterSeeing([waiting, { ...newerWaits, desiredDigest: DIGEST }, newer, then])?.code, code);
    assert.equal(afterSeeing([waiting, outOfReach, newer, then])?.code, code);
  });

test('A11: wait goes on for what failed, and is tried again under a newer commit that changes nothing of it', () => {
  const overtaken = new Overtaken(awaited());
  const retry = { attempts: 1, nextAt: AT };
  const codeAt = (more: Partial<EnvironmentStatus>, status: object) => {
    const of = environment({ sync: 'Failed', history: [entry('Failed')], ...more });
    return verdictOn(application([of], { status }), of, awaited(), overtaken)?.code;
  };
  assert.equal(codeAt({}, { retry }), undefined);
  assert.equal(codeAt(moved, { retry }), undefined);
  assert.equal(codeAt(moved, {}), 4);
  assert.equal(codeAt({ ...moved, desiredRevision: third }, { retry }), 4, 'something newer is to run');
});

test('wait: a newer commit with other manifests takes its place, whatever ran before with the same', () => {
  const history = [entry('Succeeded', { id: 4, revision: NEWER, digest: `sha256:${'3'.repeat(64)}` })];
  const deploying = { ...underWay, revision: REVISION, digest: DIGEST };
  const other = { revision: NEWER, desiredRevision: NEWER, digest: `sha256:${'3'.repeat(64)}` };
  assert.equal(afterSeeing([deploying, { ...other, sync: 'Syncing' }])?.code, 6);
  assert.equal(afterSeeing([deploying, { ...other, history }])?.code, 6);
  assert.equal(afterSeeing([waits, { ...other, digest: DIGEST }])?.code, 6, 'whose manifests nobody told');
});
