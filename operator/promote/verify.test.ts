import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type CheckVerdict,
  isUndecided,
  newVerify,
  type Verify,
  type VerifySeen,
  verifyAfter,
  verifyEndsAt,
  verifyFrom,
} from './verify.ts';

const BEGIN = Date.parse('2026-11-29T10:00:00Z');
const at = (seconds: number) => new Date(BEGIN + seconds * 1_000);
const TIMEOUT_MS = 300_000;

function seen(how: VerifySeen['how'], seconds: number, gap?: VerifySeen['gap']): VerifySeen {
  return { how, now: at(seconds), timeoutMs: TIMEOUT_MS, ...(gap === undefined ? {} : { gap }) };
}

function checked(checks: CheckVerdict, seconds: number): VerifySeen {
  return { ...seen('Healthy', seconds), checks };
}

/** Deployed at the beginning, and to be healthy for ten minutes. */
const BEGUN = verifyFrom(newVerify({ forMs: 600_000, onFailure: 'Rollback' }), at(0));

function after(...looks: readonly VerifySeen[]): Verify {
  return looks.reduce(verifyAfter, BEGUN);
}

const TABLE: readonly [string, Verify, Verify['outcome']][] = [
  ['healthy for long enough', after(seen('Healthy', 600)), 'Passed'],
  ['healthy, and not for long enough', after(seen('Healthy', 599.999)), undefined],
  ['Degraded for a moment', after(seen('Healthy', 300), seen('Broken', 301)), 'Failed'],
  ['… which nothing takes back', after(seen('Broken', 301), seen('Healthy', 2_000)), 'Failed'],
  [
    'it comes up once more: that time does not count',
    after(seen('ComingUp', 300), seen('Healthy', 400), seen('Healthy', 699)),
    undefined,
  ],
  ['… and the rest does', after(seen('ComingUp', 300), seen('Healthy', 400), seen('Healthy', 700)), 'Passed'],
  [
    'it comes up for longer than spec.sync.timeout (A15)',
    after(seen('ComingUp', 300), seen('ComingUp', 600)),
    'Failed',
  ],
  ['… not quite', after(seen('ComingUp', 300), seen('ComingUp', 599)), undefined],
  ['healthy for long enough, and a check has not ended', after(checked('Unfinished', 600)), undefined],
  ['… which passes later', after(checked('Unfinished', 600), checked('Passed', 700)), 'Passed'],
  ['a check that passed, and not healthy for long enough', after(checked('Passed', 300)), undefined],
  ['a check that failed, at once', after(checked('Failed', 300)), 'Failed'],
  [
    'it cannot be seen for a day: that is no fault of it',
    after(seen('OutOfSight', 300), seen('OutOfSight', 86_400)),
    undefined,
  ],
  [
    '… nor does that count',
    after(seen('OutOfSight', 300), seen('Healthy', 86_400), seen('Healthy', 86_699)),
    undefined,
  ],
  [
    '… what is left does',
    after(seen('OutOfSight', 300), seen('Healthy', 86_400), seen('Healthy', 86_700)),
    'Passed',
  ],
  [
    'it came up, was out of sight, and comes up: each by itself',
    after(seen('ComingUp', 0), seen('OutOfSight', 200), seen('ComingUp', 400), seen('ComingUp', 600)),
    undefined,
  ],
];

test('what entered passes where it stays healthy, and fails where it is broken or does not come up', () => {
  for (const [what, verify, outcome] of TABLE) assert.equal(verify.outcome, outcome, what);
});

test('D7: a restart counts for two minutes at most, and fails nothing that nobody saw', () => {
  const isUndisturbed = true;
  const short = after(seen('Healthy', 400, { from: at(300), isUndisturbed }));
  assert.equal(verifyEndsAt(short, TIMEOUT_MS)?.getTime(), at(600).getTime());
  const long = after(seen('Healthy', 1_300, { from: at(300), isUndisturbed }));
  assert.equal(long.outcome, undefined);
  assert.equal(verifyEndsAt(long, TIMEOUT_MS)?.getTime(), at(1_300 + 180).getTime());
  const disturbed = after(seen('Healthy', 400, { from: at(300) }));
  assert.equal(verifyEndsAt(disturbed, TIMEOUT_MS)?.getTime(), at(400 + 300).getTime());
  const comingUp = after(seen('ComingUp', 100), seen('ComingUp', 5_000, { from: at(200) }));
  assert.equal(comingUp.outcome, undefined);
  const again = after(seen('ComingUp', 100), seen('ComingUp', 400, { from: at(350) }));
  assert.equal(again.outcome, 'Failed');
});

