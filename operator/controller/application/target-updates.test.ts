import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetUpdate } from '../target/words/target-update.ts';
import { TargetUpdates } from './target-updates.ts';

const never = new AbortController().signal;

function told(message: string): TargetUpdate {
  return { kind: 'Leaving', reason: 'Deleting', message, isStalled: false };
}

test('what targets tell while a patch is under way goes into the next one, the latest of each', async () => {
  const updates = new TargetUpdates();
  const patches: string[] = [];
  const settle = async (underWay = Promise.resolve()) =>
    updates.settle(async (environments) => {
      const messages = [...updates.latest].map(
        ([name, one]) => `${name}: ${'message' in one && one.message}`,
      );
      patches.push(`${[...environments]} (${messages.join(', ')})`);
      await underWay;
    }, never);
  const { promise: underWay, resolve: end } = Promise.withResolvers<void>();
  const first = updates.tell('staging', told('one'), never);
  const patch = settle(underWay);
  const others = [
    updates.tell('prod', told('one'), never),
    updates.tell('staging', told('two'), never),
    updates.tell('prod', told('two'), never),
  ];
  end();
  await Promise.all([first, patch]);
  await settle();
  await Promise.all(others);
  assert.deepEqual(patches, ['staging (staging: one)', 'prod,staging (staging: two, prod: two)']);
  await settle();
  assert.equal(patches.length, 2, 'nobody waits for more');
});

test('a patch that fails is told whoever waited for it; one that was broken off is made again for them', async () => {
  const updates = new TargetUpdates();
  const refused = updates.tell('staging', told('one'), never);
  await updates.settle(() => Promise.reject(new Error('refused')), never);
  await assert.rejects(refused, /refused/);
  const abort = new AbortController();
  const waiting = updates.tell('staging', told('two'), never);
  abort.abort(new Error('newer'));
  await assert.rejects(
    updates.settle(() => Promise.reject(abort.signal.reason), abort.signal),
    /newer/,
  );
  await updates.settle(() => Promise.resolve(), never);
  await waiting;
});

test('who waits for a write, and since when, is known until it is written', async () => {
  const updates = new TargetUpdates();
  assert.equal(updates.waitingSince, undefined);
  const before = performance.now();
  const written = ['staging', 'prod'].map((environment) => updates.tell(environment, told('one'), never));
  const since = updates.waitingSince ?? 0;
  assert.ok(since >= before && since <= performance.now(), 'the first of them');
  assert.ok(updates.isWaiting('prod') && !updates.isWaiting('dev'));
  await updates.settle(() => Promise.resolve(), never);
  await Promise.all(written);
  assert.equal(updates.waitingSince, undefined);
  assert.ok(!updates.isWaiting('prod'));
});

test('nothing is written for a look that was interrupted', async () => {
  const updates = new TargetUpdates();
  const abort = new AbortController();
  const interrupted = updates.tell('staging', told('one'), abort.signal);
  abort.abort(new Error('newer'));
  await assert.rejects(interrupted, /newer/);
  await updates.settle(() => assert.fail('there is nothing to write'), never);
  assert.throws(() => updates.tell('staging', told('two'), abort.signal), /newer/);
  assert.deepEqual([...updates.latest.values()], [told('one')], 'nor does it tell any more');
});
