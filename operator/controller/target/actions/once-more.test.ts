import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import { Slices } from '../../../observe/event-loop-slices.ts';
import type { Command } from '../../../promote/command.ts';
import type { Candidate, Deployment, TargetRecord } from '../../record/record.ts';
import { Claims } from '../claims.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { begin } from './begin.ts';
import { goBack } from './go-back.ts';

const NOW = new Date('2026-11-29T10:00:00Z');
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const CANDIDATE = { id: digest('a'), digest: digest('b'), revision: 'c'.repeat(40), ref: 'refs/heads/main' };
const HOLD = { promotion: 'back', uid: 'u-1', by: 'olga', since: '2026-11-29T09:00:00Z' };
const REJECTED = [
  { digest: CANDIDATE.digest, why: 'It failed.', at: HOLD.since },
  { digest: digest('d'), why: 'olga went back from it.', at: HOLD.since },
];

function asked(type: Command['type']): Command {
  return {
    uid: 'u-2',
    promotion: 'again',
    type,
    application: 'web',
    environment: 'prod',
    requestedAt: NOW,
    by: 'otto',
    about: 'back',
    skipGates: [],
    reason: '',
  };
}

/** A look at a target whose last deployment failed, and that is held. */
function failedLook(trigger: Deployment['trigger']) {
  const deployment = {
    id: 7,
    candidate: CANDIDATE,
    trigger,
    outcome: 'Failed',
    install: false,
    hooks: ['pre-rollback v1 ConfigMap a'],
    baseline: { objects: 2, coming: {} },
    promoted: { promotion: 'back', uid: 'u-1', by: 'olga' },
  } as unknown as Deployment;
  const record = {
    deployment,
    ended: [],
    kinds: [],
    applied: new Map(),
    hold: HOLD,
    rejected: REJECTED,
  } as unknown as TargetRecord;
  const manifests = { objects: [], hooks: [] };
  const context = {
    record,
    target: { namespace: 'shop', name: 'shop/web/prod' },
    settings: { ignore: [], pruneBudget: '100%' },
    access: { targetId: 't' },
    inventory: { of: () => new Map(), isScaled: () => false, watches: { ensure: async () => {} } },
    slices: new Slices(),
    moving: { takersOf: async () => new Map() },
    store: {
      candidatesOf: () => [CANDIDATE],
      manifests: async () => manifests,
      save: async () => {},
    },
    unreported: { begin: () => {} },
    now: () => NOW,
    clusterNow: () => NOW,
  };
  const run = {
    context,
    parts: {
      claims: new Claims({ recordOf: () => undefined }),
      verdicts: { passOver: () => {} },
      approvals: { isUnmarked: () => false, markUsed: () => {} },
      evidence: { release: () => {} },
    },
    request: {},
    underWay: {},
    session: {},
    application: { metadata: { name: 'web', generation: 3 } },
    target: { environment: 'prod', governance: { is: 'Free' }, settings: { timeoutMs: 300_000 } },
  } as unknown as Run;
  return { run, record, deployment, wanted: { candidate: CANDIDATE as Candidate, manifests } };
}

test('A20, D12: going back once more is going back, goes on with its hooks, and leaves the hold as it was', async () => {
  const { run, record, deployment } = failedLook('Rollback');
  assert.equal((await goBack(run, { asked: asked('Retry') } as TargetState)).type, 'WentBack');
  const { trigger, hooks, candidate, baseline, promoted } = record.deployment ?? {};
  assert.equal(trigger, 'Rollback');
  assert.equal(candidate, CANDIDATE);
  assert.deepEqual([hooks, baseline], [deployment.hooks, deployment.baseline]);
  assert.equal(promoted?.promotion, 'again');
  assert.deepEqual([record.hold, record.rejected], [HOLD, REJECTED]);
});

