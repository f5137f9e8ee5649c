import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '../../promote/command.ts';
import { FREE } from '../../promote/governance.ts';
import { promotionNames } from '../record/promotion-names.ts';
import type { Candidate, Deployment, TargetRecord } from '../record/record.ts';
import { askedIn, commandedIn, promotedIn } from './commanded.ts';
import type { Run } from './run.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const RUNS = { id: digest('a'), digest: digest('b') };
const after = { stage: 'staging', environments: ['staging'] };
const IN_STAGE = { is: 'InStage', policy: 'standard', stage: 'prod', after, isFollowed: false } as const;

function command(more: Partial<Command>): Command {
  return {
    uid: 'u-1',
    promotion: 'mine',
    type: 'Promote',
    application: 'web',
    environment: 'prod',
    requestedAt: new Date(0),
    by: 'anna',
    skipGates: [],
    reason: '',
    ...more,
  };
}

/** What of a look is read to find out what persons ask for. */
function look(
  given: readonly Command[],
  deployment: Partial<Deployment>,
  governance: object = IN_STAGE,
  ended: readonly Partial<Deployment>[] = [],
): Run {
  const record = { ended, deployment: { id: 3, candidate: RUNS, ...deployment } } as unknown as TargetRecord;
  return {
    parts: {
      commands: { given: () => given },
      lookup: () => ({ metadata: { uid: 'app' } }),
      ledger: { nameOf: () => undefined },
    },
    target: { name: 'shop/web/prod', environment: 'prod', governance, settings: { mode: 'Automatic' } },
    application: { metadata: { name: 'web' } },
    context: { record, store: { candidatesOf: () => [] } },
  } as unknown as Run;
}

const gate = (reason: string) =>
  ({ reason, message: `${reason}.`, remedy: 'Resource', standing: 'Waiting' }) as const;
/** Gates that it passed as it entered, or that nobody who wants it there is asked about. */
const PASSED = ['AwaitingApproval', 'DependencyNotReady', 'Held', 'PolicyGone', 'NoPolicy'];

const retried = (deployment: Partial<Deployment>, about: string, gates: readonly string[] = PASSED) =>
  promotedIn(look([command({ type: 'Retry', about })], deployment), [], RUNS as Candidate, (_, which) => {
    assert.equal(which, 'Outer', 'what the stage before shows is not asked');
    return gates.map(gate);
  });

test('A4, A20: what failed is begun anew neither in a freeze, nor outside of its windows, nor against the no of a person, nor while none of these can be seen', () => {
  const unknown = ['EnvironmentsUnknown', 'PoliciesUnknown', 'ApprovalsUnknown', 'PolicyContested'];
  for (const reason of ['Frozen', 'OutsideWindow', 'WindowInvalid', 'Rejected', ...unknown]) {
    const answer = retried({ outcome: 'Failed' }, 'web-prod-3', [...PASSED, reason]);
    assert.deepEqual(answer?.blockedBy, [gate(reason)]);
    assert.equal(answer?.candidate?.digest, RUNS.digest, 'it waits for that');
  }
  assert.deepEqual(retried({ outcome: 'Failed' }, 'web-prod-3')?.blockedBy, []);
});

test('A20: what failed is tried once more, whoever had it enter, and asks no gate that it passed', () => {
  const byPolicy = retried({ outcome: 'Failed' }, 'web-prod-3');
  assert.equal(byPolicy?.candidate?.digest, RUNS.digest);
  const promoted = { promotion: 'hers', uid: 'u-0', by: 'olga' };
  assert.equal(retried({ outcome: 'Failed', promoted }, 'hers')?.candidate?.id, RUNS.id);
});

test('A20, A3: another Promotion whose name begins like the operator’s own is not taken for that: neither is its deployment tried once more nor taken back', () => {
  const startedAt = '2026-11-30T10:00:00.000Z';
  const [plain, addressed] = promotionNames({
    target: 'shop/web/prod',
    applicationUID: 'app',
    id: 3,
    startedAt,
  });
  const isTakenBack = (about: string) =>
    askedIn(look([command({ type: 'Cancel', about })], { startedAt })) !== undefined;
  const isRetried = (about: string) =>
    retried({ startedAt, outcome: 'Failed' }, about)?.refusal === undefined;
  for (const [about, isIt] of [
    [plain, true],
    [addressed, true],
    ['web-prod-3-hotfix', false],
    ['web-prod-3-', false],
    ['web-prod-31', false],
  ] as const)
    assert.deepEqual([isTakenBack(about), isRetried(about)], [isIt, isIt], about);
});

