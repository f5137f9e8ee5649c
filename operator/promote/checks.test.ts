import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  againAt,
  begunFor,
  CHECK_OUTCOMES,
  type Check,
  type CheckRun,
  type CheckSituation,
  type Checks,
  checksAfter,
  deadlineOf,
  isUnfinished,
  lostOf,
  MOST_TRIES,
  nextCheck,
  runningOn,
  standingOf,
  verdictOf,
} from './checks.ts';

const NOW = new Date('2026-11-29T10:00:00Z');
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);
const DIGEST = `sha256:${'d'.repeat(64)}`;
const OTHER = `sha256:${'e'.repeat(64)}`;
const SMOKE: Check = {
  name: 'smoke',
  template: 'a'.repeat(64),
  deadlineMs: 600_000,
  job: { spec: { template: {}, backoffLimit: 0, activeDeadlineSeconds: 600 } },
};
const FRESH: Check = { ...SMOKE, validForMs: 3_600_000 };
const BEGUN: CheckRun = {
  check: SMOKE.name,
  template: SMOKE.template,
  run: 1,
  startedAt: NOW.toISOString(),
};

function ended(outcome: (typeof CHECK_OUTCOMES)[number], changes: Partial<CheckRun> = {}): CheckRun {
  return { ...BEGUN, ended: { outcome, at: NOW.toISOString(), why: 'exit code 1' }, ...changes };
}

const known = (...runs: readonly CheckRun[]): Checks => ({ digest: DIGEST, runs });

function situation(changes: Partial<CheckSituation> = {}): CheckSituation {
  const nothing = { request: undefined, isAwaited: false, isWaitedFor: () => true };
  return { wanted: [SMOKE], digest: DIGEST, now: later(1), isHealthy: true, ...nothing, ...changes };
}

const NO_ENDS = new Map();

/** What is to be begun, where something is. */
function begun(before: Checks | undefined, changes: Partial<CheckSituation> = {}): CheckRun | undefined {
  const all = situation(changes);
  const run = checksAfter(before, NO_ENDS, all)?.runs.find(
    (one) => one.startedAt === all.now.toISOString() && one.ended === undefined,
  );
  return run;
}

const ROWS: readonly [string, Checks | undefined, Partial<CheckSituation>, number | undefined][] = [
  ['nothing ran yet', undefined, {}, 1],
  ['… before it is healthy', undefined, { isHealthy: false }, undefined],
  ['… and nobody waits for it', undefined, { isWaitedFor: () => false }, undefined],
  ['it runs', known(BEGUN), {}, undefined],
  ['it passed', known(ended('Passed')), {}, undefined],
  ['A7: it passed for other manifests', { ...known(ended('Passed')), digest: OTHER }, {}, 1],
  ['it passed with another template', known(ended('Passed', { template: 'b'.repeat(64) })), {}, 1],
  ['it failed', known(ended('Failed')), { now: later(1e6) }, undefined],
  ['… and a person asks again', known(ended('Failed')), { request: 'f' }, 2],
  ['… and did so before', { ...known(ended('Failed')), request: 'f' }, { request: 'f' }, undefined],
  ['a person asks again of what passed', known(ended('Passed')), { request: 'f' }, undefined],
  ['it could not run', known(ended('CouldNotRun')), {}, undefined],
  ['… and is tried again', known(ended('CouldNotRun')), { now: later(15) }, 2],
  [
    '… for the last time',
    known(ended('CouldNotRun', { tries: MOST_TRIES - 1 })),
    { now: later(1e6) },
    undefined,
  ],
  [
    '… unless a person asks',
    known(ended('CouldNotRun', { tries: MOST_TRIES - 1 })),
    { request: 'f', now: later(1e6) },
    2,
  ],
  ['A10: it passed too long ago', known(ended('Passed')), { wanted: [FRESH], now: later(3_601) }, undefined],
  [
    '… and something would enter by it',
    known(ended('Passed')),
    { wanted: [FRESH], now: later(3_601), isAwaited: true },
    2,
  ],
  [
    '… which is young enough',
    known(ended('Passed')),
    { wanted: [FRESH], now: later(3_599), isAwaited: true },
    undefined,
  ],
];

