import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import { type Deployment, newRecord, type TargetRecord } from '../../record/record.ts';
import type { RecordStore } from '../../record/store.ts';
import type { Target } from '../../record/target.ts';
import { replaceDeployment } from '../actions/write-ahead.ts';
import type { Parts } from '../run.ts';
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

const NOW = new Date('2026-11-30T12:00:00Z');

/** Records of an Application, of which each knows by its environment what was said and deployed there. */
function recordsOf(given: Record<string, Partial<TargetRecord>>) {
  const records = new Map(
    Object.entries(given).map(([name, record]) => [name, { ...newRecord(identity(name)), ...record }]),
  );
  let written = 0;
  const store = {
    get: ({ id }: { id: string }) => records.get(id),
    recordsOf: () => [...records.values()],
    candidatesOf: () => [{ id: digest('1'), digest: digest('a') }],
    save: (record: TargetRecord) => {
      written += 1;
      records.set(record.target.id, record);
      return Promise.resolve();
    },
  } as unknown as RecordStore;
  const home = { now: () => NOW } as unknown as Parts['home'];
  return {
    /** The entry is this one now, in place of the others. Returns its record, and how often that was written by it. */
    async become(name: string, others: readonly string[], more: Partial<Target> = {}) {
      const target = {
        ...identity(name),
        cluster: 'home',
        settings: {},
        takesOver: others.map(identity),
        ...more,
      } as unknown as Target;
      const before = written;
      await inherit({ store, home }, target, new AbortController().signal);
      await inherit({ store, home }, target, new AbortController().signal);
      return { record: records.get(name), written: written - before };
    },
    of(name: string): TargetRecord {
      const record = records.get(name);
      assert.ok(record !== undefined);
      return record;
    },
  };
}

const ran = (id: number, revision: string, how: 'Whole' | 'UnderWay' = 'Whole') =>
  ({
    id,
    candidate: { id: digest(revision), digest: digest(revision) },
    startedAt: '2026-11-30T11:00:00Z',
    hooks: [],
    applied: how === 'Whole',
    ...(how === 'Whole' ? { outcome: 'Succeeded', finishedAt: '2026-11-30T11:01:00Z' } : {}),
  }) as unknown as Deployment;

const inheritedBy = (green: Partial<TargetRecord> | undefined, blue: Partial<TargetRecord> = BLUE) =>
  recordsOf({ blue, ...(green === undefined ? {} : { green }) }).become('green', ['blue']);

test('D12: under another name a target keeps what persons and policies said of it; manifests are known by their candidate there', async () => {
  const { record, written } = await inheritedBy(undefined);
  assert.equal(written, 1);
  assert.deepEqual(record?.hold, HOLD);
  assert.deepEqual(record?.rejected, [{ ...REJECTED, candidate: digest('1') }]);
  assert.deepEqual(record?.cancelled, CANCELLED, 'of which the candidate is kept no more');
  assert.equal(record?.governed, true);
});

test('D12: what a person let go of under the new name does not come back, nor what was deployed there', async () => {
  for (const took of [{}, { took: { blue: 1 } }]) {
    const { record } = await inheritedBy({ inherited: true, ...took });
    assert.deepEqual([record?.hold, record?.deployment], [undefined, undefined]);
    const deployment = ran(1, 'c');
    const { record: begun } = await inheritedBy({ deployment, ...took });
    assert.deepEqual([begun?.hold, begun?.deployment], [undefined, deployment], 'it is its own');
  }
});

test('nothing is written of a name under which nothing can begin, where nothing was said', async () => {
  const nothingSaid = newRecord(identity('blue'));
  for (const more of [
    { settings: { suspended: 'It is suspended.' } },
    { refusal: new TowpathError('Person', 'RepositoryNotAllowed', 'No.') },
  ] as unknown as Partial<Target>[]) {
    const { written } = await recordsOf({ blue: nothingSaid }).become('green', ['blue'], more);
    assert.equal(written, 0);
    assert.equal((await recordsOf({ blue: BLUE }).become('green', ['blue'], more)).written, 1);
  }
});

test('D12: where the name goes back, what was said last counts, and so does that it was let go of', async () => {
  const records = recordsOf({ blue: { deployment: ran(1, 'b') } });
  await records.become('green', ['blue']);
  Object.assign(records.of('green'), { hold: HOLD, rejected: [REJECTED] });
  const { record: blue, written } = await records.become('blue', ['green']);
  assert.equal(written, 1);
  assert.deepEqual([blue?.hold, blue?.rejected], [HOLD, [{ ...REJECTED, candidate: digest('1') }]]);
  assert.deepEqual(blue?.deployment, ran(1, 'b'), 'of green nothing ran');
  delete records.of('blue').hold;
  assert.equal((await records.become('green', ['blue'])).record?.hold, undefined);
  assert.equal((await records.become('blue', ['green'])).record?.hold, undefined);
});

test('D12: what ran under the former name before is enforced no more where something ran in its place, whichever way names went', async () => {
  const waits = { id: digest('d'), digest: digest('d'), asked: 'd'.repeat(64) };
  const records = recordsOf({
    blue: { deployment: ran(3, 'b'), succeeded: 'b', ran: ['b'], waiting: [waits] },
  });
  await records.become('green', ['blue']);
  records.of('green').deployment = ran(1, 'c');
  await records.become('red', ['blue', 'green']);
  // It has not got so far yet that anything of green is not what runs.
  records.of('red').deployment = ran(1, 'e', 'UnderWay');
  const { record: blue } = await records.become('blue', ['green', 'red']);
  assert.ok(blue !== undefined);
  assert.deepEqual([blue.deployment, blue.succeeded, blue.waiting], [undefined, undefined, undefined]);
  assert.deepEqual([blue.ran, blue.lastId], [['b'], 3], 'a person may go back to it');
  assert.deepEqual(
    blue.ended.map(({ id, outcome }) => [id, outcome]),
    [[3, 'Succeeded']],
  );
  // Nothing was let in since: green is what runs there.
  const { record: green } = await records.become('green', ['blue', 'red']);
  assert.deepEqual(green?.deployment, ran(1, 'c'));
});

test('D12: what replaces something that ran in the place, and is not applied yet, does not make that the former one’s again', async () => {
  const records = recordsOf({ blue: { deployment: ran(1, 'b') } });
  await records.become('green', ['blue']);
  const green = records.of('green');
  green.deployment = { ...ran(1, 'c'), outcome: 'Failed' };
  replaceDeployment(green, ran(2, 'd', 'UnderWay'), undefined);
  assert.equal((await records.become('blue', ['green'])).record?.deployment, undefined);
});

test('a change of names under a build that counted none is counted, and nothing of what runs changes', async () => {
  const records = recordsOf({
    blue: { hold: HOLD, deployment: ran(1, 'b') },
    green: { deployment: ran(1, 'c') },
  });
  const { record: green, written } = await records.become('green', ['blue']);
  assert.equal(written, 1);
  assert.deepEqual([green?.hold, green?.deployment], [undefined, ran(1, 'c')]);
  const { record: blue } = await records.become('blue', ['green']);
  assert.deepEqual([blue?.hold, blue?.deployment], [undefined, undefined]);
});
