import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newRecord, type TargetRecord } from '../../record/record.ts';
import type { RecordStore } from '../../record/store.ts';
import type { Target } from '../../record/target.ts';
import { inherit } from './inherit.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const HOLD = { promotion: 'back', uid: 'u-1', by: 'olga', since: '2026-11-30T10:00:00Z' };
const REJECTED = { digest: digest('a'), why: 'It was slow.', at: '2026-11-30T10:00:00Z' };
const CANCELLED = { digest: digest('b'), promotion: 'stop', by: 'anna', at: '2026-11-30T10:00:00Z' };

const identity = (environment: string) => ({
  id: environment,
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});
const BLUE: TargetRecord = {
  ...newRecord(identity('blue')),
  hold: HOLD,
  rejected: [REJECTED],
  cancelled: CANCELLED,
  governed: true,
};

/** The record of green after it has taken the place of blue, and how often it was written. */
async function inheritedBy(green: Partial<TargetRecord> | undefined, blue: TargetRecord = BLUE) {
  const records = new Map([[blue.target.id, blue]]);
  if (green !== undefined) records.set('green', { ...newRecord(identity('green')), ...green });
  let written = 0;
  const store = {
    get: ({ id }: { id: string }) => records.get(id),
    candidatesOf: () => [{ id: digest('1'), digest: digest('a') }],
    save: (record: TargetRecord) => {
      written += 1;
      records.set(record.target.id, record);
      return Promise.resolve();
    },
  } as unknown as RecordStore;
  const target = {
    ...identity('green'),
    cluster: 'home',
    takesOver: [identity('blue')],
  } as unknown as Target;
  await inherit({ store }, target, new AbortController().signal);
  await inherit({ store }, target, new AbortController().signal);
  return { record: records.get('green'), written };
}

test('D12: under another name a target keeps what persons and policies said of it; manifests are known by their candidate there', async () => {
  const { record, written } = await inheritedBy(undefined);
  assert.equal(written, 1);
  assert.deepEqual(record?.hold, HOLD);
  assert.deepEqual(record?.rejected, [{ ...REJECTED, candidate: digest('1') }]);
  assert.deepEqual(record?.cancelled, CANCELLED, 'of which the candidate is kept no more');
  assert.equal(record?.governed, true);
});

test('D12: what a person let go of under the new name does not come back, nor is anything written where nothing was said', async () => {
  const { record, written } = await inheritedBy({ inherited: true });
  assert.deepEqual([record?.hold, written], [undefined, 0]);
  assert.equal((await inheritedBy(undefined, newRecord(identity('blue')))).written, 0);
  const deployment = {} as NonNullable<TargetRecord['deployment']>;
  assert.equal((await inheritedBy({ deployment })).written, 0, 'what was deployed there before is its own');
});