for (const [name, before, changes, run] of ROWS)
  test(`a check: ${name}`, () => assert.equal(begun(before, changes)?.run, run));

test('A6: what could not run is tried again with pauses, and then waits for a person', () => {
  let run = ended('CouldNotRun');
  const pauses = [];
  for (let again = againAt(run); again !== undefined; again = againAt(run)) {
    const next = begun(known(run), { now: again });
    assert.ok(next !== undefined);
    pauses.push((again.getTime() - Date.parse(run.ended?.at ?? '')) / 1_000);
    run = { ...next, ended: { outcome: 'CouldNotRun', at: next.startedAt } };
  }
  assert.deepEqual(pauses, [15, 30, 60]);
  assert.equal(standingOf(SMOKE, DIGEST, known(run), later(1e6)).is, 'CouldNotRun');
  assert.equal(isUnfinished(run), false);
});

test('A6: what could not run counts neither as passed nor as failed', () => {
  const { is } = standingOf(SMOKE, DIGEST, known(ended('CouldNotRun')), NOW);
  assert.equal(is, 'CouldNotRun');
});

test('a check whose policy has it no more is forgotten, and nothing is written where nothing changed', () => {
  const before = known(ended('Passed'));
  assert.equal(checksAfter(before, NO_ENDS, situation()), before);
  assert.equal(checksAfter(before, NO_ENDS, situation({ wanted: [] })), undefined);
  assert.equal(checksAfter(undefined, NO_ENDS, situation({ wanted: [] })), undefined);
});

test('a run is looked at again at its deadline, and one that could not run when it is tried again', () => {
  const next = (run: CheckRun, now = NOW) => nextCheck([SMOKE], known(run), now);
  assert.deepEqual(next(BEGUN), deadlineOf(SMOKE, BEGUN));
  assert.deepEqual(next(ended('CouldNotRun')), later(15));
  assert.equal(
    next(ended('CouldNotRun'), later(15)),
    undefined,
    'it waits for health, and is not polled for it',
  );
  assert.equal(next(ended('Passed')), undefined);
  assert.equal(next(ended('Failed')), undefined);
});

test('A6: what verifies has failed with one check that failed, passed with all, and else is not decided', () => {
  const load = { ...SMOKE, name: 'load' };
  const wanted = [SMOKE, load];
  const of = (...runs: readonly CheckRun[]) =>
    verdictOf(['smoke', 'load'], wanted, DIGEST, known(...runs)).is;
  const loaded = { check: 'load' };
  assert.equal(of(ended('Passed'), ended('Passed', loaded)), 'Passed');
  assert.equal(of(ended('Passed')), 'Unfinished');
  assert.equal(of(ended('Passed'), { ...BEGUN, ...loaded }), 'Unfinished');
  assert.equal(of({ ...BEGUN, ...loaded }, ended('Failed')), 'Failed');
  assert.equal(of(ended('Passed'), ended('CouldNotRun', { ...loaded, tries: 9 })), 'Unfinished');
  assert.equal(verdictOf(['smoke', 'load'], wanted, OTHER, known(ended('Failed'))).is, 'Unfinished');
  assert.deepEqual(verdictOf([], [], DIGEST, undefined), { is: 'Passed' });
  assert.deepEqual(verdictOf(['smoke'], [SMOKE], DIGEST, known(ended('Failed'))), {
    is: 'Failed',
    why: 'Check smoke failed: exit code 1.',
  });
});

test('A7: a check that something entered with is not passed by taking it out of the policy, and what it came to is kept', () => {
  const gone: readonly Check[] = [];
  const of = (...runs: readonly CheckRun[]) => verdictOf(['smoke'], gone, DIGEST, known(...runs)).is;
  assert.equal(verdictOf(['smoke'], gone, DIGEST, undefined).is, 'Unfinished', 'it never ran');
  assert.equal(of(BEGUN), 'Unfinished', 'nobody sees its end');
  assert.equal(of(ended('Passed')), 'Passed');
  assert.equal(of(ended('Failed')), 'Failed');
  const changed = { ...SMOKE, template: 'b'.repeat(64) };
  assert.equal(verdictOf(['smoke'], [changed], DIGEST, known(ended('Passed'))).is, 'Unfinished');
  assert.equal(verdictOf([], [SMOKE], DIGEST, undefined).is, 'Passed', 'one that came later is not asked');

  assert.deepEqual(lostOf(['smoke', 'load'], gone, DIGEST, known(ended('Passed'))), ['load']);
  assert.deepEqual(lostOf(['smoke'], [SMOKE], DIGEST, undefined), []);

  const before = known(ended('Passed'), { ...BEGUN, check: 'load' });
  const without = situation({ wanted: gone, kept: ['smoke', 'load'] });
  assert.deepEqual(checksAfter(before, new Map(), without)?.runs, [ended('Passed')]);
  assert.equal(checksAfter(before, new Map(), situation({ wanted: gone })), undefined);
});

