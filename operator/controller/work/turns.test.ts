import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turns } from './turns.ts';

/** Work that ends when it is told to, and what began so far. */
function newWork() {
  const turns = new Turns();
  const began: string[] = [];
  const take = (name: string, { key = 'a', signal }: { key?: string; signal?: AbortSignal } = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const ended = turns.take(key, signal, () => {
      began.push(name);
      return promise;
    });
    ended.catch(() => undefined);
    return { ended, end: () => resolve(name), fail: () => reject(new Error(name)) };
  };
  return { began, take };
}

test('work of one key is done one after the other, also after one that failed; other keys do not wait', async () => {
  const { began, take } = newWork();
  const [one, two] = [take('one'), take('two')];
  const three = take('three', { key: 'b' });
  await nextTurn();
  assert.deepEqual(began, ['one', 'three']);
  one.fail();
  await assert.rejects(one.ended, /one/);
  await nextTurn();
  assert.deepEqual(began, ['one', 'three', 'two']);
  for (const work of [two, three]) work.end();
  assert.equal(await two.ended, 'two');
});

test('who gives up its turn lets nobody begin before those that were first', async () => {
  const { began, take } = newWork();
  const abort = new AbortController();
  const one = take('one');
  const two = take('two', { signal: abort.signal });
  const three = take('three');
  abort.abort(new Error('given up'));
  await assert.rejects(two.ended, /given up/);
  await nextTurn();
  assert.deepEqual(began, ['one']);
  one.end();
  three.end();
  await three.ended;
  assert.deepEqual(began, ['one', 'three']);
});

test('A5: work that never ends holds up nobody once it was given up', async () => {
  const { began, take } = newWork();
  const abort = new AbortController();
  const one = take('one', { signal: abort.signal });
  const two = take('two');
  await nextTurn();
  abort.abort(new Error('given up'));
  await assert.rejects(one.ended, /given up/);
  two.end();
  await two.ended;
  assert.deepEqual(began, ['one', 'two']);
});
