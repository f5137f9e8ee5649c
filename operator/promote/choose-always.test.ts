import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gates } from '../api/v1alpha1/gates.ts';
import { type Candidate, choose, type Evidence, type Situation } from './choose.ts';
import type { BlockedBy } from './gate.ts';
import type { CheckShown } from './gates/checks.ts';
import { FREE, type Governance } from './governance.ts';

const STATES: readonly Evidence['is'][] = [
  'Passed',
  'Soaks',
  'Verifies',
  'Rejected',
  'NotHealthy',
  'RunsAnother',
  'NotSeen',
  'OutOfSight',
  'Suspended',
  'Frozen',
];
const ENVIRONMENTS = ['staging-eu', 'staging-us'];
const SOON = new Date('2026-11-29T10:30:00Z');
const FREEZE: BlockedBy = {
  reason: 'Frozen',
  message: 'It is frozen.',
  remedy: 'Time',
  standing: 'Waiting',
  clearsAt: SOON,
};
/** Of one of its environments, and not of the other. */
const CHECKS: readonly CheckShown[] = [
  { environment: 'staging-eu', check: 'smoke', standing: { is: 'Passed' } },
  { environment: 'staging-us', check: 'smoke', standing: { is: 'Runs', until: SOON } },
];
/** What else may keep it out. */
const OTHERS: readonly Pick<Candidate, 'gates' | 'checks'>[] = [
  { gates: [] },
  { gates: [FREEZE] },
  { gates: [], checks: CHECKS },
];
const after = { stage: 'staging', environments: ENVIRONMENTS };
const inStage = { is: 'InStage', policy: 'standard', stage: 'prod', isFollowed: false } as const;
const IN_NO_STAGE: Governance = { is: 'InNoStage', policy: 'standard' };
/** Of an Environment itself. */
const SOAK: Gates = { soak: '1h' };
const SOAK_AND_CHECK: Gates = {
  ...SOAK,
  checks: [{ name: 'smoke', job: { spec: { template: {}, backoffLimit: 0, activeDeadlineSeconds: 600 } } }],
};
const GOVERNANCES: readonly (readonly [Governance, Gates?])[] = [
  [FREE],
  [FREE, SOAK],
  [inStage],
  [inStage, SOAK_AND_CHECK],
  [{ ...inStage, after }],
  [{ ...inStage, after: { ...after, environments: [] } }],
  [IN_NO_STAGE],
  [IN_NO_STAGE, SOAK_AND_CHECK],
  [{ is: 'Contested', policies: ['a', 'b'] }],
  [{ is: 'Unknown', problem: 'no answer' }],
];

function* candidates(key: string): Generator<Candidate> {
  for (const first of STATES)
    for (const second of STATES)
      for (const others of OTHERS)
        yield {
          key,
          evidence: [first, second].map((is, index) => ({
            environment: ENVIRONMENTS[index] ?? '',
            is,
            ...(is === 'Soaks' ? { soakedAt: SOON } : {}),
            ...(is === 'Verifies' ? { verifiedAt: SOON } : {}),
          })),
          ...others,
        };
}

/** All that there are with an older and a newer candidate, each in every state in two environments. */
function* situations(): Generator<Situation> {
  for (const [governance, gates = {}] of GOVERNANCES)
    for (const wasGoverned of [false, true])
      for (const older of candidates('older'))
        for (const newer of candidates('newer'))
          yield { environment: 'prod', governance, wasGoverned, gates, waiting: [older, newer] };
}

function mayEnter(
  { governance, wasGoverned, gates: { soak } = {} }: Situation,
  { evidence, gates, checks = [] }: Candidate,
): boolean {
  // No stage before can show what the Environment demands.
  if (soak !== undefined) return false;
  if (gates.length > 0 || checks.some(({ standing }) => standing.is !== 'Passed')) return false;
  if (governance.is === 'Free' || governance.is === 'InNoStage') return !wasGoverned;
  if (governance.is !== 'InStage') return false;
  if (governance.after === undefined) return true;
  return governance.after.environments.length > 0 && evidence.every(({ is }) => is === 'Passed');
}

/** What is not where it is to come from, or not healthy there: no check says anything of that. */
function isKeptOutByOrder({ governance }: Situation, evidence: readonly Evidence[]): boolean {
  const isBehind = governance.is === 'InStage' && governance.after !== undefined;
  return isBehind && evidence.some(({ is }) => is !== 'Passed' && is !== 'Soaks');
}

/** What is so in every situation. */
const ALWAYS: Readonly<Record<string, (situation: Situation) => boolean>> = {
  'always: no stage is skipped, no gate that is unmet is entered, nothing enters that is not healthy': (
    situation,
  ) => {
    const { enter } = choose(situation);
    return enter === undefined || mayEnter(situation, enter);
  },
  'A11: always the newest of those that may enter does, and one that may is never left waiting': (
    situation,
  ) => {
    const newest = situation.waiting.findLast((one) => mayEnter(situation, one));
    return choose(situation).enter?.key === newest?.key;
  },
  'always: why the newest waits is always said, and nothing where it does not': (situation) => {
    const { enter, blockedBy } = choose(situation);
    return (enter?.key === 'newer') === (blockedBy.length === 0);
  },
  'always: it is asked again when the first of all gates clears by itself': (situation) => {
    const times = situation.waiting.some(
      ({ gates, evidence, checks = [] }) =>
        gates.length > 0 ||
        (checks.length > 0 && !isKeptOutByOrder(situation, evidence)) ||
        (situation.governance.is === 'InStage' &&
          situation.governance.after !== undefined &&
          evidence.some(({ is }) => is === 'Soaks' || is === 'Verifies') &&
          evidence.every(({ is }) => is === 'Soaks' || is === 'Verifies' || is === 'Passed')),
    );
    return (choose(situation).changesAt !== undefined) === times;
  },
};

for (const [what, holds] of Object.entries(ALWAYS))
  test(what, () => {
    let count = 0;
    for (const situation of situations()) {
      count += 1;
      if (!holds(situation)) assert.fail(JSON.stringify(situation));
    }
    assert.ok(count > 70_000, `${count} situations`);
  });

test('always: the same is said of the same', () => {
  let count = 0;
  for (const situation of situations()) {
    count += 1;
    // A prime number: each part takes each of its values in turn.
    if (count % 97 === 0) assert.deepEqual(choose(structuredClone(situation)), choose(situation));
  }
});
