import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slices } from '../../../observe/event-loop-slices.ts';
import { type Cancelled, cancelledOf } from '../../../promote/cancelled.ts';
import type { Command } from '../../../promote/command.ts';
import { type Candidate, candidateKey, type Deployment, type TargetRecord } from '../../record/record.ts';
import { Claims } from '../claims.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { begin } from './begin.ts';
import { goBack } from './go-back.ts';
import { letGo } from './let-go.ts';

const LETTERS = ['a', 'b', 'c', 'd'] as const;
type Letter = (typeof LETTERS)[number];
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const candidateOf = (letter: Letter) =>
  ({ id: digest(letter), digest: digest(letter), revision: letter.repeat(40), ref: '' }) as Candidate;
const BEGAN = Date.parse('2026-11-29T10:00:00Z');
const HOLD = { promotion: 'back', uid: 'u-back', by: 'olga', since: '2026-11-28T09:00:00Z' };
const TAKEN: Cancelled = { digest: digest('c'), promotion: 'no', by: 'anna', at: '2026-11-28T10:00:00Z' };

type Step = { type: 'Promote' | 'Rollback' | 'Commit'; to: Letter };
type Before = Partial<Pick<TargetRecord, 'hold' | 'rejected' | 'cancelled' | 'waiting'>>;

/** An environment that runs `a`, and what is done to it: each step overtakes the one before on its way. */
function environment(before: Before) {
  const ran = { id: 1, candidate: candidateOf('a'), trigger: 'Commit', outcome: 'Succeeded', hooks: [] };
  const record = {
    ended: [],
    kinds: [],
    applied: new Map(),
    ...before,
    deployment: ran as unknown as Deployment,
    succeeded: candidateKey(candidateOf('a')),
    ran: LETTERS.map((letter) => candidateKey(candidateOf(letter))),
    target: { environment: 'prod' },
  } as unknown as TargetRecord;
  const manifests = { objects: [], hooks: [] };
  let now = BEGAN;
  const context = {
    record,
    target: { namespace: 'shop', name: 'shop/web/prod' },
    settings: { ignore: [], pruneBudget: '100%' },
    access: { targetId: 't' },
    inventory: { of: () => new Map(), isScaled: () => false, watches: { ensure: async () => {} } },
    slices: new Slices(),
    moving: { takersOf: async () => new Map() },
    store: {
      candidatesOf: () => LETTERS.map(candidateOf),
      manifests: async () => manifests,
      save: async () => {},
    },
    unreported: { begin: () => {} },
    now: () => new Date(now),
    clusterNow: () => new Date(now),
  };
  const parts = {
    claims: new Claims({ recordOf: () => undefined }),
    verdicts: { passOver: () => {} },
    approvals: { isUnmarked: () => false, markUsed: () => {} },
    evidence: { release: () => {} },
  };
  const application = { metadata: { name: 'web', generation: 3 }, spec: {} };
  const target = { environment: 'prod', governance: { is: 'Free' }, settings: { timeoutMs: 300_000 } };
  const run = {
    context,
    parts,
    request: {},
    underWay: {},
    session: {},
    application,
    target,
  } as unknown as Run;
  const commandOf = (more: Partial<Command>) =>
    ({ uid: `u-${now}`, promotion: `p-${now}`, by: 'ben', reason: '', skipGates: [], ...more }) as Command;
  const enter = (candidate: Candidate, command: Command | undefined) => {
    const wanted = { candidate, manifests };
    const promoted = command && { command, candidate: { ...candidate, asked: '' }, blockedBy: [] };
    // A person names what waited, or ran; what the source has comes by itself.
    const chosen = command && { chosen: { asked: '' } };
    const found = { wanted, judgement: {}, ...chosen };
    const others = { awaited: [] };
    const state = { application, settings: {}, promoted, settles: [], memory: {}, others, found };
    return begin(run, state as unknown as TargetState);
  };
  const act = (step: Step) => {
    now += 1_000;
    const candidate = candidateOf(step.to);
    if (step.type === 'Commit') return enter(candidate, undefined);
    const command = commandOf({ type: step.type, candidate: candidate.digest });
    return step.type === 'Promote'
      ? enter(candidate, command)
      : goBack(run, { asked: command } as TargetState);
  };
  const ask = (type: 'Cancel' | 'Resume', about: string) => {
    now += 1_000;
    const asked = commandOf({ type, about });
    const state = { asked, hold: record.hold } as unknown as TargetState;
    return type === 'Cancel' ? goBack(run, state) : letGo(run, state);
  };
  return { record, act, ask };
}