for (const [remedy, minutes, isTriedAgain] of [
  ['Time', 60, true],
  ['Resource', 4, true],
  ['Resource', 6, false],
  ['Person', 0, false],
] as const)
  for (const who of ['a person', 'a policy'] as const)
    test(`D12: what ${who} goes back to is refused with remedy ${remedy}, and ${minutes} minutes passed: ${isTriedAgain ? 'tried again' : 'it stays'}`, async () => {
      const { run, record, deployment } = failedLook('Commit');
      const since = new Date(NOW.getTime() - minutes * 60_000);
      const verify = { forMs: 0, ms: 0, onFailure: 'Rollback', outcome: 'Failed' } as const;
      record.deployment = {
        ...deployment,
        candidate: { ...deployment.candidate, digest: digest('e') },
        verify: { ...verify, endedAt: since.toISOString() },
      };
      record.succeeded = `${CANDIDATE.id} ${CANDIDATE.digest}`;
      record.rejected = [];
      if (who === 'a policy') delete record.hold;
      const refusal = new TowpathError(remedy, 'QuotaExceeded', 'The quota is used up.');
      run.context.inventory.watches.ensure = () => Promise.reject(refusal);
      const command = { ...asked('Rollback'), candidate: CANDIDATE.digest, requestedAt: since };
      const going = goBack(run, { asked: who === 'a person' ? command : undefined } as TargetState);
      if (isTriedAgain) await assert.rejects(going, refusal);
      else assert.equal((await going).type, 'Stayed');
      const isOver =
        who === 'a person'
          ? record.answered !== undefined
          : record.deployment.verify?.wentBack === 'Impossible';
      assert.equal(isOver, !isTriedAgain);
    });

for (const [what, hold, wentBack] of [
  [
    'that a Rollback holds which was refused is gone back from, and the hold stays',
    { ...HOLD, refused: true },
    true,
  ],
  ['that a person holds there stays, and is told as failed for good', HOLD, false],
] as const)
  test(`A26, A27: what fails its verification and ${what}`, async () => {
    const { run, record, deployment } = failedLook('Promotion');
    const verify = { forMs: 0, ms: 0, onFailure: 'Rollback', outcome: 'Failed' } as const;
    const { promoted: _, ...left } = deployment;
    const candidate = { ...CANDIDATE, id: digest('f'), digest: digest('e') };
    const failed = { ...left, candidate, message: 'It broke.', verify };
    Object.assign(record, {
      deployment: failed,
      succeeded: `${CANDIDATE.id} ${CANDIDATE.digest}`,
      rejected: [],
    });
    record.hold = hold;
    const { type } = await goBack(run, {} as TargetState);
    assert.equal(type, wentBack ? 'WentBack' : 'Stayed');
    assert.equal(record.hold, hold);
    if (wentBack) return assert.equal(record.ended.at(-1)?.outcome, 'RolledBack');
    const { verify: after, message } = record.deployment ?? {};
    assert.equal(after?.wentBack, 'Impossible');
    assert.equal(message, 'It broke. olga holds it there (Promotion back), so it stays.');
  });

test('A26: a Rollback of what is not kept holds, and is remembered as one that began nothing', async () => {
  for (const hold of [undefined, HOLD, { ...HOLD, refused: true }]) {
    const { run, record } = failedLook('Promotion');
    Object.assign(record, { hold });
    await goBack(run, { asked: { ...asked('Rollback'), candidate: digest('9') } } as TargetState);
    // What another person wanted to stay there stays.
    assert.deepEqual([record.hold?.uid, record.hold?.refused], ['u-2', hold === HOLD ? undefined : true]);
  }
});

for (const [type, hold, rejected] of [
  ['Retry', HOLD, REJECTED],
  ['Promote', undefined, REJECTED.slice(1)],
] as const)
  test(`A20, A28: a hold and a rejection after a person's ${type}`, async () => {
    const { run, record, wanted } = failedLook('Promotion');
    const command = asked(type);
    const candidate = { ...CANDIDATE, asked: '' };
    const promoted = { command, candidate, blockedBy: [] };
    const { application } = run;
    const state = {
      application,
      settings: {},
      promoted,
      settles: [],
      memory: {},
      others: { awaited: [] },
      found: { wanted, judgement: {} },
    };
    await begin(run, state as unknown as TargetState);
    assert.equal(record.deployment?.id, 8);
    assert.deepEqual([record.hold, record.rejected], [hold, rejected]);
  });
