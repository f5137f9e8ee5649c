import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetUpdate } from '../target/words/target-update.ts';
import { Gathering } from './gathering.ts';

const never = new AbortController().signal;

function told(message: string): TargetUpdate {
  return { kind: 'Leaving', reason: 'Deleting', message, isStalled: false };
}

test('what targets tell while a patch is under way goes into the next one, the latest of each', async () => {
  const gathering = new Gathering();
  const patches: string[] = [];
  const settle = async (underWay = Promise.resolve()) =>
    gathering.settle(async (environments) => {
      const messages = [...gathering.latest].map(
        ([name, one]) => `${name}: ${'message' in one && one.message}`,
      );
      patches.push(`${[...environments]} (${messages.join(', ')})`);
      await underWay;
    }, never);
  const { promise: underWay, resolve: end } = Promise.withResolvers<void>();
  const first = gathering.tell('staging', told('one'), never);
  const patch = settle(underWay);
  const others = [
    gathering.tell('prod', told('one'), never),
    gathering.tell('staging', told('two'), never),
    gathering.tell('prod', told('two'), never),
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
  const gathering = new Gathering();
  const refused = gathering.tell('staging', told('one'), never);
  await gathering.settle(() => Promise.reject(new Error('refused')), never);
  await assert.rejects(refused, /refused/);
  const abort = new AbortController();
  const waiting = gathering.tell('staging', told('two'), never);
  abort.abort(new Error('newer'));
  await assert.rejects(
    gathering.settle(() => Promise.reject(abort.signal.reason), abort.signal),
    /newer/,
  );
  await gathering.settle(() => Promise.resolve(), never);
  await waiting;
});

test('nothing is written for a look that was interrupted', async () => {
  const gathering = new Gathering();
  const abort = new AbortController();
  const interrupted = gathering.tell('staging', told('one'), abort.signal);
  abort.abort(new Error('newer'));
  await assert.rejects(interrupted, /newer/);
  await gathering.settle(() => assert.fail('there is nothing to write'), never);
  assert.throws(() => gathering.tell('staging', told('two'), abort.signal), /newer/);
  assert.deepEqual([...gathering.latest.values()], [told('one')], 'nor does it tell any more');
});