test('nothing is to be written where nothing changed', () => {
  assert.equal(verifyAfter(BEGUN, seen('Healthy', 10)), BEGUN);
  const comingUp = after(seen('ComingUp', 10));
  assert.equal(verifyAfter(comingUp, seen('ComingUp', 20)), comingUp);
  const unseen = after(seen('OutOfSight', 10));
  assert.equal(verifyAfter(unseen, seen('OutOfSight', 20)), unseen);
  const passed = after(seen('Healthy', 600));
  assert.equal(verifyAfter(passed, seen('Broken', 700)), passed);
});

const looks = fc.array(
  fc.record({
    how: fc.constantFrom<VerifySeen['how'][]>('Healthy', 'ComingUp', 'Broken', 'OutOfSight'),
    afterS: fc.integer({ min: 0, max: 400 }),
    isFirst: fc.boolean(),
  }),
  { maxLength: 30 },
);

test('always: it passes after no less than its time of health, and is decided or has an end unless it is out of sight', () => {
  fc.assert(
    fc.property(looks, (all) => {
      let verify = BEGUN;
      let clock = 0;
      let healthyS = 0;
      let before: VerifySeen['how'] = 'Healthy';
      for (const { how, afterS, isFirst } of all) {
        if (before === 'Healthy') healthyS += afterS;
        clock += afterS;
        verify = verifyAfter(
          verify,
          seen(how, clock, isFirst ? { from: at(clock - afterS), isUndisturbed: true } : undefined),
        );
        before = how;
        if (how === 'Broken') assert.equal(verify.outcome === undefined, false);
        if (verify.outcome === 'Passed') assert.ok(healthyS >= 600, `${healthyS} s`);
        if (!isUndecided(verify)) return;
        const end = verifyEndsAt(verify, TIMEOUT_MS);
        assert.equal(end === undefined, how === 'OutOfSight');
        if (end !== undefined) assert.ok(end > at(clock));
      }
    }),
  );
});

test('what entered with checks remembers which, in a record too', () => {
  const rule = { forMs: 0, onFailure: 'Keep', checks: [{ name: 'smoke' }, { name: 'load' }] } as const;
  assert.deepEqual(newVerify(rule).checks, ['smoke', 'load']);
  assert.equal('checks' in newVerify({ ...rule, checks: [] }), false);
  const undecided = verifyAfter(newVerify(rule), checked('Unfinished', 600));
  assert.deepEqual([undecided.outcome, undecided.checks], [undefined, ['smoke', 'load']]);
});

/** What is to be healthy for so many seconds, and where nobody looked from one on until another one. */
const lookedAgain = (
  forSeconds: number,
  from: number | undefined,
  until: number,
  ...later: readonly number[]
) => {
  const begun = verifyFrom(newVerify({ forMs: forSeconds * 1_000, onFailure: 'Rollback' }), at(0));
  const gap = { from: from === undefined ? undefined : at(from), isUndisturbed: true } as const;
  const looks = [seen('Healthy', until, gap), ...later.map((second) => seen('Healthy', second))];
  return looks.reduce(verifyAfter, begun).outcome;
};

for (const [what, outcome, expected] of [
  [
    'two minutes in which nobody looked do not pass what is wanted for two',
    lookedAgain(120, 5, 130),
    undefined,
  ],
  ['… nor before half of it was seen after that', lookedAgain(120, 5, 130, 189), undefined],
  ['… which then passes', lookedAgain(120, 5, 130, 190), 'Passed'],
  ['the same where nobody is known to have looked', lookedAgain(120, undefined, 130, 189), undefined],
  ['what was seen before counts: all of it', lookedAgain(120, 120, 130), 'Passed'],
  ['… and nearly all of it', lookedAgain(120, 110, 130, 139), undefined],
  ['… to its end', lookedAgain(120, 110, 130, 140), 'Passed'],
  ['of an hour two minutes are to be seen after it', lookedAgain(3_600, 3_500, 3_610, 3_709), undefined],
  ['… and no more', lookedAgain(3_600, 3_500, 3_610, 3_710), 'Passed'],
  ['what is to be healthy for no time passes at once', lookedAgain(0, 5, 130), 'Passed'],
] as const)
  test(`D7, A13: ${what}`, () => assert.equal(outcome, expected));
