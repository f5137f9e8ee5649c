import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PromotionPhase, PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import type { Command } from '../../promote/command.ts';
import type { CommandAnswer } from '../target/commands-view.ts';
import { statusAfter } from './command-status.ts';

const minute = (count: number) => new Date(Date.UTC(2026, 10, 30, 10, count)).toISOString();
const command = { promotion: 'bens', uid: 'u', requestedAt: new Date(minute(0)) } as Command;
const verify = { forMs: 600_000, onFailure: 'Rollback', ms: 0 } as const;
const FAILED = { ...verify, outcome: 'Failed', endedAt: minute(12) } as const;
type Begun = NonNullable<CommandAnswer['deployment']>;

/** What a Promotion says at last of whose deployment that was told, one thing after the other; it is past noon by then. */
function said(
  ...told: readonly (Pick<CommandAnswer, 'phase' | 'overtakenAt'> & { deployment?: Partial<Begun> })[]
): Record<string, string | undefined> {
  const status = told.reduce<PromotionStatus>((before, { deployment, ...answer }) => {
    const begun = deployment && { id: 3, startedAt: minute(1), ...deployment };
    const whole = { command, message: '', ...answer, ...(begun === undefined ? {} : { deployment: begun }) };
    return statusAfter(before, whole, new Date(minute(120)));
  }, {});
  const { requestedAt, startedAt, deployedAt, finishedAt } = status;
  return { requestedAt, startedAt, deployedAt, finishedAt };
}

const begun = { requestedAt: minute(0), startedAt: minute(1) };
const deployed = { outcome: 'Succeeded', finishedAt: minute(2) } as const;
const verifying = { phase: 'Verifying', deployment: { ...deployed, verify } } as const;

test('A5: what a person promoted ends when it was verified, not when it was deployed: also where it failed, or was overtaken', () => {
  const ended = (phase: PromotionPhase, deployment: Partial<Begun>, overtakenAt?: string) =>
    said(verifying, { phase, deployment, ...(overtakenAt === undefined ? {} : { overtakenAt }) });
  const at = (finishedAt: string) => ({ ...begun, deployedAt: minute(2), finishedAt });
  const passed = { ...verify, outcome: 'Passed', endedAt: minute(12) } as const;
  assert.deepEqual(said(verifying), { ...begun, deployedAt: minute(2), finishedAt: undefined });
  assert.deepEqual(ended('Succeeded', { ...deployed, verify: passed }), at(minute(12)));
  assert.deepEqual(
    ended('RolledBack', { ...deployed, outcome: 'RolledBack', verify: FAILED }, minute(13)),
    at(minute(12)),
  );
  assert.deepEqual(ended('Failed', { ...deployed, outcome: 'Failed', verify: FAILED }), at(minute(12)));
  assert.deepEqual(ended('Superseded', { ...deployed, verify }, minute(7)), at(minute(7)));
  assert.deepEqual(ended('Cancelled', { outcome: 'Cancelled', finishedAt: minute(8) }), at(minute(8)));
});

test('what nothing is verified of ends when it is deployed, and nothing before it began, whatever clocks say', () => {
  const succeeded = { phase: 'Succeeded', deployment: deployed } as const;
  assert.deepEqual(said(succeeded), { ...begun, deployedAt: minute(2), finishedAt: minute(2) });
  const early = { phase: 'Succeeded', deployment: { ...deployed, startedAt: minute(5) } } as const;
  assert.deepEqual(said(early), {
    requestedAt: minute(0),
    startedAt: minute(5),
    deployedAt: minute(5),
    finishedAt: minute(5),
  });
  const refused = { ...begun, startedAt: undefined, deployedAt: undefined, finishedAt: minute(120) };
  assert.deepEqual(said({ phase: 'Failed' }), refused);
  assert.deepEqual(said(verifying, { phase: 'Superseded' }), {
    ...begun,
    deployedAt: minute(2),
    finishedAt: minute(120),
  });
});

test('A5: nothing was begun before it was asked for, also where the API server’s clock was put back in between, nor does that change later', () => {
  const early = { ...deployed, startedAt: minute(-60) };
  const order = { requestedAt: minute(-60), startedAt: minute(-60) };
  assert.deepEqual(
    said({ phase: 'Pending' }, { phase: 'Deploying', deployment: { startedAt: minute(-60) } }),
    {
      ...order,
      deployedAt: undefined,
      finishedAt: undefined,
    },
  );
  for (const told of [
    [{ phase: 'Succeeded', deployment: early }],
    [{ phase: 'Pending' }, { phase: 'Deploying', deployment: { startedAt: minute(-60) } }],
  ] as const)
    assert.deepEqual(said(...told, { phase: 'Succeeded', deployment: early }), {
      ...order,
      deployedAt: minute(2),
      finishedAt: minute(2),
    });
});
