import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '../../../promote/command.ts';
import type { Deployment, TargetRecord } from '../../record/record.ts';
import { rejectedWithout } from './displaced.ts';
import { takeBack } from './take-back.ts';

const AT = '2026-11-30T10:00:00.000Z';
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const CANCEL = {
  uid: 'u-1',
  promotion: 'cancel',
  type: 'Cancel',
  about: 'old',
  by: 'anna',
  reason: 'wrong day',
} as Command;
const PROMOTED = { promotion: 'old', uid: 'u-0', by: 'olga' };

function recordOf(deployment: Partial<Deployment>, more: Partial<TargetRecord> = {}): TargetRecord {
  const candidate = { id: digest('a'), digest: digest('b') };
  const all = {
    id: 3,
    candidate,
    trigger: 'Promotion',
    startedAt: '2026-11-30T09:59:00.000Z',
    ...deployment,
  };
  return { ended: [], deployment: all, ...more } as unknown as TargetRecord;
}

test('A3, A5: what is taken back is neither failed nor rejected nor verified, says who and why, and does not come back by itself', () => {
  const verify = { forMs: 60_000, onFailure: 'Rollback', ms: 0 } as const;
  const record = recordOf({ outcome: 'Succeeded', verify, promoted: PROMOTED });
  takeBack(record, CANCEL, 'Environment prod goes back.', AT);
  const { outcome, message, verify: left } = record.deployment ?? {};
  assert.deepEqual({ outcome, left }, { outcome: 'Cancelled', left: undefined });
  assert.equal(message, 'anna took it back by Promotion cancel: wrong day');
  assert.equal(record.rejected, undefined);
  assert.deepEqual(record.cancelled, { digest: digest('b'), promotion: 'cancel', by: 'anna', at: AT });
  assert.deepEqual(
    record.answered?.map(({ uid, phase }) => [uid, phase]),
    [
      ['u-1', 'Succeeded'],
      ['u-0', 'Cancelled'],
    ],
  );
});

test('A3, A26: of a rollback that is taken back nothing is left: neither its hold, nor that what it left is rejected', () => {
  const startedAt = '2026-11-30T09:59:00.000Z';
  const other = { digest: digest('d'), why: 'It failed.', at: '2026-11-01T00:00:00.000Z' };
  const rejected = [other, { digest: digest('c'), why: 'olga went back from it.', at: startedAt }];
  const hold = { promotion: 'old', uid: 'u-0', by: 'olga', since: startedAt };
  const record = recordOf({ trigger: 'Rollback', promoted: PROMOTED, startedAt }, { rejected, hold });
  assert.deepEqual(rejectedWithout(record), [other]);
  takeBack(record, CANCEL, '', AT);
  const { hold: held, cancelled } = record;
  assert.deepEqual(
    { held, cancelled, rejected: record.rejected },
    { held: undefined, cancelled: undefined, rejected: [other] },
  );
});

test('A28: what a policy went back from stays rejected where that is taken back', () => {
  const startedAt = '2026-11-30T09:59:00.000Z';
  const rejected = [{ digest: digest('c'), why: 'It failed.', at: startedAt }];
  const record = recordOf({ trigger: 'Rollback', startedAt }, { rejected });
  takeBack(record, CANCEL, '', AT);
  assert.deepEqual(record.rejected, rejected);
});