test('A20, A3: a Promotion that has the plain name of a deployment recorded by the other one is not taken for that', () => {
  const startedAt = '2026-11-30T10:00:00.000Z';
  const recordable = { target: 'shop/web/prod', applicationUID: 'app', id: 3, startedAt };
  const [plain, addressed] = promotionNames(recordable);
  const recorded = (one: Command, deployment: Partial<Deployment>): Run => {
    const run = look([one], { startedAt, ...deployment });
    const nameOf = (target: string, { id }: { id: number }) =>
      target === 'shop/web/prod' && id === 3 ? addressed : undefined;
    return { ...run, parts: { ...run.parts, ledger: { ...run.parts.ledger, nameOf } } };
  };
  for (const [about, isIt] of [
    [plain, false],
    [addressed, true],
  ] as const) {
    const cancel = recorded(command({ type: 'Cancel', about }), {});
    assert.equal(askedIn(cancel) !== undefined, isIt, about);
    assert.equal(commandedIn(cancel).ended[0]?.phase, isIt ? undefined : 'Failed');
    const retry = recorded(command({ type: 'Retry', about }), { outcome: 'Failed' });
    assert.equal(promotedIn(retry, [], RUNS as Candidate, () => [])?.refusal === undefined, isIt, about);
  }
});

test('A20, D12: going back that failed is tried once more as going back, and enters nothing', () => {
  const one = command({ type: 'Retry', about: 'back' });
  const promoted = { promotion: 'back', uid: 'u-0', by: 'olga' };
  const failed = look([one], { outcome: 'Failed', trigger: 'Rollback', promoted });
  assert.equal(askedIn(failed), one);
  assert.equal(
    promotedIn(failed, [], undefined, () => []),
    undefined,
  );
  const entered = look([one], { outcome: 'Failed', trigger: 'Promotion', promoted });
  assert.equal(askedIn(entered), undefined);
  const done = look([one], { outcome: 'Succeeded', trigger: 'Rollback', promoted });
  assert.equal(askedIn(done), undefined);
  assert.match(promotedIn(done, [], undefined, () => [])?.refusal ?? '', /has not failed/);
});

test('S14, A26: the right to promote does not end what on-call goes back by: the Cancel of another is refused, whatever is heard of the Rollback', () => {
  const back = command({ uid: 'u-0', promotion: 'back', type: 'Rollback', by: 'olga' });
  const again = command({ uid: 'u-0', promotion: 'back', type: 'Retry', about: 'older', by: 'olga' });
  const ends = (by: string) => command({ uid: `u-${by}`, promotion: by, type: 'Cancel', about: 'back', by });
  const promoted = { promotion: 'back', uid: 'u-0', by: 'olga' };
  const goesBack = { trigger: 'Rollback', promoted } as const;
  const isTakenBack = (given: readonly Command[]) => askedIn(look(given, goesBack))?.type === 'Cancel';
  for (const heard of [[back], [again], []]) {
    assert.equal(isTakenBack([...heard, ends('olga')]), true);
    assert.equal(isTakenBack([...heard, ends('ben')]), false);
    const { ended } = commandedIn(look([...heard, ends('ben')], goesBack));
    assert.deepEqual(
      ended.map((one) => [one.command.promotion, one.phase]),
      [['ben', 'Failed']],
    );
  }
});

test('S14, A27: nobody stops half-way what a policy goes back from, or somebody else took back: that Cancel says what to do', () => {
  const byPolicy = look([command({ type: 'Cancel', about: 'web-prod-3' })], { trigger: 'Rollback' });
  assert.equal(askedIn(byPolicy), undefined);
  const [refused] = commandedIn(byPolicy).ended;
  assert.equal(refused?.phase, 'Failed');
  assert.match(
    refused?.message ?? '',
    /^Environment prod goes back by Promotion web-prod-3, .* kubectl towpath rollback web prod --to ID/,
  );
  const over = { trigger: 'Rollback', outcome: 'Succeeded' } as const;
  const late = commandedIn(look([command({ type: 'Cancel', about: 'web-prod-3' })], over));
  assert.match(late.ended[0]?.message ?? '', /^There is nothing to take back/);
});

