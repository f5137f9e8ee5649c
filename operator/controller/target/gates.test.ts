import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import { SKIPPABLE_GATES } from '../../api/v1alpha1/promotion.ts';
import type { Command } from '../../promote/command.ts';
import type { Admission, BlockedBy, Decision } from '../../promote/gate.ts';
import { FREE, type Governance } from '../../promote/governance.ts';
import { requiredPolicyGate } from '../../promote/required-policy.ts';
import type { Deployment, TargetRecord } from '../record/record.ts';
import { gatesOf } from './gates.ts';
import type { Run } from './run.ts';
import type { Findings } from './state.ts';

const NOW = new Date('2026-11-29T10:00:00Z');
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const OLD = { id: digest('1'), digest: digest('1') };
const NEW = { id: digest('2'), digest: digest('2') };

interface Given {
  readonly type: Command['type'];
  readonly about?: string;
  /** Uids of those that failed. */
  readonly answered?: readonly string[];
  readonly record?: Partial<TargetRecord>;
  /** Default: something newer than what runs. */
  readonly wanted?: typeof OLD;
  /** Why it cannot be seen what people ask for. */
  readonly unknown?: string;
  /** What the target was made of, and cannot be listed any more. */
  readonly doubts?: Run['target']['doubts'];
  /** Why no policy has it in a stage, where its Environment requires that. */
  readonly lacksPolicy?: BlockedBy;
  readonly governance?: Governance;
  /** The candidate that a person names, and the gates that it skips. */
  readonly named?: string;
  readonly historyID?: number;
  readonly skipGates?: Command['skipGates'];
  /** What a person decided of what it is about, where one has to say yes. */
  readonly decided?: Decision['decision'];
  /** Default: somebody who asks for nothing. */
  readonly decidedBy?: string;
  /** Where nobody wants that, or something else of it. */
  readonly gates?: Gates;
  /** Why Approvals cannot be listed. */
  readonly unseen?: string;
  /** Whether it is proven who decided. */
  readonly admission?: Admission;
}

const ENFORCED: Admission = { is: 'Enforced', since: new Date(0) };

/** What is judged while a person asks for something, and it was not acted on. */
function judgedIn(given: Given) {
  const { type, about, answered = [], record, wanted = NEW, unknown, doubts, decided } = given;
  const { lacksPolicy, governance = FREE, named, historyID = 1, skipGates = [] } = given;
  const { decidedBy = 'rita' } = given;
  const who = { application: 'web', environment: 'prod', by: 'olga', skipGates, candidate: named };
  const command = { uid: 'u-1', promotion: 'back', type, historyID, ...who, ...(about && { about }) };
  const its = answered.map((uid) => ({ uid, phase: 'Failed', message: 'It is refused.' }));
  const said = { uid: 'a-1', by: decidedBy, groups: [], decision: decided, at: NOW };
  const run = {
    parts: {
      approvals: {
        admission: given.admission ?? ENFORCED,
        unused: () => (decided === undefined ? [] : [said]),
        unseen: () => given.unseen,
      },
      commands: { given: () => (unknown === undefined ? [command] : []), unknown: () => unknown },
      lookup: () => undefined,
      ledger: { nameOf: () => undefined },
      openings: {},
    },
    application: { metadata: { name: 'web', namespace: 'shop' }, spec: { dependsOn: [] } },
    target: {
      name: 'shop/web/prod',
      environment: 'prod',
      governance,
      ...(lacksPolicy && { lacksPolicy }),
      settings: { mode: 'Automatic' },
      gates: given.gates ?? (decided === undefined ? {} : { approvals: { required: 1 } }),
      bounds: {},
      freezes: [],
      doubts,
    },
    context: {
      record: { deployment: { id: 3, candidate: OLD }, ended: [], answered: its, ...record },
      store: { candidatesOf: () => [] },
      now: () => NOW,
    },
    underWay: {},
  } as unknown as Run;
  const found = { sight: 'Seen', wanted: { candidate: wanted } } as unknown as Findings;
  return gatesOf(run, found);
}

