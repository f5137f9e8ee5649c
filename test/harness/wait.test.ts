import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scaled } from './slowness.ts';
import { always, eventually } from './wait.ts';

test('what is waited for is returned, and a look that throws counts as not yet', async () => {
  let looks = 0;
  const found = await eventually(
    () => {
      looks += 1;
      if (looks === 1) throw new Error('not there');
      return looks === 3 && 'found';
    },
    { every: 1 },
  );
  assert.equal(found, 'found');
});

test('what does not come in time is told with its name and the last look', async () => {
  await assert.rejects(
    eventually(() => 0, { within: 10, every: 1, describe: 'something' }),
    { message: `waited ${scaled(10) / 1000} s for something; the last look returned 0` },
  );
});

test('the time that a test has in place of the true one ends no wait', async (t) => {
  let time = 0;
  t.mock.method(performance, 'now', () => time);
  let looks = 0;
  const look = () => {
    time += 100_000;
    looks += 1;
    return looks === 3;
  };
  assert.ok(await eventually(look, { every: 1 }));
});

test('what is always so is looked at again and again, from the beginning until the time has passed', async () => {
  const began = performance.now();
  const at: number[] = [];
  await always(
    () => at.push(performance.now() - began),
    (count) => assert.equal(count, at.length),
    50,
  );
  assert.ok(at.length > 2, `${at.length} looks`);
  assert.ok((at.at(-1) ?? 0) >= 50, 'the last look is one at the end');
});

test('what is not so at one moment ends the wait at once', async () => {
  let looks = 0;
  await assert.rejects(
    always(
      async () => ++looks,
      (count) => assert.notEqual(count, 3),
      60_000,
      { every: 1 },
    ),
    assert.AssertionError,
  );
  assert.equal(looks, 3);
});

test('a look that fails ends it, too: nobody knows what was so meanwhile', async () => {
  await assert.rejects(
    always(
      () => Promise.reject(new Error('no answer')),
      () => undefined,
      60_000,
    ),
    { message: 'no answer' },
  );
});