const isTaken = ({ cancelled }: Before, letter: Letter) =>
  cancelledOf(cancelled, digest(letter)) !== undefined;
const rejectionsOf = ({ rejected = [] }: Before) =>
  rejected.map(({ digest: of, why }) => `${of} ${why}`).sort();

const waitingOf = ({ waiting = [] }: Before) => waiting.map(({ asked }) => asked);

const anyBefore: fc.Arbitrary<Before> = fc
  .record({
    isHeld: fc.boolean(),
    rejected: fc.uniqueArray(fc.constantFrom<Letter>('b', 'c', 'd')),
    isTaken: fc.boolean(),
    waiting: fc.uniqueArray(fc.constantFrom<Letter>(...LETTERS)),
  })
  .map((is) => ({
    ...(is.isHeld ? { hold: HOLD } : {}),
    rejected: is.rejected.map((letter, day) => ({
      digest: digest(letter),
      why: 'It failed.',
      at: `2026-11-0${day + 1}T00:00:00Z`,
    })),
    ...(is.isTaken ? { cancelled: TAKEN } : {}),
    waiting: is.waiting.map((letter) => ({ id: digest(letter), digest: digest(letter), asked: letter })),
  }));
const stepOf = (...types: Step['type'][]): fc.Arbitrary<Step> =>
  fc.record({ type: fc.constantFrom(...types), to: fc.constantFrom<Letter>('b', 'c', 'd') });

test('A3, A26: whatever is begun and taken back, on its way or over what was, is as if it had never been: who held, rejected or took back something finds that so, and what waited waits', () =>
  fc.assert(
    fc.asyncProperty(
      anyBefore,
      fc.array(stepOf('Promote', 'Commit'), { maxLength: 3 }),
      stepOf('Promote', 'Rollback', 'Commit'),
      async (before, overtaken, last) => {
        const { record, act, ask } = environment(before);
        for (const step of overtaken) await act(step);
        await act(last);
        await ask('Cancel', 'it');
        assert.deepEqual(record.hold, before.hold);
        assert.deepEqual(rejectionsOf(record), rejectionsOf(before));
        assert.deepEqual(waitingOf(record), waitingOf(before));
        for (const letter of LETTERS) {
          const isLast = last.type !== 'Rollback' && letter === last.to;
          assert.equal(isTaken(record, letter), isLast || isTaken(before, letter), letter);
        }
      },
    ),
    { numRuns: 300 },
  ));

test('A26: what a rollback holds that is overtaken on its way holds again, when that which did so is taken back', async () => {
  const { record, act, ask } = environment({});
  await act({ type: 'Rollback', to: 'b' });
  const { hold, rejected } = record;
  assert.equal(rejected?.[0]?.digest, digest('a'));
  for (const type of ['Promote', 'Rollback'] as const) {
    await act({ type, to: 'c' });
    await ask('Cancel', 'it');
    assert.deepEqual([record.hold, record.rejected], [hold, rejected]);
  }
});

test('A2, A26: what waits is thrown away neither by what a person has enter once more, nor by what a rollback ends on its way', async () => {
  const waiting = (['b', 'c'] as const).map((asked) => ({ id: digest(asked), digest: digest(asked), asked }));
  for (const steps of [
    [{ type: 'Promote', to: 'd' }],
    [
      { type: 'Promote', to: 'c' },
      { type: 'Rollback', to: 'a' },
    ],
    [
      { type: 'Promote', to: 'c' },
      { type: 'Promote', to: 'a' },
    ],
  ] as const) {
    const { record, act } = environment({ waiting });
    for (const step of steps) await act(step);
    assert.deepEqual(waitingOf(record), ['b', 'c'], JSON.stringify(steps));
  }
});

test('A26: what ended by itself is taken back no more, and nothing of before comes back with what follows it', async () => {
  const { record, act, ask } = environment({ hold: HOLD });
  await act({ type: 'Promote', to: 'b' });
  assert.equal(record.hold, undefined);
  if (record.deployment !== undefined) record.deployment.outcome = 'Succeeded';
  await act({ type: 'Commit', to: 'c' });
  await ask('Cancel', 'it');
  assert.equal(record.hold, undefined);
});

test('A26: who lets go of what a promotion on its way ended finds it let go, also when that is taken back', async () => {
  const { record, act, ask } = environment({ hold: HOLD });
  await act({ type: 'Promote', to: 'b' });
  await ask('Resume', HOLD.promotion);
  assert.equal(record.answered?.at(-1)?.phase, 'Succeeded');
  await ask('Cancel', 'it');
  assert.equal(record.hold, undefined);
});
