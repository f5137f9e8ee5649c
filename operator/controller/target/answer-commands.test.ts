import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandInProd as command, GOVERNED_PROD } from '../../../test/harness/commands.ts';
import { TowpathError } from '../../api/errors.ts';
import type { Command } from '../../promote/command.ts';
import type { Candidate } from '../record/record.ts';
import { answerCommands, answerEnding, answerRefused } from './answer-commands.ts';
import { askedIn, promotedIn } from './commanded.ts';
import type { CommandAnswer } from './commands-view.ts';
import type { Run } from './run.ts';
import type { TargetState } from './state.ts';

const RUNS = { id: `sha256:${'a'.repeat(64)}`, digest: `sha256:${'b'.repeat(64)}` };

const ROLLBACK = command('back', 'Rollback', { historyID: 2 });

/** One look at a target in a cluster that is out of reach. Answers by the Promotions' names, and what is left then. */
async function looked(newer: Command, answered: readonly object[] = []) {
  const answers = new Map<string, CommandAnswer>();
  const isOver = ({ uid }: Command) => ['Failed', 'Superseded'].includes(answers.get(uid)?.phase ?? '');
  const run = {
    parts: {
      commands: {
        given: () => [ROLLBACK, newer].filter((one) => !isOver(one)),
        answer: (_: string, answer: CommandAnswer) => answers.set(answer.command.uid, answer),
      },
      lookup: () => undefined,
      ledger: { nameOf: () => undefined },
    },
    target: GOVERNED_PROD,
    application: { metadata: { name: 'web' } },
    context: {
      record: { ended: [], deployment: { id: 3, candidate: RUNS, outcome: 'Succeeded' }, answered },
      store: { candidatesOf: () => [] },
    },
  } as unknown as Run;
  const promoted = promotedIn(run, [], RUNS as Candidate, () => []);
  const state = { promoted, asked: askedIn(run), settings: {}, found: {} } as unknown as TargetState;
  await answerCommands(run, state);
  const phaseOf = (uid: string) => answers.get(uid)?.phase ?? 'Pending';
  return { back: phaseOf('back'), newer: phaseOf('new'), left: askedIn(run)?.uid };
}

for (const [what, newer, answered] of [
  ['a Retry of another name', command('new', 'Retry', { about: 'web-prod-1' }), []],
  [
    'a Promote of what is not there',
    command('new', 'Promote', { candidate: `sha256:${'0'.repeat(64)}` }),
    [],
  ],
  [
    'a Resume of what holds nothing',
    command('new', 'Resume', { about: 'x' }),
    [{ uid: 'new', phase: 'Failed', message: 'Nothing is held there.' }],
  ],
] as const)
  test(`A3: ${what} is refused, and the Rollback that waited before it still waits`, async () => {
    assert.deepEqual(await looked(newer, answered), { back: 'Pending', newer: 'Failed', left: 'back' });
  });

test('A3: what is not refused ends the Rollback that waited before it', async () => {
  const newer = command('new', 'Rollback', { historyID: 1 });
  assert.deepEqual(await looked(newer), { back: 'Superseded', newer: 'Pending', left: 'new' });
});

const WAITS = { id: `sha256:${'c'.repeat(64)}`, digest: `sha256:${'d'.repeat(64)}` };
const at = (minute: number) => new Date(Date.UTC(2026, 10, 30, 12, minute));
const decision = (by: string, decision: 'Approve' | 'Reject', minute: number, groups = ['sre']) => {
  return { uid: `${by}-${minute}`, by, groups, decision, at: at(minute) };
};

/** What the Promotion of Ben, who may not approve it, says of who approved it. */
async function approvedIn(decisions: readonly ReturnType<typeof decision>[], record: object = {}) {
  let told: CommandAnswer | undefined;
  const bens = command('bens', 'Promote', { by: 'ben', candidate: WAITS.digest });
  const runs = { id: 3, candidate: RUNS, outcome: 'Succeeded' };
  const run = {
    parts: {
      commands: { given: () => [bens], answer: (_: string, answer: CommandAnswer) => (told = answer) },
      approvals: {
        admission: { is: 'Enforced', since: at(0) },
        unused: () => decisions,
        giverOf: (approval: string) => ({ name: `by-${approval}`, by: approval.split('-')[0], at: at(5) }),
      },
    },
    target: { ...GOVERNED_PROD, gates: { approvals: { required: 2, groups: ['sre'], validFor: '1h' } } },
    application: { metadata: { name: 'web' } },
    context: {
      record: { ended: [], deployment: runs, ...record },
      store: { candidatesOf: () => [], manifests: () => undefined },
      now: () => at(30),
    },
    session: {},
  } as unknown as Run;
  const gate = { reason: 'AwaitingApproval', message: '', remedy: 'Resource', standing: 'Waiting' } as const;
  const promoted = promotedIn(run, [{ ...WAITS, asked: 'it' }], undefined, () => [gate]);
  const state = { promoted, deployment: runs, settings: {}, found: {} } as unknown as TargetState;
  await answerCommands(run, state);
  return [told?.phase, ...(told?.approvals ?? []).map(({ by }) => by)];
}

test('S14: the Promotion of a person names who is counted, as the gate does: none who took it back, may not, or asked for it', async () => {
  const old = decision('oscar', 'Approve', -31);
  const said = [
    decision('rita', 'Approve', 3),
    old,
    decision('ben', 'Approve', 4),
    decision('sam', 'Approve', 5),
    decision('sam', 'Reject', 6),
    decision('tess', 'Approve', 7, ['developers']),
    decision('system:serviceaccount:shop:ci', 'Approve', 8),
  ];
  assert.deepEqual(await approvedIn(said), ['Gated', 'rita']);
});

