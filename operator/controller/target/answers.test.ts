import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandInProd, GOVERNED_PROD } from '../../../test/harness/commands.ts';
import { isFinished, PROMOTION_TYPES, type PromotionPhase } from '../../api/v1alpha1/promotion.ts';
import type { Command } from '../../promote/command.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { heldBack } from '../../promote/rejection.ts';
import type { Candidate, Deployment, TargetRecord } from '../record/record.ts';
import { letGo } from './actions/let-go.ts';
import { takeBack } from './actions/take-back.ts';
import { replaceDeployment } from './actions/write-ahead.ts';
import { answerCommands } from './answer-commands.ts';
import { askedIn, promotedIn } from './commanded.ts';
import type { CommandAnswer } from './commands-view.ts';
import type { Run } from './run.ts';
import type { TargetState } from './state.ts';

/** What a person is told of each command, by how far the Promotion is that he asked for before. */

const AT = '2026-11-29T10:00:00.000Z';
const LATER = '2026-11-29T10:05:00.000Z';
const RAN = candidateOf('a');
const NEW = candidateOf('b');
const NEWER = candidateOf('c');
const WINDOW: BlockedBy = {
  reason: 'OutsideWindow',
  message: 'Its window is closed.',
  remedy: 'Time',
  standing: 'Waiting',
  clearsAt: new Date('2026-11-30T09:00:00Z'),
};
const VERIFY = { forMs: 60_000, onFailure: 'Rollback', ms: 0, since: AT } as const;
const PROMOTED = { promotion: 'old', uid: 'old', by: 'anna' };

function candidateOf(letter: string): Candidate {
  const digest = `sha256:${letter.repeat(64)}`;
  return {
    id: digest,
    digest,
    inputs: digest,
    request: digest,
    revision: letter.repeat(40),
    ref: 'refs/heads/main',
  };
}

function deployed(id: number, candidate: Candidate, more: Partial<Deployment> = {}): Deployment {
  const times = { startedAt: AT, clusterStartedAt: AT, generation: 1 };
  const rest = { trigger: 'Promotion' as const, install: false, applied: true };
  return { id, candidate, ...times, ...rest, hooks: [], deferred: [], outcome: 'Succeeded', ...more };
}

function command(uid: string, type: Command['type'], more: Partial<Command>): Command {
  return commandInProd(uid, type, { requestedAt: new Date(AT), ...more });
}

const BEFORE = deployed(3, RAN);
const OURS = deployed(4, NEW, { promoted: PROMOTED });
const { outcome: _, ...GOES_ON } = OURS;

/** What the record of prod has when the Promotion is so far. */
const RECORDS: Readonly<Record<PromotionPhase, Partial<TargetRecord>>> = {
  Pending: { deployment: BEFORE },
  Gated: { deployment: BEFORE },
  Deploying: { ended: [BEFORE], deployment: GOES_ON },
  Verifying: { ended: [BEFORE], deployment: { ...OURS, verify: VERIFY } },
  Succeeded: { ended: [BEFORE], deployment: OURS },
  Failed: { ended: [BEFORE], deployment: { ...OURS, outcome: 'Failed' } },
  RolledBack: {
    ended: [BEFORE, { ...OURS, outcome: 'RolledBack' }],
    deployment: deployed(5, RAN, { trigger: 'Rollback' }),
    rejected: [{ digest: NEW.digest, why: 'It did not stay healthy.', at: AT }],
  },
  Superseded: { ended: [BEFORE, { ...OURS, outcome: 'Superseded' }], deployment: deployed(5, NEWER) },
  Cancelled: {
    ended: [BEFORE, { ...OURS, outcome: 'Cancelled' }],
    deployment: deployed(5, RAN, { trigger: 'Rollback' }),
    cancelled: { digest: NEW.digest, promotion: 'cancel', by: 'anna', at: AT },
  },
};

/** What is asked for then. */
const COMMANDS: Readonly<Record<Command['type'], Command>> = {
  Promote: command('new', 'Promote', { candidate: NEW.digest }),
  Rollback: command('new', 'Rollback', { historyID: 3 }),
  Resume: command('new', 'Resume', { about: 'old' }),
  Retry: command('new', 'Retry', { about: 'old' }),
  Cancel: command('new', 'Cancel', { about: 'old' }),
};

