import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withUsefulAdvice } from './advice.ts';
import type { ApprovalsOf, BlockedBy } from './gate.ts';
import { approvals } from './gates/approvals.ts';
import { heldGate } from './hold.ts';
import { heldBack } from './rejection.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const AT = new Date('2026-11-30T10:00:00Z');

function awaiting(): readonly BlockedBy[] {
  const of: ApprovalsOf = {
    whose: 'Environment prod',
    gate: { required: 1, groups: ['sre'] },
    admission: { is: 'Enforced', since: AT },
    digest: DIGEST,
    decisions: [],
    how: 'web prod -n shop',
    requester: undefined,
  };
  return approvals({
    environment: 'prod',
    now: AT,
    freezes: [],
    openings: [],
    dependencies: [],
    approvals: [of],
  });
}

const messages = (blockedBy: readonly BlockedBy[]) =>
  withUsefulAdvice(blockedBy).map(({ reason, message }) => `${reason}: ${message}`);

test('S14: who could approve is told how, where that lets something in', () => {
  const [told = ''] = messages(awaiting());
  assert.match(
    told,
    /^AwaitingApproval: 0 of 1 approval .*, by sre: kubectl towpath approve web prod -n shop$/,
  );
});

test('S14: nobody is told to approve what a hold or a rejection keeps out all the same', () => {
  const hold = heldGate({ promotion: 'back', by: 'olga' }, 'web prod -n shop');
  const failed = heldBack('prod', { digest: DIGEST, why: 'It was Degraded.', at: AT.toISOString() });
  const byPerson: BlockedBy = {
    reason: 'Rejected',
    message: 'By anna.',
    remedy: 'Resource',
    standing: 'Waiting',
  };
  for (const other of [hold, failed, byPerson]) {
    const [first, told = ''] = messages([other, ...awaiting()]);
    assert.equal(first, `${other.reason}: ${other.message}`);
    assert.match(
      told,
      /^AwaitingApproval: 0 of 1 approval .*, by sre; to approve it would let nothing in for now\.$/,
    );
  }
});