/** What keeps the wanted candidate out meanwhile. */
const gatesIn = (given: Given) => judgedIn(given).blockedBy;

const keptOutBy = (given: Given) => gatesIn(given).map(({ reason }) => reason);

test('D12, A26: a rollback holds from when it was accepted: nothing newer enters while it cannot be begun', () => {
  assert.deepEqual(keptOutBy({ type: 'Rollback' }), ['Held']);
  assert.match(gatesIn({ type: 'Rollback' })[0]?.message ?? '', /kubectl towpath cancel back -n shop$/);
  assert.deepEqual(keptOutBy({ type: 'Resume' }), []);
  const answered = ['u-1'];
  assert.deepEqual(
    keptOutBy({ type: 'Rollback', answered }),
    [],
    'what was answered is what the record says',
  );
});

/** What keeps out what is there, whoever asks for it once more. */
const onceMore = (outcome: Deployment['outcome'], more: Partial<Given>) => {
  const deployment = { id: 3, candidate: OLD, outcome } as unknown as Deployment;
  const its = { about: 'web-prod-3', wanted: OLD, record: { deployment }, ...more };
  // Resume: nobody by a Promotion, but a sync may be asked for, or the spec be another one.
  return (['Retry', 'Promote', 'Resume'] as const).map((type) => keptOutBy({ type, ...its }).join());
};

test('A20, S14: what failed, or was taken back, is begun anew by nobody while the no of a person stands, and nobody is asked for a yes', () => {
  const each = (reason: string) => [reason, reason, reason];
  for (const outcome of ['Failed', 'Cancelled'] as const) {
    assert.deepEqual(onceMore(outcome, { decided: 'Reject' }), each('Rejected'));
    assert.deepEqual(onceMore(outcome, { decided: 'Approve' }), each(''));
    const unknown = { is: 'Unknown', why: 'forbidden' } as const;
    assert.deepEqual(onceMore(outcome, { decided: 'Approve', admission: unknown }), each('ApprovalsUnknown'));
    const missing = { is: 'Missing', what: 'ValidatingAdmissionPolicy x' } as const;
    assert.deepEqual(onceMore(outcome, { decided: 'Reject', admission: missing }), each(''));
  }
  for (const outcome of ['Succeeded', undefined] as const)
    assert.deepEqual(onceMore(outcome, { decided: 'Reject' }), each(''), 'what runs goes on');
});

test('S14: where nobody is asked for a yes, a no that is proven holds back what is new until a person promotes it past that', () => {
  const no = { type: 'Resume', decided: 'Reject', gates: {} } as const;
  assert.deepEqual(keptOutBy(no), ['Rejected']);
  assert.match(
    gatesIn(no)[0]?.message ?? '',
    /^Environment prod holds back .*: rejected by rita\. .*kubectl towpath approve web prod -n shop$/,
  );
  assert.deepEqual(keptOutBy({ ...no, decided: 'Approve' }), []);
  assert.deepEqual(keptOutBy({ ...no, wanted: OLD }), [], 'what runs goes on');
  assert.deepEqual(keptOutBy({ ...no, decidedBy: 'system:serviceaccount:shop:ci' }), []);
  const missing = { is: 'Missing', what: 'ValidatingAdmissionPolicy x' } as const;
  assert.deepEqual(keptOutBy({ ...no, admission: missing }), [], 'nobody proves who that was');
  const groups = { approvals: { required: 1, groups: ['sre'] } };
  assert.deepEqual(keptOutBy({ ...no, gates: groups }), ['AwaitingApproval'], 'those alone are asked');

  const past = { ...no, type: 'Promote', named: NEW.digest, record: { governed: true } } as const;
  const reasons = (given: Given) => judgedIn(given).promoted?.blockedBy.map(({ reason }) => reason);
  assert.deepEqual(reasons(past), ['Rejected']);
  assert.deepEqual(reasons({ ...past, skipGates: ['approvals'] }), []);
  const { settles } = judgedIn({ ...past, skipGates: ['approvals'] });
  assert.deepEqual(
    settles.map(({ uid, counts }) => [uid, counts]),
    [['a-1', false]],
    'it is used up by that',
  );
});

