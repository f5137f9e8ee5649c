import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthState } from '../../../api/v1alpha1/application.ts';
import type { CheckEnd } from '../../../promote/checks.ts';
import type { Governance } from '../../../promote/governance.ts';
import type { Deployment, TargetRecord } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { noteVerify } from './note-verify.ts';

const NOW = new Date('2026-11-29T10:00:00Z');
const DIGEST = `sha256:${'d'.repeat(64)}`;
const CHECKED = { stage: 'prod', policy: 'standard', isFollowed: false } as const;

interface Look {
  readonly live?: HealthState;
  readonly lookedAfter?: object | 'Nothing';
}

/** What is verified for long enough, and entered with a check to pass, as a look finds it under what policies say now. */
function verifiedUnder(
  governance: Governance,
  passed?: CheckEnd,
  { live = 'Healthy', lookedAfter = { how: 'Confirmed' } }: Look = {},
) {
  const deployment = {
    id: 3,
    candidate: { id: DIGEST, digest: DIGEST },
    outcome: 'Succeeded',
    verify: { forMs: 1_000, onFailure: 'Rollback', checks: ['smoke'], ms: 0, since: '2026-11-29T09:00:00Z' },
  } as unknown as Deployment;
  const smoke = { check: 'smoke', template: 'a'.repeat(64), run: 1, startedAt: '2026-11-29T09:00:00Z' };
  const checks = { digest: DIGEST, runs: passed === undefined ? [] : [{ ...smoke, ended: passed }] };
  const rejected = [{ digest: DIGEST, why: 'It failed before.', at: '2026-11-29T08:00:00Z' }];
  const record = { deployment, checks, rejected } as unknown as TargetRecord;
  const run = {
    context: { record, now: () => NOW },
    target: { governance, settings: { timeoutMs: 300_000 } },
  } as unknown as Run;
  const found = { sight: 'Seen', ...(lookedAfter === 'Nothing' ? {} : { lookedAfter }) };
  const state = { deployment, found } as unknown as TargetState;
  const isDecided = noteVerify(run, state, { state: live }, undefined);
  return { isDecided, outcome: record.deployment?.verify?.outcome, rejected: record.rejected?.length };
}

for (const [what, governance] of [
  ['no policy selects it any more', { is: 'Free' }],
  ['several do', { is: 'Contested', policies: ['one', 'other'] }],
  ['none can be read', { is: 'Unknown', problem: 'it cannot be read' }],
  ['its environment is in no stage any more', { is: 'InNoStage', policy: 'standard' }],
  ['its policy has no verify any more', { is: 'InStage', ...CHECKED }],
  [
    'its policy has no checks any more',
    { is: 'InStage', ...CHECKED, verify: { forMs: 0, onFailure: 'Keep' } },
  ],
] satisfies [string, Governance][])
  test(`A7: what entered with checks does not pass without them: ${what}`, () => {
    assert.deepEqual(verifiedUnder(governance), { isDecided: false, outcome: undefined, rejected: 1 });
  });

test('A20: what passed after it was tried once more is rejected no more', () => {
  const passed = { outcome: 'Passed', at: '2026-11-29T09:30:00Z' } as const;
  assert.deepEqual(verifiedUnder({ is: 'Free' }, passed), {
    isDecided: true,
    outcome: 'Passed',
    rejected: 0,
  });
});

const UNTOUCHED = { lookedAfter: 'Nothing' } as const;
const NOT_WRITTEN = { lookedAfter: { how: 'Not', error: new Error('it is refused for now') } };
for (const [what, look, outcome] of [
  ['Degraded while nothing is written there fails', { live: 'Degraded', ...UNTOUCHED }, 'Failed'],
  ['Degraded while what is written is refused fails', { live: 'Degraded', ...NOT_WRITTEN }, 'Failed'],
  ['Missing though all of it could be put back fails', { live: 'Missing' }, 'Failed'],
  ['Missing while nothing is written there does not', { live: 'Missing', ...UNTOUCHED }, undefined],
  ['Missing while what is written is refused does not', { live: 'Missing', ...NOT_WRITTEN }, undefined],
] satisfies [string, Look, string | undefined][])
  test(`A7: what is ${what}`, () => {
    assert.equal(verifiedUnder({ is: 'Free' }, undefined, look).outcome, outcome);
  });