for (const [what, deployment, about, words] of [
  ['an older deployment', { outcome: 'Failed' }, 'web-prod-2', /not what environment prod is at/],
  ['what did not fail', { outcome: 'Succeeded' }, 'web-prod-3', /has not failed/],
  ['what is under way', {}, 'web-prod-3', /has not failed/],
] as const)
  test(`A20: ${what} is not tried once more, and that is said`, () => {
    const answer = retried(deployment, about);
    assert.equal(answer?.candidate, undefined);
    assert.match(answer?.refusal ?? '', words);
  });

test('without a policy nothing is promoted where the source would overwrite it', () => {
  const run = look([command({ candidate: RUNS.digest })], {}, FREE);
  const answer = promotedIn(run, [], RUNS as Candidate, () => []);
  assert.match(answer?.refusal ?? '', /follows its source, since no PromotionPolicy has it in a stage/);
});

const FOLLOWING = { is: 'InStage', policy: 'standard', stage: 'first', isFollowed: true };
const ATTACHED = { is: 'InNoStage', policy: 'standard' };
const CONTESTED = { is: 'Contested', policies: ['one', 'other'] };

for (const [what, governance, governed, isTaken] of [
  ['its policy is gone', FREE, true, true],
  ['its policy has it in no stage any more', ATTACHED, true, true],
  ['several policies select it', CONTESTED, undefined, true],
  ['it is in a first stage', FOLLOWING, true, false],
] as const)
  test(`A2: what ran there before ${isTaken ? 'is taken' : 'is refused as overwritten'} where ${what}`, () => {
    const older = { id: digest('c'), digest: digest('d') };
    const run = look([command({ historyID: 2 })], {}, governance, [{ id: 2, candidate: older as Candidate }]);
    Object.assign(run.context.record, { governed });
    Object.assign(run.context.store, { candidatesOf: () => [older] });
    const answer = promotedIn(run, [], RUNS as Candidate, () => []);
    assert.equal(answer?.candidate?.digest, isTaken ? older.digest : undefined);
    assert.match(answer?.refusal ?? 'none', isTaken ? /^none$/ : /follows its source/);
  });

test('D7: what was begun for a person is known by the record, and not begun once more', () => {
  const one = command({ candidate: RUNS.digest });
  const promoted = { promotion: one.promotion, uid: one.uid, by: one.by };
  for (const [deployment, ended, phase] of [
    [{ promoted }, [], 'Deploying'],
    [{ promoted, outcome: 'Succeeded' }, [], 'Succeeded'],
    [{ id: 4 }, [{ id: 3, candidate: RUNS, promoted, outcome: 'RolledBack' }], 'RolledBack'],
  ] as const) {
    const { waits, begun } = commandedIn(
      look([one], deployment as Partial<Deployment>, IN_STAGE, ended as never),
    );
    assert.equal(waits, undefined);
    assert.deepEqual(
      begun.map((its) => its.phase),
      [phase],
    );
  }
});

const VERIFY = { forMs: 60_000, onFailure: 'Rollback', ms: 0 } as const;

/** How far what entered by Promotion `old` is. */
const PHASES: Readonly<Record<string, Partial<Deployment>>> = {
  Deploying: {},
  Verifying: { outcome: 'Succeeded', verify: VERIFY },
  'failed to verify, and about to be gone back from': {
    outcome: 'Failed',
    verify: { ...VERIFY, outcome: 'Failed' },
  },
  Succeeded: { outcome: 'Succeeded' },
  Failed: { outcome: 'Failed' },
  Cancelled: { outcome: 'Cancelled' },
};
/** Those in which it may be tried once more, and taken back. */
const RETRIED = ['Failed', 'Cancelled'];
const TAKEN_BACK = ['Deploying', 'Verifying'];