test('S14: a no that cannot be seen may be there, also where nobody is asked for a yes', () => {
  const unknown = { is: 'Unknown', why: 'forbidden' } as const;
  const it = { type: 'Resume', gates: {} } as const;
  const [gate, ...others] = gatesIn({ ...it, unseen: 'forbidden' });
  assert.equal(others.length, 0);
  assert.deepEqual([gate?.reason, gate?.remedy], ['ApprovalsUnknown', 'Time']);
  assert.match(gate?.message ?? '', /^It cannot be seen whether a person rejected .*: forbidden$/);
  assert.deepEqual(keptOutBy({ ...it, decided: 'Reject', admission: unknown }), ['ApprovalsUnknown']);
  assert.deepEqual(keptOutBy({ ...it, admission: unknown }), [], 'who made none need not be known');
});

test('A4: who asks for something takes away his own yes to that, by whichever name he asks, and to nothing else that waits', () => {
  const third = { id: digest('4'), digest: digest('3') };
  const yes = { decided: 'Approve', decidedBy: 'olga', wanted: third } as const;
  for (const named of [third.digest, third.id])
    assert.deepEqual(keptOutBy({ type: 'Promote', named, ...yes }), ['AwaitingApproval']);
  assert.deepEqual(keptOutBy({ type: 'Promote', named: NEW.digest, ...yes }), []);
  const older = { id: 3, candidate: OLD } as unknown as Deployment;
  const ofHistory = { type: 'Promote', record: { deployment: older } } as const;
  assert.deepEqual(keptOutBy({ ...ofHistory, ...yes, historyID: 3 }), [], 'what it deployed is known');
  assert.deepEqual(keptOutBy({ ...ofHistory, ...yes, historyID: 2 }), ['AwaitingApproval'], 'it may be that');
});

test('D7, A26: while it cannot be seen whether somebody goes back, nothing newer enters; what runs, or is held, is told nothing of it', () => {
  const type = 'Rollback';
  const unknown = 'TooManyRequests';
  const [gate, ...others] = gatesIn({ type, unknown });
  assert.equal(others.length, 0);
  assert.equal(gate?.reason, 'PromotionsUnknown');
  assert.match(gate?.message ?? '', /whether a person goes back in environment prod.*TooManyRequests$/);
  assert.deepEqual(keptOutBy({ type, unknown, wanted: OLD }), []);
  const hold = { promotion: 'back', uid: 'u-0', by: 'olga', since: '' };
  assert.deepEqual(keptOutBy({ type, unknown, record: { hold } }), ['Held']);
});

test('D12: what was rejected of another target, whose place it took, is rejected by its candidate', () => {
  const its = { why: 'It was slow.', at: '2026-11-29T09:00:00Z', candidate: NEW.id };
  const rejected = [{ ...its, digest: digest('9') }];
  const cancelled = { ...its, digest: digest('8'), promotion: 'stop', by: 'anna' };
  const type = 'Resume';
  assert.deepEqual(keptOutBy({ type, record: { rejected, inherited: true } }), ['Rejected']);
  assert.deepEqual(keptOutBy({ type, record: { cancelled, inherited: true } }), ['Cancelled']);
  const other = [{ ...rejected[0], ...its, digest: digest('9'), candidate: OLD.id }];
  assert.deepEqual(keptOutBy({ type, record: { rejected: other, inherited: true } }), []);
});