/** Does what is asked for, as far as the record tells of it. */
async function act(run: Run, state: TargetState): Promise<boolean> {
  const { record } = run.context;
  const { asked, promoted } = state;
  if (asked?.type === 'Resume') {
    await letGo(run, { asked } as TargetState);
    return true;
  }
  const { deployment: left } = record;
  const id = (left?.id ?? 0) + 1;
  const { outcome: __, ...back } = deployed(id, RAN, { trigger: 'Rollback' });
  if (asked?.type === 'Cancel') {
    takeBack(record, asked, 'Environment prod goes back.', AT);
    replaceDeployment(record, back, undefined);
    return true;
  }
  const by = asked ?? promoted?.command;
  const isEntering = promoted?.candidate !== undefined && promoted.blockedBy.length === 0;
  const isThere = left?.candidate.digest === NEW.digest && left.outcome !== 'Failed';
  if (by === undefined || (asked === undefined && (!isEntering || isThere))) return false;
  const { outcome: ___, ...enters } = deployed(id, NEW);
  const begun = { ...(asked === undefined ? enters : back) };
  begun.promoted = { promotion: by.promotion, uid: by.uid, by: by.by };
  replaceDeployment(record, begun, left?.outcome === undefined ? 'Superseded' : undefined);
  return true;
}

/** How far both are in the end, with what the newer one says, or waits for. */
async function cell(phase: PromotionPhase, type: Command['type']) {
  const old = command('old', 'Promote', {
    candidate: NEW.digest,
    ...(phase === 'Deploying' || phase === 'Verifying' ? { deployment: 4 } : {}),
  });
  const answers = new Map<string, CommandAnswer>();
  const given = [...(isFinished(phase) ? [] : [old]), COMMANDS[type]];
  const record = { ended: [], ...structuredClone(RECORDS[phase]) } as unknown as TargetRecord;
  const run = runOf(record, given, answers, phase === 'Pending' ? [RAN] : [RAN, NEW, NEWER]);
  const gates = phase === 'Gated' ? [WINDOW] : (record.rejected ?? []).map((one) => heldBack('prod', one));
  for (let looks = 0; looks < 3; looks += 1) {
    const wanted = phase === 'Pending' ? undefined : NEWER;
    const waiting =
      phase === 'Pending'
        ? []
        : [
            { ...NEW, asked: 'new' },
            { ...NEWER, asked: 'newer' },
          ];
    const promoted = promotedIn(run, waiting, wanted, () => gates);
    const { deployment } = record;
    const state = {
      promoted,
      asked: askedIn(run),
      deployment,
      settings: {},
      found: {},
      others: { refused: [], awaited: [] },
    } as unknown as TargetState;
    await answerCommands(run, state);
    if (!(await act(run, state))) break;
  }
  const { phase: is = 'Pending', message = '', blockedBy = [] } = answers.get('new') ?? {};
  const words = message === '' ? (blockedBy[0]?.message ?? '') : message;
  return { old: answers.get('old')?.phase ?? phase, new: is, words };
}

function runOf(
  record: TargetRecord,
  given: readonly Command[],
  answers: Map<string, CommandAnswer>,
  kept: readonly Candidate[],
): Run {
  const store = {
    candidatesOf: () => kept,
    manifests: async () => undefined,
    save: async () => undefined,
  };
  return {
    parts: {
      commands: {
        given: () => given.filter(({ uid }) => !isFinished(answers.get(uid)?.phase)),
        answer: (_: string, answer: CommandAnswer) => answers.set(answer.command.uid, answer),
      },
      lookup: () => undefined,
      ledger: { nameOf: () => undefined },
      specifiedTargets: () => [],
    },
    target: GOVERNED_PROD,
    application: { metadata: { name: 'web' } },
    session: {},
    context: { record, store, now: () => new Date(AT) },
  } as unknown as Run;
}

/** What becomes of the newer one and of the older one, and what the newer one says. */
type Cell = readonly [newer: PromotionPhase, old: PromotionPhase, words: RegExp];
type Row = Readonly<Record<Command['type'], Cell>>;

const SAYS_NOTHING = /^$/;
const NOT_HELD = /^Nothing is held there any more, by Promotion old neither/;
const NOT_FAILED = /^Promotion old has not failed in environment prod/;
const NOT_BEGUN =
  /^Promotion old has deployed nothing in environment prod yet: .*kubectl towpath status web prod/;
const ELSEWHERE = /^Promotion old is not what environment prod is at: promote what it deployed/;
const TOO_LATE =
  /^There is nothing to take back: Promotion old is over.* roll back: kubectl towpath rollback web prod/;

