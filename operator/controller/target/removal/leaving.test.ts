import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveObject } from '../../../manifest/live.ts';
import { pruneDigest } from '../../../plan/plan.ts';
import { newRecord, type TargetRecord } from '../../record/record.ts';
import { holdOf, hooksOfRemoval } from './leaving.ts';

const live = (name: string) =>
  ({
    group: '',
    kind: 'ConfigMap',
    namespace: 'shop-prod',
    name,
    uid: name,
    deleting: false,
  }) as unknown as LiveObject;

/** A store of which each write does what it is told next, and that knows what is not written. */
function storeThat(...answers: ('Refuses' | 'Takes')[]) {
  const ahead = new Set<TargetRecord>();
  const written: (true | undefined)[] = [];
  return {
    written,
    get: () => undefined,
    isAhead: (record: TargetRecord) => ahead.has(record),
    save: async (record: TargetRecord) => {
      ahead.add(record);
      if (answers.shift() === 'Refuses') throw new Error('not written');
      written.push(record.ending);
      ahead.delete(record);
    },
  };
}

test('D3: what a person consented to is deleted only when that is written: where it is not, consent counts as it is by then', async () => {
  const record = newRecord({ id: 'i', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' });
  const objects = [live('web'), live('extra')];
  const digest = pruneDigest(objects);
  const ask = (store: ReturnType<typeof storeThat>, consent: string | undefined) => {
    const left = {
      application: { spec: { deletionPolicy: 'Prune' } },
      target: { settings: { consent } },
      successors: [],
    } as unknown as Parameters<typeof holdOf>[1];
    return holdOf({ store }, left, objects, record, new AbortController().signal);
  };
  const store = storeThat('Refuses', 'Takes', 'Takes');
  await assert.rejects(ask(store, digest), /not written/);
  // The annotation was taken away meanwhile.
  assert.equal((await ask(store, undefined))?.state, 'PruneHeld');
  assert.deepEqual(store.written, [undefined], 'also where the write arrived, and its answer did not');
  await ask(store, undefined);
  assert.equal(store.written.length, 1, 'nothing is written at rest');
  assert.equal(await ask(store, digest), undefined);
  assert.deepEqual(store.written, [undefined, true], 'ahead of the first deletion');
});

test('D11: with the Application the hooks of what has begun in the place of a target are run, and its own where nothing has', () => {
  const identity = { id: 'i', name: 'shop/web/green', application: 'shop/web', environment: 'green' };
  const hooks = (record: object | undefined, history: readonly object[] = []) =>
    hooksOfRemoval({ store: { get: ({ id }) => (id === 'i' ? (record as TargetRecord) : undefined) } }, {
      application: { status: { environments: [{ name: 'green', history }] } },
      target: {},
      successors: [identity],
    } as unknown as Parameters<typeof hooksOfRemoval>[1]);
  assert.equal(hooks({ deployment: { applied: false } }), 'Leave');
  assert.equal(hooks(newRecord(identity)), 'Run', 'a gate keeps it out, say');
  assert.equal(hooks(undefined), 'Run');
  assert.equal(hooks(undefined, [{ id: 1 }]), 'Leave', 'it is gone by now');
  assert.equal(hooks(newRecord(identity), [{ id: 1 }]), 'Leave', 'its record was lost, and begun anew');
});

test('D11: where a rename is taken back as the Application is deleted the hooks of what ran there last are run, and no others', () => {
  const identity = (environment: string) => ({
    id: environment,
    name: `shop/web/${environment}`,
    application: 'shop/web',
    environment,
  });
  const hooks = (records: Record<string, Partial<TargetRecord>>) => {
    const store = {
      get: ({ id }: { id: string }) => ({ ...newRecord(identity(id)), ...records[id] }),
    };
    const of = (target: object, successors: readonly object[]) =>
      hooksOfRemoval({ store }, { application: {}, target, successors } as unknown as Parameters<
        typeof hooksOfRemoval
      >[1]);
    const blue = { ...identity('blue'), takesOver: [identity('green')] };
    return { blue: of(blue, []), green: of(identity('green'), [blue]) };
  };
  const deployment = { applied: true } as TargetRecord['deployment'] & object;
  const ran = { blue: { deployment }, green: { deployment, took: { blue: 1 } } };
  assert.deepEqual(hooks(ran), { blue: 'Leave', green: 'Run' });
  assert.deepEqual(hooks({ ...ran, green: { took: { blue: 1 } } }), { blue: 'Run', green: 'Run' });
  const back = { ...ran, blue: { deployment, took: { green: 2 } } };
  assert.deepEqual(hooks(back), { blue: 'Run', green: 'Leave' });
});