for (const [phase, changes] of Object.entries(PHASES))
  for (const recordedBy of ['old', 'web-prod-3'])
    test(`A3, A5: of what ${recordedBy} recorded and is ${phase}, every command of a person`, () => {
      const ofPerson = recordedBy === 'old';
      const promoted = { promotion: 'old', uid: 'u-0', by: 'olga' };
      const deployment = { ...changes, ...(ofPerson ? { promoted } : {}) };
      const old = command({ uid: 'u-0', promotion: 'old', candidate: RUNS.digest, deployment: 3 });
      const of = (one: Command) => look(ofPerson ? [old, one] : [one], deployment);
      const back = command({ type: 'Rollback', historyID: 2 });
      assert.equal(askedIn(of(back)), back, 'goes back at once');
      const resume = command({ type: 'Resume', about: 'x' });
      assert.equal(askedIn(of(resume)), resume);
      const again = command({ candidate: RUNS.digest });
      const promotes = promotedIn(of(again), [{ ...RUNS, asked: '' }], RUNS as Candidate, () => []);
      assert.equal(promotes?.candidate?.digest, RUNS.digest, 'is asked for');
      const retry = of(command({ type: 'Retry', about: recordedBy }));
      const retried = promotedIn(retry, [], RUNS as Candidate, () => []);
      assert.equal(retried?.refusal === undefined, RETRIED.includes(phase));
      const cancel = command({ type: 'Cancel', about: recordedBy });
      const isTakenBack = TAKEN_BACK.includes(phase);
      assert.equal(askedIn(of(cancel)), isTakenBack ? cancel : undefined);
      const [late] = commandedIn(of(cancel)).ended;
      assert.equal(late?.phase, isTakenBack ? undefined : 'Failed');
    });

test('A3: a rollback comes before what is taken back, which that ends; a Promote after it', () => {
  const old = command({ uid: 'u-0', promotion: 'old', candidate: RUNS.digest, deployment: 3 });
  const promoted = { promotion: 'old', uid: 'u-0', by: 'olga' };
  const cancel = command({ uid: 'u-1', promotion: 'cancel', type: 'Cancel', about: 'old' });
  const back = command({ uid: 'u-2', type: 'Rollback', historyID: 2 });
  assert.equal(askedIn(look([old, cancel, back], { promoted })), back);
  const newer = command({ uid: 'u-2', candidate: digest('d') });
  assert.equal(askedIn(look([old, cancel, newer], { promoted })), cancel);
  assert.equal(commandedIn(look([old, cancel, newer], { promoted })).waits, newer);
});

test('D7: what was taken back is known by the record, also where its deployment is told and forgotten', () => {
  const old = command({ uid: 'u-0', promotion: 'old', candidate: RUNS.digest, deployment: 3 });
  const cancel = command({ uid: 'u-1', promotion: 'cancel', type: 'Cancel', about: 'old' });
  const run = look([old, cancel], { id: 5 });
  Object.assign(run.context.record, {
    answered: [
      { uid: 'u-1', phase: 'Succeeded', message: '' },
      { uid: 'u-0', phase: 'Cancelled', message: '' },
    ],
  });
  const { begun, ended, takesBack, waits } = commandedIn(run);
  assert.deepEqual(
    { begun, ended, takesBack, waits },
    { begun: [], ended: [], takesBack: undefined, waits: undefined },
  );
});

test('A3: without a policy what was taken back is promoted, which nothing else is', () => {
  const run = look([command({ candidate: RUNS.digest })], { id: 5 }, FREE);
  Object.assign(run.context.record, {
    cancelled: { digest: RUNS.digest, promotion: 'x', by: 'anna', at: '' },
  });
  const answer = promotedIn(run, [{ ...RUNS, asked: '' }], RUNS as Candidate, () => []);
  assert.equal(answer?.candidate?.digest, RUNS.digest);
});

const STARTED = '2026-11-30T10:00:00.000Z';
const ENDED = '2026-11-30T10:10:00.000Z';
const OVERTAKEN = '2026-11-30T10:20:00.000Z';
const before = (time: string) => new Date(Date.parse(time) - 1);

