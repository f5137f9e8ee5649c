import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import {
  type LedgerEntry,
  ledgerRecord,
  ledgerRecords,
  ledgerText,
  removalRecord,
} from '../../operator/api/v1alpha1/ledger.ts';
import type { FinishedPhase, Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { beganIn, deploymentsByTarget, isAllKnown, type Reach, ranAt, ranBetween, rateOf } from './at.ts';
import { isFromBegin } from './read.ts';
import { unrecordedOf } from './unrecorded.ts';

const YEAR_MS = 365 * 24 * 60 * 60_000;
const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');
const iso = (ms: number) => new Date(BEGIN + ms).toISOString();

/** A deployment as it was, whatever the ledger says. */
interface Happened {
  id: number;
  from: number;
  /** When it had ended, or was overtaken. */
  until: number;
  phase: FinishedPhase;
}

/** Deployments of one target in a year: when each began, how long it took, and how it ended. */
const year = fc
  .array(
    fc.record({
      at: fc.integer({ min: 0, max: YEAR_MS }),
      took: fc.integer({ min: 1, max: 3 * 60 * 60_000 }),
      ended: fc.constantFrom('Succeeded' as const, 'Failed' as const),
    }),
    { minLength: 1, maxLength: 400 },
  )
  .map((drawn): Happened[] => {
    const starts = drawn.sort((one, other) => one.at - other.at);
    return starts.map(({ at, took, ended }, index) => {
      const next = starts[index + 1]?.at ?? Number.POSITIVE_INFINITY;
      const isOvertaken = at + took > next;
      return {
        id: index + 1,
        from: at,
        until: isOvertaken ? next : at + took,
        phase: isOvertaken ? 'Superseded' : ended,
      };
    });
  });

function promotion({ id, from, until, phase }: Happened): Promotion {
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: {
      // A name says nothing of the order.
      name: `x-${(id * 7919) % 1_000}-${id}`,
      namespace: 'shop',
      uid: `uid-${id}`,
      resourceVersion: '1',
      generation: 1,
      labels: {},
      annotations: {},
      finalizers: [],
    },
    spec: {
      type: 'Promote',
      application: 'web',
      environment: 'prod',
      candidate: `sha256:${id}`,
      skipGates: [],
      requestedBy: 'towpath:Commit',
      deployment: { applicationUID: 'a', id, startedAt: iso(from) },
    },
    status: {
      phase,
      deployment: id,
      requestedAt: iso(from),
      startedAt: iso(from),
      ...(phase === 'Succeeded' ? { deployedAt: iso(until) } : {}),
      finishedAt: iso(until),
      revision: `revision ${id}`,
    },
  };
}

const recordOf = (one: Happened): LedgerEntry => {
  const record = ledgerRecord(promotion(one));
  assert.ok(record);
  return record;
};

/** As an operator that restarts writes it: batches, in each what is there already once more, into chunks, in any order. */
function archived(happened: readonly Happened[], cuts: readonly number[]): LedgerEntry[] {
  const records = happened.map(recordOf);
  const chunks = cuts.map((cut, index) => records.slice(cuts[index - 1] ?? 0, cut));
  const texts = [...chunks, records.slice(cuts.at(-1) ?? 0)].map((chunk) =>
    ledgerText(chunk.flatMap((record) => ledgerRecords(`${JSON.stringify(record)}\n`).records)),
  );
  return texts.reverse().flatMap((text) => ledgerRecords(text).records);
}

const deploymentsOf = (entries: readonly LedgerEntry[]) => deploymentsByTarget(entries).get('web/prod') ?? [];

