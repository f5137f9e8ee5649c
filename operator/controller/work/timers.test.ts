import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Timers } from './timers.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

test('A9: what is further away than a timer can count does not ring at once, and never later than it was asked to', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const rung: string[] = [];
  const timers = new Timers((name) => rung.push(name));
  timers.setIfNone('in a year', 365 * DAY_MS);
  timers.setIfNone('in a minute', 60_000);
  t.mock.timers.tick(1_000);
  assert.deepEqual(rung, []);
  t.mock.timers.tick(59_000);
  assert.deepEqual(rung, ['in a minute']);
  // Who is rung for looks at the clock, and is set anew.
  t.mock.timers.tick(25 * DAY_MS);
  assert.deepEqual(rung, ['in a minute', 'in a year']);
});
