import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contests } from './contests.ts';

const MINUTE = 60_000;
const told = (times: readonly number[]) => {
  const contests = new Contests();
  return times.map((at) => contests.note('object', 'hpa', at * MINUTE));
};

test('the third repair within an hour is told, and no other of that hour', () => {
  assert.deepEqual(told([0, 10, 20, 30, 40]), [false, false, true, false, false]);
});

test('a fight that goes on is told again an hour later', () => {
  assert.deepEqual(told([0, 20, 40, 60, 80, 101]), [false, false, true, false, false, true]);
});

test('what happens once in a while is no fight', () => {
  assert.deepEqual(told([0, 40, 80, 120, 160]), [false, false, false, false, false]);
});

test('of each object and manager by itself', () => {
  const contests = new Contests();
  const managers = ['a', 'b', 'a', 'b', 'a'];
  const answers = managers.map((by, index) => contests.note('object', by, index));
  assert.deepEqual(answers, [false, false, false, false, true]);
  assert.equal(contests.note('other', 'a', 10), false);
});
