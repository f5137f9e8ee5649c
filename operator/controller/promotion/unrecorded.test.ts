import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Unrecorded, UnrecordedDeployments } from './unrecorded.ts';

function newOnes() {
  const unrecorded = new UnrecordedDeployments();
  const dropped: string[] = [];
  const add = (target: string, id: number): Unrecorded => {
    const one = { target, id, drop: () => void dropped.push(`${target} ${id}`) };
    unrecorded.add(one);
    return one;
  };
  return { unrecorded, dropped, add };
}

test('of each target the last ten that could not be written down are kept, the oldest goes first', () => {
  const { unrecorded, dropped, add } = newOnes();
  for (const id of [2, 1, 3, 5, 4, 7, 6, 8, 9, 10, 12, 11]) add('shop/web/prod', id);
  add('shop/web/staging', 1);
  assert.deepEqual(dropped, ['shop/web/prod 1', 'shop/web/prod 2']);
  assert.equal(unrecorded.size, 11);
});

test('of all targets together so many are kept that memory does not grow', () => {
  const { unrecorded, dropped, add } = newOnes();
  for (let index = 0; index < 5_000; index += 1) add(`shop/web-${index % 1_000}/prod`, index);
  assert.equal(unrecorded.size, 2_000);
  assert.equal(dropped.length, 3_000);
});

test('what was written is not counted, and what was dropped of a namespace is asked about once', () => {
  const { unrecorded, add } = newOnes();
  const one = add('shop/web/prod', 1);
  unrecorded.delete(one);
  unrecorded.delete(one);
  assert.equal(unrecorded.size, 0);
  assert.equal(unrecorded.takeDropped('shop'), false);
  for (let id = 1; id <= 11; id += 1) add('shop/web/prod', id);
  assert.equal(unrecorded.takeDropped('other'), false);
  assert.equal(unrecorded.takeDropped('shop'), true);
  assert.equal(unrecorded.takeDropped('shop'), false);
});
