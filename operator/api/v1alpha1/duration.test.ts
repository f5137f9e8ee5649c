import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

test('durations are written as in Go', () => {
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('1h30m'), 5_400_000);
  assert.equal(parseDuration('1.5s'), 1_500);
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('1m250ms'), 60_250);
});

test('anything else is refused', () => {
  for (const text of ['', '5', '5 s', '-5s', '1d', '5S', 's', '1..5s'])
    assert.throws(() => parseDuration(text), RangeError);
});