test('S14: where the last yes lets it in within one look, its Promotion names who gave it, and nobody who did not count', async () => {
  const deployment = { id: 4, candidate: WAITS, promoted: { promotion: 'bens', uid: 'bens', by: 'ben' } };
  const of = { deployment: 4, at: at(30).toISOString() };
  const used = [
    { ...of, approval: 'rita-3', counted: true },
    { ...of, approval: 'tess-7' },
    { ...of, approval: 'sue-1', counted: true, deployment: 2 },
  ];
  assert.deepEqual(await approvedIn([], { deployment, used }), ['Deploying', 'rita']);
});

test('A5: where the environment is gone what waits is taken back all the same, and the rest goes on waiting', () => {
  const given = [
    ROLLBACK,
    command('cancel', 'Cancel', { about: 'back' }),
    command('other', 'Resume', { about: 'x' }),
  ];
  const answers = new Map<string, string>();
  const commands = {
    given: () => given.filter(({ uid }) => !answers.has(uid)),
    answer: (_: string, answer: CommandAnswer) => answers.set(answer.command.uid, answer.phase),
  };
  const parts = { commands, store: { get: () => undefined } } as unknown as Run['parts'];
  const target = { name: 'shop/web/prod' } as unknown as Run['target'];
  const error = new TowpathError('Resource', 'EnvironmentNotFound', 'There is no Environment prod.');
  answerRefused(parts, target, error);
  assert.deepEqual(Object.fromEntries(answers), { back: 'Cancelled', cancel: 'Succeeded', other: 'Pending' });
});

test('A3, A8: while the target is being removed all is taken back at once, and the rest is told why it waits', () => {
  const given = [
    command('old', 'Promote', { candidate: RUNS.digest, deployment: 3 }),
    command('cancel', 'Cancel', { about: 'old' }),
    command('other', 'Rollback', { historyID: 1 }),
  ];
  const answers = new Map<string, CommandAnswer>();
  const commands = {
    given: () =>
      given.filter(({ uid }) => !['Cancelled', 'Succeeded'].includes(answers.get(uid)?.phase ?? '')),
    answer: (_: string, answer: CommandAnswer) => answers.set(answer.command.uid, answer),
  };
  const promoted = { promotion: 'old', uid: 'old', by: 'anna' };
  const record = { ended: [], deployment: { id: 3, candidate: RUNS, promoted } };
  const parts = { commands, store: { get: () => record } } as unknown as Run['parts'];
  answerEnding(parts, { id: '', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' });
  assert.deepEqual(
    [...answers].map(([uid, { phase }]) => [uid, phase]),
    [
      ['old', 'Cancelled'],
      ['cancel', 'Succeeded'],
      ['other', 'Pending'],
    ],
  );
  assert.match(answers.get('other')?.blockedBy?.[0]?.message ?? '', /prod .* is being removed/);
});

test('A5: of what was overtaken while it was verified it is told when the next one began', async () => {
  const promoted = { promotion: 'new', uid: 'new', by: 'anna' };
  const verify = { forMs: 1_000, onFailure: 'Rollback', ms: 0 };
  const second = { id: 2, candidate: RUNS, outcome: 'Succeeded', promoted, verify };
  const third = { id: 3, candidate: RUNS, startedAt: '2026-11-30T10:00:00.000Z' };
  const answers: CommandAnswer[] = [];
  const commands = {
    given: () => [command('new', 'Promote', {})],
    answer: (_: string, answer: CommandAnswer) => void answers.push(answer),
  };
  const run = {
    parts: { commands },
    target: { name: 'shop/web/prod', environment: 'prod' },
    context: { record: { ended: [second], deployment: third } },
  } as unknown as Run;
  await answerCommands(run, { settings: {}, found: {} } as unknown as TargetState);
  assert.deepEqual(
    answers.map(({ phase, overtakenAt }) => [phase, overtakenAt]),
    [['Superseded', third.startedAt]],
  );
});

/** What a person is told who promotes what runs there. */
async function toldOfWhatRuns(more: Partial<TargetState>) {
  let told: CommandAnswer | undefined;
  const annas = command('annas', 'Promote', { candidate: RUNS.digest });
  const runs = { id: 3, candidate: RUNS, outcome: 'Succeeded' };
  const run = {
    parts: {
      commands: { given: () => [annas], answer: (_: string, answer: CommandAnswer) => (told = answer) },
    },
    target: { name: 'shop/web/prod', environment: 'prod', governance: { is: 'Free' }, gates: {} },
    context: {
      record: { ended: [], deployment: runs },
      store: { candidatesOf: () => [], manifests: () => undefined },
    },
    session: {},
  } as unknown as Run;
  const promoted = { command: annas, candidate: { ...RUNS, asked: '' }, blockedBy: [] };
  const others = { refused: [], awaited: [] };
  const state = {
    promoted,
    deployment: runs,
    others,
    settings: {},
    found: {},
    ...more,
  } as unknown as TargetState;
  await answerCommands(run, state);
  return [told?.phase, told?.message || told?.blockedBy?.[0]?.reason];
}

test('A26: who promotes what runs there hears that, and waits while nothing may be written that would end the hold', async () => {
  const hold = { promotion: 'back', uid: 'u-0', by: 'olga', since: '2026-11-30T10:00:00.000Z' };
  assert.deepEqual(await toldOfWhatRuns({}), ['Succeeded', 'It runs there already, by deployment 3.']);
  const settings = { suspended: 'It is suspended.' } as TargetState['settings'];
  assert.deepEqual(await toldOfWhatRuns({ hold, settings }), ['Pending', 'Suspended']);
});