test('which version was where when is exact over a year of deployments, whatever restarted and however it was batched', () => {
  fc.assert(
    fc.property(
      year,
      fc.array(fc.nat(400)),
      fc.array(fc.integer({ min: -1_000, max: YEAR_MS + 10_000 }), { minLength: 20, maxLength: 60 }),
      (happened, drawn, moments) => {
        const cuts = drawn.map((cut) => Math.min(cut, happened.length)).sort((a, b) => a - b);
        const deployments = deploymentsOf(archived(happened, cuts));
        const edges = happened.flatMap(({ from, until }) => [from - 1, from, until - 1, until]);
        for (const moment of [...moments, ...edges.slice(0, 200)]) {
          // What happened, by its own account: the last that had begun by then.
          const ran = happened.findLast(({ from }) => from <= moment);
          const said = ranAt(deployments, new Date(BEGIN + moment), 'Whole');
          if (ran === undefined) assert.equal(said.is, 'Nothing');
          else {
            assert.ok(said.is === 'Recorded', `${said.is} at ${moment}`);
            assert.equal(said.entry.deployment, ran.id);
            assert.equal(said.phase, ran.until <= moment ? ran.phase : 'Deploying');
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

/** What happens to a name in a year: deployments, and the end of what has the name, which may be made anew after it. */
const lives = fc.uniqueArray(
  fc.record({
    at: fc.integer({ min: 0, max: YEAR_MS }),
    took: fc.integer({ min: 1, max: 3 * 60 * 60_000 }),
    ended: fc.constantFrom('Succeeded' as const, 'Failed' as const),
    isEnd: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 0),
    /** The operator was killed before it could let go, and does it all once more. */
    isKilled: fc.boolean(),
  }),
  { minLength: 1, maxLength: 300, selector: ({ at }) => at },
);

/** At that moment, until the next one. */
type Step = { at: number } & ({ happened: Happened; uid: string } | { happened: 'Removed'; again: boolean });

function stepsOf(
  drawn: readonly { at: number; took: number; ended: FinishedPhase; isEnd: boolean; isKilled: boolean }[],
): Step[] {
  const inOrder = [...drawn].sort((one, other) => one.at - other.at);
  let [life, id] = [1, 0];
  return inOrder.flatMap(({ at, took, ended, isEnd, isKilled }, index): Step[] => {
    const next = inOrder[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    if (isEnd) {
      if (id === 0) return [];
      [life, id] = [life + 1, 0];
      return [{ at, happened: 'Removed', again: isKilled && at + 1 < next }];
    }
    id += 1;
    const isOvertaken = at + took > next;
    const happened = {
      id,
      from: at,
      until: isOvertaken ? next : at + took,
      phase: isOvertaken ? 'Superseded' : ended,
    } as const;
    return [{ at, happened, uid: `life ${life}` }];
  });
}

function entriesOf(step: Step): LedgerEntry[] {
  const target = { application: 'web', environment: 'prod' };
  if (step.happened === 'Removed')
    return [step.at, ...(step.again ? [step.at + 1] : [])].map((at) => removalRecord(target, 'x', iso(at)));
  const uid = `${step.uid}, deployment ${step.happened.id}`;
  return [{ ...recordOf(step.happened), uid, applicationUID: step.uid }];
}

test('which version was where when is exact also where the Application was deleted and made anew under its name, again and again', () => {
  fc.assert(
    fc.property(
      lives,
      fc.array(fc.integer({ min: -1_000, max: YEAR_MS + 10_000 }), { minLength: 20, maxLength: 60 }),
      (drawn, moments) => {
        const steps = stepsOf(drawn);
        const deployments = deploymentsOf(steps.flatMap(entriesOf).reverse());
        const edges = steps.flatMap(({ at }) => [at - 1, at, at + 1]);
        for (const moment of [...moments, ...edges.slice(0, 300)]) {
          const last = steps.findLast(({ at }) => at <= moment);
          const said = ranAt(deployments, new Date(BEGIN + moment), 'Whole');
          if (last === undefined) assert.equal(said.is, steps.length === 0 ? 'NotRecorded' : 'Nothing');
          else if (last.happened === 'Removed') assert.equal(said.is, 'Removed');
          else {
            assert.ok(said.is === 'Recorded', `${said.is} at ${moment}`);
            assert.equal(said.entry.uid, `${last.uid}, deployment ${last.happened.id}`);
            assert.equal(said.phase, last.happened.until <= moment ? last.happened.phase : 'Deploying');
          }
        }
        const range = { from: new Date(BEGIN - 1), until: new Date(BEGIN + YEAR_MS) };
        const ends = ranBetween(deployments, range, 'Whole').filter(({ ran }) => ran.is === 'Removed');
        const removed = steps.filter(({ happened }) => happened === 'Removed');
        assert.equal(ends.length, removed.length, 'each end is told once');
      },
    ),
    { numRuns: 60 },
  );
});

test('what is lost is said to be not recorded, and never guessed', () => {
  fc.assert(
    fc.property(
      year,
      fc.func(fc.boolean()),
      fc.integer({ min: 0, max: YEAR_MS }),
      (happened, isKept, moment) => {
        const kept = happened.filter(({ id }) => isKept(id));
        const said = ranAt(deploymentsOf(kept.map(recordOf)), new Date(BEGIN + moment), 'Partial');
        const ran = happened.findLast(({ from }) => from <= moment);
        assert.notEqual(said.is, 'Nothing', 'where not all is known, nobody knows that');
        if (
          said.is === 'Recorded' &&
          ran !== undefined &&
          kept.some(({ id }) => id > (said.entry.deployment ?? 0))
        )
          assert.equal(said.entry.deployment, ran.id);
      },
    ),
    { numRuns: 100 },
  );
});

test('a range says what ran at its beginning, and each change until its end', () => {
  const happened: Happened[] = [
    { id: 1, from: 1_000, until: 2_000, phase: 'Succeeded' },
    { id: 2, from: 5_000, until: 6_000, phase: 'Superseded' },
    { id: 3, from: 6_000, until: 9_000, phase: 'Failed' },
  ];
  const range = { from: new Date(BEGIN + 1_500), until: new Date(BEGIN + 8_000) };
  const said = ranBetween(deploymentsOf(happened.map(recordOf)), range, 'Whole');
  assert.deepEqual(
    said.map(({ at, ran }) => [
      at.getTime() - BEGIN,
      ran.is === 'Recorded' && `${ran.entry.deployment} ${ran.phase}`,
    ]),
    [
      [1_500, '1 Deploying'],
      [2_000, '1 Succeeded'],
      [5_000, '2 Deploying'],
      [6_000, '3 Deploying'],
    ],
  );
});

test('an Application that is made anew under its name counts from 1, and nothing is missing between the two', () => {
  const first = recordOf({ id: 4, from: 1_000, until: 2_000, phase: 'Succeeded' });
  const second = {
    ...recordOf({ id: 1, from: 9_000, until: 9_500, phase: 'Succeeded' }),
    applicationUID: 'b',
  };
  const deployments = deploymentsOf([second, first]);
  const said = ranAt(deployments, new Date(BEGIN + 5_000), 'Partial');
  assert.equal(said.is === 'Recorded' && said.entry.deployment, 4);
});

test('an Application that was restored, or whose environment moved, counts on, and what ran before is proven by what comes after it', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const second = { ...recordOf({ id: 2, from: 1_000, until: 2_000, phase: 'Succeeded' }), digest };
  const third = {
    ...recordOf({ id: 3, from: 9_000, until: 9_500, phase: 'Succeeded' }),
    applicationUID: 'restored',
  };
  const between = (...entries: LedgerEntry[]) =>
    ranAt(deploymentsOf(entries), new Date(BEGIN + 5_000), 'Partial').is;
  assert.equal(between(second, { ...third, previous: { digest } }), 'Recorded');
  assert.equal(between(second, third), 'NotRecorded', 'its own first two may be lost');
  const removal = removalRecord({ application: 'web', environment: 'prod' }, 'a', iso(3_000));
  assert.equal(between(second, removal, { ...third, applicationUID: 'a' }), 'Removed');
});

test('what was removed runs no more, and what comes back counts from 1', () => {
  const at = (second: number) => new Date(BEGIN + second * 1_000);
  const target = { application: 'web', environment: 'prod' };
  const entries = [
    recordOf({ id: 7, from: 1_000, until: 2_000, phase: 'Succeeded' }),
    removalRecord(target, 'a', iso(5_000)),
    recordOf({ id: 1, from: 8_000, until: 9_000, phase: 'Failed' }),
  ];
  const said = (second: number, known: readonly LedgerEntry[] = entries) => {
    const ran = ranAt(deploymentsOf(known), at(second), 'Partial');
    return ran.is === 'Recorded' ? `${ran.entry.deployment} ${ran.phase}` : ran.is;
  };
  assert.deepEqual(
    [0, 1, 4, 5, 7, 8, 9].map((second) => said(second)),
    ['NotRecorded', '7 Deploying', '7 Succeeded', 'Removed', 'Removed', '1 Deploying', '1 Failed'],
  );
  const next = recordOf({ id: 2, from: 8_000, until: 9_000, phase: 'Succeeded' });
  assert.equal(said(6, [...entries.slice(0, 2), next]), 'NotRecorded', 'the first after it is lost');
});

test('what is lost between the last that is known and a removal is said to be not recorded: what ran before it runs no more', () => {
  const target = { application: 'web', environment: 'prod' };
  const fourth = recordOf({ id: 4, from: 1_000, until: 2_000, phase: 'Succeeded' });
  const said = (last?: number) =>
    ranAt(
      deploymentsOf([fourth, removalRecord(target, 'a', iso(9_000), last)]),
      new Date(BEGIN + 5_000),
      'Whole',
    ).is;
  assert.equal(said(5), 'NotRecorded');
  assert.equal(said(4), 'Recorded');
  assert.equal(said(), 'Recorded', 'an older operator does not say');
  const [read] = ledgerRecords(ledgerText([removalRecord(target, 'a', iso(0), 5)])).records;
  assert.equal(read?.last, 5);
  assert.equal(rateOf('prod', [removalRecord(target, 'a', iso(0), 5)]).deployments, 0);
});

test('what is gone, and nobody recorded its removal, is known until the end of the last that is known', () => {
  const target = { application: 'web', environment: 'prod' };
  const first = recordOf({ id: 1, from: 1_000, until: 2_000, phase: 'Succeeded' });
  const known = (entries: readonly LedgerEntry[]) =>
    beganIn({ entries, unrecorded: [], reach: 'Whole', isGone: (one) => one === 'web/prod' }).get(
      'web/prod',
    ) ?? [];
  const said = (entries: readonly LedgerEntry[]) =>
    [0, 1, 2, 9].map((second) => ranAt(known(entries), new Date(BEGIN + second * 1_000), 'Whole').is);
  assert.deepEqual(said([first]), ['Nothing', 'Recorded', 'NotRecorded', 'NotRecorded']);
  const { finishedAt: _, ...underWay } = { ...first, phase: 'Deploying' as const };
  assert.deepEqual(said([underWay]), ['Nothing', 'NotRecorded', 'NotRecorded', 'NotRecorded']);
  const removed = [first, removalRecord(target, 'a', iso(2_000), 1)];
  assert.deepEqual(said(removed), ['Nothing', 'Recorded', 'Removed', 'Removed']);
  const range = (from: number, until: number) => ({
    from: new Date(BEGIN + from),
    until: new Date(BEGIN + until),
  });
  assert.equal(isAllKnown(known([first]), range(1_500, 1_900), 'Whole'), true);
  for (const times of [range(1_500, 9_000), range(5_000, 9_000), undefined]) {
    assert.equal(isAllKnown(known([first]), times, 'Whole'), false, 'more may have begun before it went');
    assert.equal(isAllKnown(known(removed), times, 'Whole'), true);
  }
  const changes = ranBetween(known([first]), range(0, 9_000), 'Whole');
  assert.deepEqual(
    changes.map(({ at, ran }) => [at.getTime() - BEGIN, ran.is]),
    [
      [0, 'Nothing'],
      [1_000, 'Recorded'],
      [2_000, 'NotRecorded'],
    ],
  );
});

test('where what came before may have been removed from the archive, nobody says that there was nothing', () => {
  assert.equal(isFromBegin(['towpath-ledger.shop.000001'], { isDropped: true }), true);
  assert.equal(isFromBegin(['towpath-ledger.shop.000002'], { isDropped: false }), false, 'its oldest went');
  assert.equal(isFromBegin([], { isDropped: false }), true);
  assert.equal(isFromBegin([], { isDropped: true }), false, 'there may have been one of its name');
});

test('what the status of the Application tells of and no record does is said to be not recorded, and what ran before runs no more', () => {
  const seconds = (count: number) => `${iso(count * 1_000).slice(0, 19)}Z`;
  const history = [3, 2, 1].map((id) => ({ id, startedAt: seconds(id * 100) }));
  const application = {
    metadata: { name: 'web', uid: 'a' },
    status: { environments: [{ name: 'prod', history }] },
  } as unknown as Application;
  const of = (...ids: number[]) => {
    const records = ids.map((id) =>
      recordOf({ id, from: id * 100_000 + 7, until: id * 100_000 + 50_000, phase: 'Succeeded' }),
    );
    const deployments = deploymentsOf([...records, ...unrecordedOf([application], records)]);
    return [150, 250, 350].map((second) => {
      const ran = ranAt(deployments, new Date(BEGIN + second * 1_000), 'Whole');
      return ran.is === 'Recorded' ? ran.entry.deployment : ran.is;
    });
  };
  assert.deepEqual(of(1, 2, 3), [1, 2, 3]);
  assert.deepEqual(of(1), [1, 'NotRecorded', 'NotRecorded']);
  assert.deepEqual(of(1, 3), [1, 'NotRecorded', 3]);
});

test('A5: what was superseded counts as no failure', () => {
  const phases: FinishedPhase[] = [
    'Succeeded',
    'Failed',
    'Superseded',
    'RolledBack',
    'Superseded',
    'Succeeded',
  ];
  const entries = phases.map((phase, index) =>
    recordOf({ id: index + 1, from: index * 10, until: index * 10 + 5, phase }),
  );
  assert.deepEqual(rateOf('prod', entries), {
    environment: 'prod',
    deployments: 6,
    failed: 2,
    failureRate: 0.5,
  });
});

test('whether all of a time is known: what ran as it began, and each that came after, without a gap', () => {
  const all = [1, 2, 3, 4, 5].map((id) =>
    recordOf({ id, from: id * 1_000, until: id * 1_000 + 500, phase: 'Succeeded' }),
  );
  const of = (ids: readonly number[], from: number, until = 9_000, reach: Reach = 'Partial') => {
    const known = deploymentsOf(all.filter(({ deployment = 0 }) => ids.includes(deployment)));
    return isAllKnown(known, { from: new Date(BEGIN + from), until: new Date(BEGIN + until) }, reach);
  };
  assert.equal(of([3, 4, 5], 3_500), true, 'nothing older is missing of that time');
  assert.equal(of([3, 4, 5], 2_500), false, 'what came before the first of them may be of that time');
  assert.equal(of([3, 4, 5], 2_500, 9_000, 'Whole'), false, 'it was before there was a ledger');
  assert.equal(of([1, 2, 3, 4, 5], 0, 9_000, 'Whole'), true);
  assert.equal(of([3, 5], 3_500), false, 'a gap');
  assert.equal(of([3, 4], 3_500), true);
  assert.equal(of([2, 3, 5], 2_500, 2_800), true, 'a gap after that time');
  assert.equal(of([3, 5], 3_500, 4_200), false, 'what is missing may have begun before that time was over');
  assert.equal(of([], 0), false);
  assert.equal(of([], 0, 9_000, 'Whole'), true);
  const unrecorded = {
    ...recordOf({ id: 6, from: 6_000, until: 6_500, phase: 'Succeeded' }),
    isUnrecorded: true as const,
  };
  const times = (until: number) => ({ from: new Date(BEGIN + 3_500), until: new Date(BEGIN + until) });
  assert.equal(
    isAllKnown(deploymentsByTarget([...all, unrecorded]).get('web/prod') ?? [], times(9_000), 'Whole'),
    false,
  );
  assert.equal(
    isAllKnown(deploymentsByTarget([...all, unrecorded]).get('web/prod') ?? [], times(5_500), 'Whole'),
    true,
  );
  assert.equal(isAllKnown(deploymentsOf(all), undefined, 'Whole'), true);
  assert.equal(isAllKnown(deploymentsOf(all), undefined, 'Partial'), false);
});