test('S14: what could be listed once and cannot be any more keeps out what is new, ahead of all that it said', () => {
  const doubts = [
    { reason: 'EnvironmentsUnknown', problem: 'forbidden' },
    { reason: 'PoliciesUnknown', problem: 'gone' },
  ] as const;
  const gates = gatesIn({ type: 'Rollback', doubts });
  assert.deepEqual(
    gates.map(({ reason, remedy }) => [reason, remedy]),
    [
      ['EnvironmentsUnknown', 'Time'],
      ['PoliciesUnknown', 'Time'],
      ['Held', 'Resource'],
    ],
  );
  assert.match(
    gates[0]?.message ?? '',
    /^Environments cannot be listed any more.* environment prod .*: forbidden$/,
  );
});

test('S14: where a policy is required and none has it, nothing new enters, whoever promotes it past all gates, and whether one had it once', () => {
  const governances: readonly Governance[] = [
    FREE,
    { is: 'InNoStage', policy: 'standard' },
    { is: 'Contested', policies: ['a', 'b'] },
    { is: 'Unknown', problem: 'no answer' },
  ];
  for (const governance of governances) {
    const lacksPolicy = requiredPolicyGate('prod', governance);
    assert.ok(lacksPolicy !== undefined);
    for (const governed of [true, undefined]) {
      const record = { ...(governed && { governed }) };
      const its: Partial<Given> = { lacksPolicy, governance, record };
      assert.deepEqual(gatesIn({ type: 'Resume', ...its }), [lacksPolicy]);
      const past = { ...its, type: 'Promote', named: NEW.digest, skipGates: SKIPPABLE_GATES } as const;
      const { promoted, blockedBy, choice } = judgedIn(past);
      assert.deepEqual([promoted?.refusal, promoted?.blockedBy], [undefined, [lacksPolicy]]);
      assert.deepEqual([blockedBy, choice], [[lacksPolicy], undefined]);
    }
  }
});

test('A30: what waits is looked at when a freeze of its policy begins, and at none that is over', () => {
  const from = '2026-12-20T00:00:00Z';
  const freezes = [{ from: '2026-11-01T00:00:00Z', until: '2026-11-02T00:00:00Z' }, { from }];
  const governance = {
    is: 'InStage',
    policy: 'standard',
    stage: 'prod',
    isFollowed: false,
    freezes,
  } as const;
  const waits = { type: 'Resume', gates: { approvals: { required: 1 } } } as const;
  const { blockedBy, gatesChangeAt } = judgedIn({ ...waits, governance });
  assert.deepEqual(
    blockedBy.map(({ reason }) => reason),
    ['AwaitingApproval'],
  );
  assert.deepEqual(gatesChangeAt, new Date(from));
  assert.equal(judgedIn(waits).gatesChangeAt, undefined);
});

const FAILED = { id: 3, candidate: OLD, outcome: 'Failed' } as unknown as TargetRecord['deployment'];

test('A26, A27: going back that failed holds while it waits to be tried once more, whoever went back', () => {
  const deployment = { ...FAILED, trigger: 'Rollback' } as TargetRecord['deployment'];
  const record = { ...(deployment && { deployment }) };
  assert.deepEqual(keptOutBy({ type: 'Retry', about: 'web-prod-3', record }), ['Held']);
  assert.deepEqual(keptOutBy({ type: 'Retry', about: 'another', record }), []);
});

test('A26: what failed is not begun anew while somebody waits to go back from it, nor what was taken back', () => {
  const failed = { ...(FAILED && { deployment: FAILED }) };
  assert.deepEqual(keptOutBy({ type: 'Rollback', record: failed, wanted: OLD }), ['Held']);
  const cancelled = { digest: OLD.digest, promotion: 'cancel', by: 'anna', at: '' };
  assert.deepEqual(keptOutBy({ type: 'Resume', record: { cancelled }, wanted: OLD }), ['Cancelled']);
  assert.deepEqual(keptOutBy({ type: 'Resume', record: { cancelled } }), []);
});