test('A3, A20: who promotes what is verified there is told what becomes of it, whichever name it has, and nothing is begun anew', () => {
  const verified = {
    trigger: 'Promotion',
    startedAt: STARTED,
    outcome: 'Succeeded',
    verify: VERIFY,
  } as const;
  const decided = (outcome: 'Passed' | 'Failed', onFailure: 'Rollback' | 'Keep' = 'Rollback') => {
    const verify = { ...VERIFY, onFailure, outcome, endedAt: ENDED };
    return { ...verified, verify, ...(outcome === 'Failed' ? { outcome: 'Failed' as const } : {}) };
  };
  const { verify: _, ...tookBack } = { ...verified, outcome: 'Cancelled' as const, finishedAt: ENDED };
  const newer = { id: 4, startedAt: OVERTAKEN, candidate: { id: digest('c'), digest: digest('d') } };
  const rolledBack = { ...decided('Failed'), outcome: 'RolledBack' as const };
  const rows: readonly [string, Partial<Deployment>, Partial<Deployment> | undefined, string][] = [
    ['it is verified', verified, undefined, 'Verifying'],
    ['it passed', decided('Passed'), undefined, 'Succeeded'],
    ['it failed, and is about to be gone back from', decided('Failed'), undefined, 'Verifying'],
    ['it failed, and is kept', decided('Failed', 'Keep'), undefined, 'Failed'],
    ['it was gone back from', rolledBack, newer as Partial<Deployment>, 'RolledBack'],
    ['it was taken back', tookBack, newer as Partial<Deployment>, 'Cancelled'],
    ['it was overtaken', verified, newer as Partial<Deployment>, 'Superseded'],
  ];
  for (const [what, deployment, next, phase] of rows) {
    const it = { id: 3, candidate: RUNS as Candidate, ...deployment };
    const runs = next === undefined ? it : next;
    const of = (one: Command) => look([one], runs, IN_STAGE, next === undefined ? [] : [it]);
    for (const named of [{ candidate: RUNS.digest }, { candidate: RUNS.id }, { historyID: 3 }]) {
      const joins = of(command({ ...named, requestedAt: before(ENDED) }));
      const { begun, waits } = commandedIn(joins);
      assert.deepEqual(
        [begun.map((one) => [one.phase, one.isJoined]), waits],
        [[[phase, true]], undefined],
        what,
      );
      assert.equal(
        promotedIn(joins, [{ ...RUNS, asked: '' }], RUNS as Candidate, () => [])?.candidate,
        undefined,
      );
    }
    const later = commandedIn(of(command({ candidate: RUNS.digest, requestedAt: new Date(OVERTAKEN) })));
    assert.equal(
      later.begun.length,
      phase === 'Verifying' && deployment === verified ? 1 : 0,
      `${what}: later`,
    );
    const other = commandedIn(of(command({ candidate: digest('f'), requestedAt: before(ENDED) })));
    assert.equal(other.waits?.candidate, digest('f'));
  }
  const lost = commandedIn(
    look([command({ candidate: RUNS.digest, joined: true })], newer as Partial<Deployment>),
  );
  assert.deepEqual([lost.begun.map((one) => one.phase), lost.waits], [['Superseded'], undefined]);
});

test('A26: what is held while it is verified is let go of first, by who promotes it after that', () => {
  const verified = { startedAt: STARTED, outcome: 'Succeeded', verify: VERIFY } as const;
  const hold = { promotion: 'back', uid: 'u-0', by: 'olga', since: ENDED, refused: true as const };
  const waits = (requestedAt: Date) => {
    const run = look([command({ candidate: RUNS.digest, requestedAt })], verified);
    Object.assign(run.context.record, { hold });
    return commandedIn(run).waits !== undefined;
  };
  assert.deepEqual([waits(before(ENDED)), waits(new Date(ENDED))], [false, true]);
});

test('A3, A20: who promotes an older deployment of what is verified there, which stands in the history alone, is told what becomes of it, too', () => {
  const verified = { startedAt: STARTED, outcome: 'Succeeded', verify: VERIFY } as const;
  const history = [
    { id: 2, digest: digest('e') },
    { id: 1, digest: RUNS.digest },
  ];
  const lookup = () => ({ metadata: { uid: 'app' }, status: { environments: [{ name: 'prod', history }] } });
  const joins = (historyID: number) => {
    const run = look([command({ historyID, requestedAt: before(ENDED) })], verified);
    Object.assign(run.parts, { lookup });
    return commandedIn(run).begun.map(({ phase, isJoined }) => [phase, isJoined]);
  };
  assert.deepEqual([joins(1), joins(2), joins(9)], [[['Verifying', true]], [], []]);
});
