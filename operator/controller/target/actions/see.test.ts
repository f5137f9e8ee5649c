import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deployment, newRecord, type TargetRecord } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import { see } from './see.ts';

test('D3: what is wanted again is written to end no more, however often that fails: it would be consent to a later plan', async () => {
  const record = newRecord({ id: 'i', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' });
  record.ending = true;
  const fault = new Error('not written');
  let writes = 0;
  const save = async () => {
    writes += 1;
    if (writes < 3) throw fault;
  };
  const run = {
    parts: { store: { get: () => record } },
    application: {},
    // Nothing is asked of the cluster for it.
    target: { refusal: fault, settings: {}, environment: 'prod' },
    context: {
      record,
      store: { save },
      access: {},
      inventory: { watches: { ensure: async () => undefined }, seeAutoscalers: async () => undefined },
      signal: new AbortController().signal,
    },
  } as unknown as Run;
  const state = { memory: {} } as unknown as TargetState;
  await assert.rejects(see(run, state), fault);
  await assert.rejects(see(run, state), fault, 'and is tried again');
  assert.equal((await see(run, state)).type, 'Seen');
  assert.equal(record.ending, undefined);
  await see(run, state);
  assert.equal(writes, 3, 'once it is written, no more');
});

test('S16: what a deployment bound before records named that is looked at once, and then noted', async () => {
  const identity = { id: 'i', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' };
  const record: TargetRecord = { ...newRecord(identity), deployment: {} as Deployment };
  const asked: string[] = [];
  let isInDoubt = false;
  let written: string | undefined;
  const run = {
    parts: {
      store: { get: () => record },
      access: {
        doubt: () => {
          isInDoubt = true;
        },
        isInDoubt: () => isInDoubt,
        ready: async ({ managedRole }: { managedRole: string }) => {
          asked.push(managedRole);
          isInDoubt = false;
        },
      },
    },
    application: {},
    target: { settings: {}, environment: 'prod', managedRole: 'view' },
    startedAt: 1,
    context: {
      record,
      store: {
        save: async () => {
          written = record.managedRole;
        },
      },
      access: {},
      inventory: { watches: { ensure: async () => undefined }, seeAutoscalers: async () => undefined },
      signal: new AbortController().signal,
    },
  } as unknown as Run;
  const state = { memory: {} } as unknown as TargetState;
  for (const _ of [1, 2]) {
    assert.equal((await see(run, state)).type, 'Seen');
    assert.deepEqual([asked, written], [['view'], 'view']);
  }
});
