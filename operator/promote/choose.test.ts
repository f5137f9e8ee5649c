import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockedByFor, type Candidate, choose, type Evidence, type Situation } from './choose.ts';
import type { BlockedBy } from './gate.ts';
import { FREE, type Governance } from './governance.ts';

const AFTER_STAGING: Governance = {
  is: 'InStage',
  policy: 'standard',
  stage: 'prod',
  after: { stage: 'staging', environments: ['staging-eu', 'staging-us'] },
  isFollowed: false,
};

function candidate(key: string, ...all: Evidence['is'][]): Candidate {
  const environments = ['staging-eu', 'staging-us'];
  return {
    key,
    evidence: all.map((is, index) => ({ environment: environments[index] ?? '', is })),
    gates: [],
  };
}

function situation(changes: Partial<Situation> = {}): Situation {
  return {
    environment: 'prod',
    governance: AFTER_STAGING,
    wasGoverned: true,
    waiting: [],
    ...changes,
  };
}

const FREEZE: BlockedBy = {
  reason: 'Frozen',
  message: 'It is frozen.',
  remedy: 'Time',
  standing: 'Waiting',
  clearsAt: new Date('2026-12-01T00:00:00Z'),
};
const SOON = new Date('2026-11-29T10:30:00Z');
const LATER = new Date('2026-11-29T11:00:00Z');
/** Healthy in both environments, in one of them not for long enough. */
const soaking = (key: string, soakedAt?: Date): Candidate => ({
  key,
  evidence: [
    { environment: 'staging-eu', is: 'Passed' },
    { environment: 'staging-us', is: 'Soaks', ...(soakedAt === undefined ? {} : { soakedAt }) },
  ],
  gates: [],
});
const frozen = (one: Candidate): Candidate => ({ ...one, gates: [FREEZE] });
const passed = (key: string) => candidate(key, 'Passed', 'Passed');
const behind = (key: string) => candidate(key, 'RunsAnother', 'RunsAnother');
const FIRST: Governance = { is: 'InStage', policy: 'standard', stage: 'staging', isFollowed: true };

const TABLE: readonly [string, Partial<Situation>, string | undefined, readonly string[]][] = [
  ['nothing waits', {}, undefined, []],
  ['one that passed', { waiting: [passed('1')] }, '1', []],
  ['one that did not', { waiting: [behind('1')] }, undefined, ['Order']],
  [
    'one that passed in one environment',
    { waiting: [candidate('1', 'Passed', 'NotHealthy')] },
    undefined,
    ['Order'],
  ],
  [
    'one that is not healthy any more',
    { waiting: [candidate('1', 'NotHealthy', 'Passed')] },
    undefined,
    ['Order'],
  ],
  ['one that is out of sight', { waiting: [candidate('1', 'Passed', 'OutOfSight')] }, undefined, ['Order']],
  ['two that passed: the newest', { waiting: [passed('1'), passed('2')] }, '2', []],
  [
    'an older one that passed, and why the newest waits',
    { waiting: [passed('1'), behind('2')] },
    '1',
    ['Order'],
  ],
  [
    '… with several in between',
    { waiting: [behind('0'), passed('1'), behind('2'), behind('3')] },
    '1',
    ['Order'],
  ],
  ['a freeze', { waiting: [frozen(passed('1'))] }, undefined, ['Frozen']],
  [
    'a freeze, and another gate of the newest',
    { waiting: [frozen(passed('1')), frozen(behind('2'))] },
    undefined,
    ['Frozen', 'Order'],
  ],
  ['one that is verified', { waiting: [candidate('1', 'Passed', 'Verifies')] }, undefined, ['Order']],
  ['one that was rejected', { waiting: [candidate('1', 'Passed', 'Rejected')] }, undefined, ['Order']],
  [
    'one that passed, and a newer one that was rejected',
    { waiting: [passed('1'), candidate('2', 'Rejected', 'Passed')] },
    '1',
    ['Order'],
  ],
  ['one that soaks', { waiting: [soaking('1', SOON)] }, undefined, ['Soak']],
  [
    'one that soaked, and a newer one that soaks',
    { waiting: [passed('1'), soaking('2', SOON)] },
    '1',
    ['Soak'],
  ],
  [
    'one that soaks in one environment, and is broken in another',
    { waiting: [candidate('1', 'Soaks', 'NotHealthy')] },
    undefined,
    ['Order'],
  ],
  ['a gate of the newest alone', { waiting: [passed('1'), frozen(passed('2'))] }, '1', ['Frozen']],
  ['the first stage', { governance: FIRST, waiting: [candidate('1')] }, '1', []],
  [
    'the first stage, frozen',
    { governance: FIRST, waiting: [frozen(candidate('1'))] },
    undefined,
    ['Frozen'],
  ],
  [
    'a stage before that has no environment',
    {
      governance: { ...AFTER_STAGING, after: { stage: 'staging', environments: [] } },
      waiting: [candidate('1')],
    },
    undefined,
    ['StageEmpty', 'Order'],
  ],
  [
    'no policy, and there never was one',
    { governance: FREE, wasGoverned: false, waiting: [candidate('1')] },
    '1',
    [],
  ],
  ['a policy that is gone', { governance: FREE, waiting: [passed('1')] }, undefined, ['PolicyGone']],
  [
    'a policy that has it in no stage, and never had',
    { governance: { is: 'InNoStage', policy: 'standard' }, wasGoverned: false, waiting: [candidate('1')] },
    '1',
    [],
  ],
  [
    '… any more',
    { governance: { is: 'InNoStage', policy: 'standard' }, waiting: [candidate('1')] },
    undefined,
    ['PolicyGone'],
  ],
  [
    'two policies',
    { governance: { is: 'Contested', policies: ['a', 'b'] }, wasGoverned: false, waiting: [passed('1')] },
    undefined,
    ['PolicyContested'],
  ],
  [
    'policies that are not known',
    { governance: { is: 'Unknown', problem: 'no answer' }, wasGoverned: false, waiting: [passed('1')] },
    undefined,
    ['PoliciesUnknown'],
  ],
];
for (const [what, changes, enter, reasons] of TABLE)
  test(`what may enter with ${what}: ${enter ?? 'nothing'}`, () => {
    const choice = choose(situation(changes));
    assert.equal(choice.enter?.key, enter);
    assert.deepEqual(
      choice.blockedBy.map(({ reason }) => reason),
      reasons,
    );
  });