test('A2: where a policy is lost, what was begun goes on to its end and is kept; nothing is begun, and what it came to counts', () => {
  const load = ended('Passed', { check: 'load' });
  const before = known(BEGUN, load);
  const without = situation({ wanted: begunFor(DIGEST, before), isHealthy: false });
  assert.equal(checksAfter(before, NO_ENDS, without), before, 'also of what nobody entered with');
  assert.deepEqual(runningOn(['smoke', 'load'], [], DIGEST, before), ['smoke']);
  assert.deepEqual(runningOn(['smoke'], [SMOKE], DIGEST, before), [], 'a policy has it again');
  assert.deepEqual(lostOf(['smoke', 'load'], [], DIGEST, before), []);

  const end = { outcome: 'Failed', at: NOW.toISOString(), why: 'exit code 1' } as const;
  const after = checksAfter(before, new Map([[BEGUN, end]]), without);
  assert.deepEqual(after, known({ ...BEGUN, ended: end }, load));
  assert.equal(verdictOf(['smoke', 'load'], [], DIGEST, after).is, 'Failed');

  assert.deepEqual(
    lostOf(['smoke'], [], DIGEST, known(ended('CouldNotRun'))),
    ['smoke'],
    'nobody tries it again',
  );
  assert.deepEqual(begunFor(OTHER, before), []);
});

/** What happens to the checks of an environment, one thing after the other. */
const EVENTS = fc.array(
  fc.record({
    seconds: fc.integer({ min: 1, max: 7_200 }),
    digest: fc.constantFrom(DIGEST, OTHER),
    isHealthy: fc.boolean(),
    end: fc.option(fc.constantFrom(...CHECK_OUTCOMES), { nil: undefined }),
    isAwaited: fc.boolean(),
    request: fc.option(fc.constantFrom('f', 'e'), { nil: undefined }),
    wanted: fc.constantFrom([SMOKE], [FRESH], [{ ...SMOKE, template: 'b'.repeat(64) }], []),
  }),
  { maxLength: 30 },
);

test('A17: always: one run at a time, each has an end or a time, and no number comes twice for the same manifests', () => {
  fc.assert(
    fc.property(EVENTS, (events) => {
      let checks: Checks | undefined;
      let now = NOW;
      for (const { seconds, end, ...rest } of events) {
        now = new Date(now.getTime() + seconds * 1_000);
        const live = checks?.runs.filter((one) => one.ended === undefined) ?? [];
        const ends = new Map(
          end === undefined ? [] : live.map((one) => [one, { outcome: end, at: now.toISOString() }]),
        );
        const before = checks;
        checks = checksAfter(before, ends, { ...rest, isWaitedFor: () => true, now });
        for (const run of checks?.runs ?? []) {
          assert.ok(checks?.digest === rest.digest);
          const last =
            before?.digest === rest.digest ? before.runs.find((one) => isOfSame(one, run)) : undefined;
          assert.ok(run.run === (last?.run ?? 0) + (run.startedAt === last?.startedAt ? 0 : 1));
          const isOver = run.ended !== undefined && run.ended.outcome !== 'CouldNotRun';
          assert.ok(
            isOver || nextCheck(rest.wanted, checks, new Date(0)) !== undefined || (run.tries ?? 0) > 0,
          );
        }
        assert.equal(checks?.runs.length ?? 0, checks === undefined ? 0 : rest.wanted.length);
      }
    }),
  );
});

function isOfSame(one: CheckRun, other: CheckRun): boolean {
  return one.check === other.check && one.template === other.template;
}