/** Where it is over, what comes then changes nothing of it. */
const over = (old: PromotionPhase, changes: Partial<Row>): Row => ({
  Promote: ['Deploying', old, SAYS_NOTHING],
  Rollback: ['Deploying', old, SAYS_NOTHING],
  Resume: ['Failed', old, NOT_HELD],
  Retry: ['Failed', old, ELSEWHERE],
  Cancel: ['Failed', old, TOO_LATE],
  ...changes,
});
/** Where nothing was done for it, what is newer takes its place, unless that is refused. */
const waits = (old: PromotionPhase, promote: Cell): Row => ({
  Promote: promote,
  Rollback: ['Deploying', 'Superseded', SAYS_NOTHING],
  Resume: ['Failed', old, NOT_HELD],
  Retry: ['Failed', old, NOT_BEGUN],
  Cancel: ['Succeeded', 'Cancelled', /^Promotion old is taken back\.$/],
});
const underWay = (old: PromotionPhase, promote: Cell): Row => ({
  Promote: promote,
  Rollback: ['Deploying', 'Superseded', SAYS_NOTHING],
  Resume: ['Failed', old, NOT_HELD],
  Retry: ['Failed', old, NOT_FAILED],
  Cancel: ['Succeeded', 'Cancelled', /^Promotion old is taken back\. Environment prod goes back\./],
});
const THERE = /^It runs there already, by deployment 4\./;

const TABLE: Readonly<Record<PromotionPhase, Row>> = {
  Pending: waits('Pending', ['Pending', 'Pending', /^What the source has is being found out/]),
  Gated: waits('Gated', ['Gated', 'Superseded', /^Its window is closed/]),
  Deploying: underWay('Deploying', [
    'Superseded',
    'Deploying',
    /^It was on its way there already, by deployment 4/,
  ]),
  Verifying: underWay('Verifying', [
    'Verifying',
    'Verifying',
    /^It runs there already, by deployment 4, and is verified/,
  ]),
  Succeeded: over('Succeeded', {
    Promote: ['Succeeded', 'Succeeded', THERE],
    Retry: ['Failed', 'Succeeded', NOT_FAILED],
  }),
  Failed: over('Failed', { Retry: ['Deploying', 'Failed', SAYS_NOTHING] }),
  // A person who promotes what failed there has seen that.
  RolledBack: over('RolledBack', {}),
  Superseded: over('Superseded', {}),
  Cancelled: over('Cancelled', {}),
};

for (const [phase, row] of Object.entries(TABLE) as [PromotionPhase, Row][])
  for (const type of PROMOTION_TYPES)
    test(`A3, A5, A20: ${type}, where what was promoted before is ${phase}`, async () => {
      const [newer, old, words] = row[type];
      const said = await cell(phase, type);
      assert.deepEqual({ newer: said.new, old: said.old }, { newer, old }, said.words);
      assert.match(said.words, words);
    });

for (const [what, deployment, phase, words] of [
  ['runs', OURS, 'Succeeded', /^It runs there already, by deployment 4\. The hold of Promotion back ends/],
  ['is on its way', GOES_ON, 'Superseded', /^It was on its way there already, by deployment 4\. The hold/],
  ['is verified', { ...OURS, verify: VERIFY }, 'Superseded', /^$/],
] as const)
  test(`A26: who promotes what ${what} where it is held is told that, although what is newer enters in the same look, and takes the environment back by that at no time`, async () => {
    const { promoted: _, ...there } = structuredClone<Deployment>(deployment);
    const hold = { promotion: 'back', uid: 'u-0', by: 'olga', since: AT };
    const record = { ended: [BEFORE], deployment: there, hold } as unknown as TargetRecord;
    const answers = new Map<string, CommandAnswer>();
    const run = runOf(record, [COMMANDS.Promote], answers, [RAN, NEW, NEWER]);
    const promotes = () => promotedIn(run, [], NEWER, () => [WINDOW]);
    const promoted = promotes();
    assert.equal(promoted?.candidate?.digest, NEW.digest);
    await letGo(run, { hold, promoted, deployment: there } as unknown as TargetState);
    assert.equal(promotes(), undefined, 'it waits no more');
    replaceDeployment(record, deployed(5, NEWER, { startedAt: LATER }), undefined);
    assert.equal(promotes(), undefined, 'nor where something newer is there');
    await answerCommands(run, { settings: {}, found: {} } as unknown as TargetState);
    const told = answers.get('new');
    assert.deepEqual([told?.phase, told?.candidate?.digest], [phase, NEW.digest]);
    assert.match(told?.message ?? '', words);
  });
