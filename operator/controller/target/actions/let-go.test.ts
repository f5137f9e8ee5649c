import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetRecord } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { letGo } from './let-go.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

test('A26: promoting what runs there ends the hold with one write, and that it was rejected', async () => {
  const hold = { promotion: 'back', uid: 'u-0', by: 'olga', since: '2026-11-30T10:00:00.000Z' };
  const rejected = ['a', 'b'].map((one) => ({ digest: digest(one), why: 'It was slow.', at: hold.since }));
  const record = { hold, rejected } as unknown as TargetRecord;
  let writes = 0;
  const save = async () => {
    writes += 1;
    assert.equal(record.hold, undefined);
  };
  const run = { context: { record, store: { save } } } as unknown as Run;
  const candidate = { id: digest('a'), digest: digest('a'), asked: '' };
  const state = { asked: undefined, hold, promoted: { candidate, blockedBy: [] } } as unknown as TargetState;
  assert.deepEqual(await letGo(run, state), { type: 'LetGone', ended: hold });
  assert.deepEqual([writes, record.hold, record.answered], [1, undefined, undefined]);
  assert.deepEqual(
    record.rejected?.map((one) => one.digest),
    [digest('b')],
  );
});
