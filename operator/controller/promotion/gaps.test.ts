import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../api/v1alpha1/application.ts';
import { type Promotion, type PromotionPhase, parsePromotion } from '../../api/v1alpha1/promotion.ts';
import { promotionNames } from '../record/promotion-names.ts';
import { type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import { foundOf, gapsOf, lostOf } from './gaps.ts';
import { promotionOf, statusOf } from './promotion-of.ts';
import { recordedOf, type Told } from './recorded.ts';

const NOW = '2026-11-29T22:00:00.000Z';
const minute = (count: number) => new Date(Date.parse('2026-11-29T12:00:00Z') + count * 60_000).toISOString();
const digest = (id: number) => `sha256:${String(id).padStart(64, '0')}`;

function deployment(id: number, more: Partial<Deployment> = {}): Deployment {
  return {
    id,
    candidate: {
      id: digest(id),
      digest: digest(id),
      request: '',
      revision: `r${id}`,
      ref: 'refs/heads/main',
    },
    trigger: 'Commit',
    generation: 1,
    startedAt: minute(id * 10),
    clusterStartedAt: minute(id * 10),
    install: false,
    hooks: [],
    deferred: [],
    applied: true,
    ...more,
  };
}

const ended = (id: number, outcome: Deployment['outcome'] = 'Succeeded') =>
  deployment(id, { outcome, finishedAt: minute(id * 10 + 5) });

function record(last: Deployment | undefined, before: Deployment[] = []): TargetRecord {
  const target = { id: 'a', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' };
  const made = newRecord(target);
  return { ...made, ended: before, ...(last === undefined ? {} : { deployment: last }) };
}

/** The same as an operator writes it that keeps in it what the ledger does not have yet. */
function counting(last: Deployment, before: Deployment[] = []): TargetRecord {
  return { ...record(last, before), lastId: last.id };
}

function application(history: Deployment[] = []): Application {
  return {
    metadata: { name: 'web', namespace: 'shop', uid: 'uid' },
    status: {
      environments: [
        {
          name: 'prod',
          history: history.map(({ candidate, ...one }) => ({
            ...one,
            revision: candidate.revision,
            candidate: candidate.id,
            digest: candidate.digest,
          })),
        },
      ],
    },
  } as unknown as Application;
}

/** As the operator writes it, and as far as it came. */
function promotion(told: Told, phase?: PromotionPhase): Promotion {
  const around = { target: 'shop/web/prod', applicationUID: 'uid', previous: undefined };
  const recorded = recordedOf(told, around);
  const [name] = promotionNames(recorded);
  const object = promotionOf(recorded, name);
  const status = phase === undefined ? undefined : { ...statusOf(recorded, NOW), phase };
  const metadata = { ...object.metadata, uid: `uid-${told.id}` };
  const parsed = parsePromotion({ ...object, metadata, ...(status === undefined ? {} : { status }) });
  assert.ok(parsed);
  return parsed;
}

const inWords = (gaps: ReturnType<typeof gapsOf>) =>
  gaps.map(({ recorded, name, isUnlessArchived }) => {
    const what = isUnlessArchived === undefined ? 'is to be made' : 'is to be made unless it is archived';
    return `${recorded.id} ${recorded.phase} ${name ?? what}`;
  });

const CASES: [what: string, known: Parameters<typeof gapsOf>[0], gaps: string[]][] = [
  ['nothing was deployed', { application: application(), record: record(undefined), promotions: [] }, []],
  [
    'all is written',
    {
      application: application(),
      record: record(ended(2), [ended(1)]),
      promotions: [promotion(ended(1), 'Succeeded'), promotion(ended(2), 'Succeeded')],
    },
    [],
  ],
  [
    'killed before it was made',
    { application: application(), record: record(deployment(1)), promotions: [] },
    ['1 Deploying is to be made'],
  ],
  [
    'killed between the end and its status',
    { application: application(), record: record(ended(1)), promotions: [promotion(deployment(1))] },
    ['1 Succeeded web-prod-1'],
  ],
  [
    'killed when it was overtaken',
    {
      application: application(),
      record: record(deployment(2), [ended(1, 'Superseded')]),
      promotions: [promotion(deployment(1), 'Deploying')],
    },
    ['1 Superseded web-prod-1', '2 Deploying is to be made'],
  ],
  [
    'none could be made for a while: the record has them',
    {
      application: application([ended(4), ended(3, 'Failed'), ended(2), ended(1)]),
      record: counting(ended(4), [ended(2), ended(3, 'Failed')]),
      promotions: [promotion(ended(1), 'Succeeded')],
    },
    [
      '2 Succeeded is to be made unless it is archived',
      '3 Failed is to be made unless it is archived',
      '4 Succeeded is to be made',
    ],
  ],
  [
    'none could be made from the first on, or persons promoted all others: the archive tells what was and is there no more',
    {
      application: application(),
      record: counting(ended(4), [ended(1), ended(2, 'Failed'), ended(3)]),
      promotions: [],
    },
    [
      '1 Succeeded is to be made unless it is archived',
      '2 Failed is to be made unless it is archived',
      '3 Succeeded is to be made unless it is archived',
      '4 Succeeded is to be made',
    ],
  ],
  [
    'an older one was made later, and is there still: what was made before it is in the archive alone by now',
    {
      application: application(),
      record: counting(ended(4), [ended(1), ended(2), ended(3)]),
      promotions: [promotion(ended(1), 'Succeeded'), promotion(ended(4), 'Succeeded')],
    },
    ['2 Succeeded is to be made unless it is archived', '3 Succeeded is to be made unless it is archived'],
  ],
  [
    'too many waited: the last were made, and of the others the record has some',
    {
      application: application(),
      record: counting(ended(4), [ended(1), ended(2)]),
      promotions: [promotion(ended(3), 'Succeeded'), promotion(ended(4), 'Succeeded')],
    },
    ['1 Succeeded is to be made unless it is archived', '2 Succeeded is to be made unless it is archived'],
  ],
  [
    'none could be made for a while: what the record of an older version has no more, the status has',
    {
      application: application([ended(3, 'Failed'), ended(2), ended(1)]),
      record: record(ended(4)),
      promotions: [promotion(ended(1), 'Succeeded')],
    },
    [
      '2 Succeeded is to be made unless it is archived',
      '3 Failed is to be made unless it is archived',
      '4 Succeeded is to be made',
    ],
  ],
  [
    'the ledger begins: of what was before it, the last alone is recorded',
    { application: application([ended(2), ended(1)]), record: record(ended(3)), promotions: [] },
    ['3 Succeeded is to be made'],
  ],
  [
    'what is in the archive alone is not made again',
    {
      application: application([ended(2), ended(1)]),
      record: record(ended(3)),
      promotions: [promotion(ended(3), 'Succeeded')],
    },
    [],
  ],
  [
    'one of which nobody knows how it ended',
    {
      application: application(),
      record: record(ended(9)),
      promotions: [promotion(deployment(7), 'Deploying'), promotion(ended(9), 'Succeeded')],
    },
    ['7 Superseded web-prod-7'],
  ],
];

for (const [what, known, gaps] of CASES)
  test(`D7, D8: after a start the ledger is made whole: ${what}`, () => {
    assert.deepEqual(inWords(gapsOf(known)), gaps);
  });

test('what a person asked for is recorded by that Promotion, and by no other one', () => {
  const own = promotion(ended(1), 'Succeeded');
  const { deployment: _, ...spec } = own.spec;
  const asked = { ...own, spec: { ...spec, requestedBy: 'anna' } };
  const known = { application: application([ended(1)]), record: record(ended(1)), promotions: [asked] };
  assert.deepEqual(gapsOf(known), []);
});

test('S14, D7: what a person asked for is recorded anew where that Promotion is gone, with who it was', () => {
  const promoted = { promotion: 'annas', uid: 'anna-1', by: 'anna', skipped: ['windows'] };
  const of = (last: Deployment, before: Deployment[], promotions: Promotion[]) =>
    gapsOf({ application: application(), record: counting(last, before), promotions });
  const annas = (id: number) => ({ ...ended(id), promoted });
  const first = promotion(ended(1), 'Succeeded');

  const [last, ...others] = of(annas(2), [ended(1)], [first]);
  assert.deepEqual(inWords(last === undefined ? [] : [last]), ['2 Succeeded is to be made']);
  assert.deepEqual(others, []);
  assert.deepEqual(last?.recorded.inPlaceOf, promoted);
  const { inPlaceOf, message } = statusOf(last.recorded, NOW);
  const by = { promotion: 'annas', uid: 'anna-1', requestedBy: 'anna', skipGates: ['windows'] };
  assert.deepEqual(inPlaceOf, by);
  assert.match(message ?? '', /Promotion annas of anna, which asked for it, is gone/);

  const third = promotion(ended(3), 'Succeeded');
  assert.deepEqual(inWords(of(ended(3), [ended(1), annas(2)], [first, third])), [
    '2 Succeeded is to be made',
  ]);
  const trimmed = of(ended(3), [annas(2)], [third]);
  assert.deepEqual(inWords(trimmed), ['2 Succeeded is to be made unless it is archived']);
  assert.deepEqual(of(annas(2), [], [promotion(annas(2), 'Succeeded')]), [], 'one stands in place of it');
  const { spec, metadata } = promotion(ended(2));
  const { deployment: _, ...its } = spec;
  const asked = { ...first, spec: { ...its, requestedBy: 'anna' }, metadata: { ...metadata, uid: 'anna-1' } };
  assert.deepEqual(of(annas(2), [ended(1)], [first, { ...asked, status: { phase: 'Pending' } }]), []);
});

test('D7, S14: what a person asked for is kept in the record until that Promotion says how it ended', () => {
  const promoted = { promotion: 'back', uid: 'anna-1', by: 'anna' };
  const known = counting(ended(3), [ended(1), { ...ended(2), promoted }]);
  const { metadata, spec } = promotion(ended(2));
  const { deployment: _, ...its } = spec;
  const of = (phase?: PromotionPhase) => {
    const status = phase === undefined ? {} : { status: { phase } };
    const asked = { ...promotion(ended(2)), spec: its, metadata: { ...metadata, uid: 'anna-1' }, ...status };
    const promotions = [promotion(ended(1), 'Succeeded'), asked, promotion(ended(3), 'Succeeded')];
    const gaps = gapsOf({ application: application(), record: known, promotions });
    assert.deepEqual(gaps, [], 'its own Promotion records it');
    const found = foundOf({ application: application(), record: known, promotions }, gaps);
    return found.filter(({ id }) => id < 3).map(({ id }) => id);
  };
  assert.deepEqual(of(), [1]);
  assert.deepEqual(of('Deploying'), [1]);
  assert.deepEqual(of('Succeeded'), [1, 2]);
});

test('what a person asked for of an earlier Application of the name records no deployment of the one that is there', () => {
  const former = promotion({ ...ended(2), startedAt: minute(-500) }, 'Succeeded');
  const { deployment: _, ...spec } = former.spec;
  const asked = { ...former, spec: { ...spec, requestedBy: 'anna' } };
  const of = (history: Deployment[], last: Deployment) => ({
    application: application(history),
    record: record(last),
    promotions: [asked, promotion(ended(1), 'Succeeded')],
  });
  assert.deepEqual(inWords(gapsOf(of([ended(1)], ended(2)))), ['2 Succeeded is to be made']);
  const [second, third] = ['2 Succeeded is to be made unless it is archived', '3 Succeeded is to be made'];
  assert.deepEqual(inWords(gapsOf(of([ended(2), ended(1)], ended(3)))), [second, third]);
});

test('S14: who writes the status of an Application makes up no deployment that the ledger has, or that is yet to come', () => {
  const feigned = (id: number, at: number) => ({
    ...ended(id),
    startedAt: minute(at),
    finishedAt: minute(at),
  });
  const asked = promotion(ended(3), 'Succeeded');
  const { deployment: _, ...spec } = asked.spec;
  const promotions = [
    promotion(ended(1), 'Succeeded'),
    promotion(ended(2), 'Succeeded'),
    { ...asked, spec: { ...spec, requestedBy: 'anna' } },
    promotion(ended(5), 'Succeeded'),
  ];
  const of = (...history: Deployment[]) =>
    inWords(gapsOf({ application: application(history), record: record(ended(5)), promotions }));
  const newer = [feigned(6, 60), feigned(9, 20), feigned(99, 45)];
  const again = [feigned(2, 21), feigned(1, 5), feigned(3, 31), feigned(5, 50)];
  const misplaced = [feigned(4, 15), feigned(4, 55), { ...ended(4), startedAt: 'never' }];
  for (const one of [...newer, ...again, ...misplaced]) assert.deepEqual(of(one), [], JSON.stringify(one));
  const unwritten = ['4 Succeeded is to be made unless it is archived'];
  assert.deepEqual(of(ended(4)), unwritten, 'what could not be written is');
});

test('S14: where the record keeps what the ledger lacks, no status fills a gap, between or after what is recorded', () => {
  const promotions = [promotion(ended(1), 'Succeeded'), promotion(ended(5), 'Succeeded')];
  const of = (known: TargetRecord, ...history: Deployment[]) =>
    inWords(gapsOf({ application: application(history), record: known, promotions }));
  for (const one of [ended(2), ended(4), ended(6), ended(99)])
    assert.deepEqual(of(counting(ended(5)), one), [], `${one.id}`);
  const known = counting(ended(5), [ended(3, 'Failed')]);
  const feigned = [deployment(3, { outcome: 'Succeeded', startedAt: minute(31) }), ended(4)];
  const written = ['3 Failed is to be made unless it is archived'];
  assert.deepEqual(of(known, ...feigned), written, 'by what the record says');
});

test('A20: the Promotion of a deployment that ended is known by its name, whatever names others took', () => {
  const known = { application: application(), record: counting(ended(3), [ended(1), ended(2)]) };
  const named = (one: Promotion, name: string) => ({ ...one, metadata: { ...one.metadata, name } });
  const promotions = [
    named(promotion(ended(2), 'Succeeded'), 'web-prod-2-f00'),
    named(promotion(ended(3), 'Failed'), 'web-prod-3-f00'),
  ];
  const of = (their: Promotion[]) =>
    foundOf({ ...known, promotions: their }, []).map(({ id, name }) => `${id} ${name}`);
  assert.deepEqual(of(promotions), ['1 undefined', '2 web-prod-2-f00', '3 web-prod-3-f00']);
  assert.deepEqual(of([promotion(ended(3), 'Deploying')]), ['1 undefined', '2 undefined'], 'it goes on');
});

test('A1, S14: what is recorded later than it began says who let it in', () => {
  const approvals = [{ name: 'web-prod-bens', by: 'ben', at: '2026-11-29T12:00:00Z' }];
  const known = { application: application(), record: counting({ ...ended(1), approvals }), promotions: [] };
  const [gap] = gapsOf(known);
  assert.ok(gap);
  assert.deepEqual(statusOf(gap.recorded, NOW).approvals, approvals);
});

test('what was under way when its Application went ends as superseded', () => {
  assert.deepEqual(inWords(lostOf([promotion(deployment(1), 'Deploying')])), ['1 Superseded web-prod-1']);
});

test('A22: requested, started, deployed and finished are in order, also where a clock was set back', () => {
  const around = { target: 'shop/web/prod', applicationUID: 'uid', previous: undefined };
  const back = deployment(6, { outcome: 'Succeeded', finishedAt: minute(1) });
  const { requestedAt, startedAt, deployedAt, finishedAt } = statusOf(recordedOf(back, around), NOW);
  const times = [requestedAt, startedAt, deployedAt, finishedAt];
  assert.deepEqual(times, [...times].sort());
});

test('what a policy verifies is Verifying until that is decided, and what failed is so until it is gone back from', () => {
  const around = { target: 'shop/web/prod', applicationUID: 'uid', previous: undefined };
  const of = (verify: NonNullable<Told['verify']>, overtakenAt?: string) =>
    recordedOf({ ...ended(1), verify }, overtakenAt === undefined ? around : { ...around, overtakenAt })
      .phase;
  assert.equal(of({ onFailure: 'Rollback' }), 'Verifying');
  assert.equal(of({ onFailure: 'Rollback', outcome: 'Passed', endedAt: NOW }), 'Succeeded');
  assert.equal(of({ onFailure: 'Rollback', outcome: 'Failed', endedAt: NOW }), 'Verifying');
  assert.equal(
    of({ onFailure: 'Rollback', outcome: 'Failed', endedAt: NOW, wentBack: 'Impossible' }),
    'Failed',
  );
  assert.equal(of({ onFailure: 'Keep', outcome: 'Failed', endedAt: NOW }), 'Failed');
  assert.equal(of({ onFailure: 'Keep' }, NOW), 'Superseded');
  const failed = { onFailure: 'Rollback', outcome: 'Failed', endedAt: NOW } as const;
  const goesBack = { ...ended(1, 'Failed'), verify: failed };
  assert.equal(recordedOf(goesBack, around).phase, 'Verifying');
  const undecided = { ...ended(1, 'Failed'), verify: { onFailure: 'Rollback' } } as const;
  assert.equal(recordedOf(undecided, around).phase, 'Verifying', 'it is about to be gone back from');
  assert.equal(recordedOf(undecided, { ...around, overtakenAt: NOW }).phase, 'Failed');
  const wentBack = { ...ended(1, 'RolledBack'), verify: failed };
  assert.equal(recordedOf(wentBack, { ...around, overtakenAt: NOW }).phase, 'RolledBack');
});
