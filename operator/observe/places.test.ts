import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Places } from './places.ts';

/** Takes places from addresses, in this order; returns who was dropped, by their index. */
function taken(most: number, from: readonly (readonly [string, number])[]): number[] {
  const places = new Places(most);
  const dropped: number[] = [];
  for (const [index, [address, size]] of from.entries())
    places.take(address, () => dropped.push(index), size);
  return dropped;
}

test('where all come by one address, the oldest gives way to the newest', () => {
  const all = Array.from({ length: 5 }, () => ['ingress', 1] as const);
  assert.deepEqual(taken(3, all), [0, 1]);
});

test('an address that floods drops its own', () => {
  const flood = Array.from({ length: 100 }, () => ['flood', 1] as const);
  const dropped = taken(10, [['quiet', 1], ...flood, ['quiet', 1]]);
  assert.ok(!dropped.includes(0) && !dropped.includes(101), `${dropped}`);
  assert.equal(dropped.length, 92);
});

test('what holds nothing does not give way, and what was left is not dropped', () => {
  const places = new Places(10);
  const dropped: string[] = [];
  const take = (name: string, size: number) => places.take('a', () => dropped.push(name), size);
  const empty = take('empty', 0);
  take('left', 8).leave();
  const growing = take('growing', 8);
  take('small', 2);
  assert.deepEqual(dropped, []);
  growing.grow(1);
  assert.deepEqual(dropped, ['growing']);
  growing.grow(100);
  empty.grow(9);
  assert.deepEqual(dropped, ['growing', 'empty']);
});