test('what keeps a candidate out is said in sentences that name the policy, the stage and the environment', () => {
  const messageOf = (changes: Partial<Situation>, one = passed('1')) =>
    blockedByFor(situation(changes), one)[0]?.message ?? '';
  assert.match(
    messageOf({}, behind('1')),
    /stage staging of PromotionPolicy standard: environment staging-eu runs another/,
  );
  assert.match(
    messageOf({}, candidate('1', 'Passed', 'NotHealthy')),
    /environment staging-us is not Synced and Healthy/,
  );
  assert.match(
    messageOf({ governance: { is: 'Contested', policies: ['a', 'b', 'c'] } }),
    /PromotionPolicies a, b and c/,
  );
  assert.match(messageOf({ governance: FREE }), /keeps what it runs/);
});

test('A12: in a Sequential stage one waits for the one before it, which is named', () => {
  const governance = { ...AFTER_STAGING, behind: 'prod-eu' } as Governance;
  const of = (is: Evidence['is']): Candidate => ({
    key: '1',
    evidence: [{ environment: 'prod-eu', is }],
    gates: [],
  });
  const waiting = (is: Evidence['is']) => situation({ governance, waiting: [of(is)] });
  assert.equal(choose(waiting('Passed')).enter?.key, '1');
  for (const is of ['NotHealthy', 'RunsAnother', 'NotSeen', 'OutOfSight'] as const) {
    const { enter, blockedBy } = choose(waiting(is));
    assert.equal(enter, undefined);
    assert.match(blockedBy[0]?.message ?? '', /environment prod-eu, which comes before it in stage prod/);
  }
});

test('A9: it is asked again when the first gate of any candidate clears, and a soak is over with its last environment', () => {
  const after = { stage: 'staging', environments: ['staging-eu', 'staging-us'], soakMs: 5_400_000 };
  const governance = { ...AFTER_STAGING, after } as Governance;
  const waiting = [soaking('1', SOON), behind('2')];
  const choice = choose(situation({ governance, waiting }));
  assert.deepEqual(choice.changesAt, SOON, 'the newest waits for another reason');
  const both: Candidate = {
    key: '3',
    evidence: [
      { environment: 'staging-eu', is: 'Soaks', soakedAt: LATER },
      { environment: 'staging-us', is: 'Soaks', soakedAt: SOON },
    ],
    gates: [],
  };
  const [gate] = blockedByFor(situation({ governance }), both);
  assert.deepEqual(gate?.clearsAt, LATER);
  assert.equal(gate?.remedy, 'Time');
  assert.match(
    gate.message,
    /healthy in environment staging-eu and staging-us for 1h30m before it enters stage prod/,
  );
  const [paused] = blockedByFor(situation({ governance }), soaking('4'));
  assert.equal(paused?.clearsAt, undefined, 'what is not healthy now ends at no known time');
  assert.equal(choose(situation({ waiting: [passed('1')] })).changesAt, undefined);
});

test('S14: a commit that changes nothing there is nothing new to an Environment that demands a stage before', () => {
  const free = { environment: 'prod', governance: FREE, wasGoverned: false, gates: { soak: '1h' } };
  const one: Candidate = { key: '1', evidence: [], gates: [] };
  assert.equal(blockedByFor(free, one)[0]?.reason, 'Soak');
  assert.deepEqual(blockedByFor(free, { ...one, isThere: true }), []);
});
