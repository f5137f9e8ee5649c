import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetRecord } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { letGo } from './let-go.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

const VERIFY = { forMs: 60_000, onFailure: 'Rollback', ms: 0 };
const ENDS = 'The hold of Promotion back ends with that.';

for (const [what, there, told] of [
  ['runs there', { outcome: 'Succeeded' }, ['Succeeded', `It runs there already, by deployment 3. ${ENDS}`]],
  [
    'passed there',
    { outcome: 'Succeeded', verify: { ...VERIFY, outcome: 'Passed' } },
    ['Succeeded', `It runs there already, by deployment 3. ${ENDS}`],
  ],
  [
    'is on its way there',
    { verify: VERIFY },
    ['Superseded', `It was on its way there already, by deployment 3. ${ENDS}`],
  ],
  ['is verified there', { outcome: 'Succeeded', verify: VERIFY }, undefined],
] as const)
  test(`A26, D7: promoting what ${what} ends the hold, and that it was rejected, with one write, which has the answer, too, where that is known`, async () => {
    const hold = { promotion: 'back', uid: 'u-0', by: 'olga', since: '2026-11-30T10:00:00.000Z' };
    const rejected = ['a', 'b'].map((one) => ({
      digest: digest(one),
      why: 'It was slow.',
      at: hold.since,
    }));
    const record = { hold, rejected } as unknown as TargetRecord;
    const answered = told === undefined ? undefined : [{ uid: 'annas', phase: told[0], message: told[1] }];
    let writes = 0;
    const save = async () => {
      writes += 1;
      assert.equal(record.hold, undefined);
      assert.deepEqual(record.answered, answered);
    };
    const run = { context: { record, store: { save } } } as unknown as Run;
    const candidate = { id: digest('a'), digest: digest('a'), asked: '' };
    const state = {
      asked: undefined,
      hold,
      promoted: { command: { uid: 'annas' }, candidate, blockedBy: [] },
      deployment: { id: 3, candidate, ...there },
    } as unknown as TargetState;
    assert.deepEqual(await letGo(run, state), { type: 'LetGone' });
    assert.deepEqual([writes, record.hold, record.answered], [1, undefined, answered]);
    assert.deepEqual(
      record.rejected?.map((one) => one.digest),
      [digest('b')],
    );
  });
