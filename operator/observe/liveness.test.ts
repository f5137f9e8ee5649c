import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notLive } from './liveness.ts';

test('A9: a loop that came round within 30 s is live, one stuck for 30 s is not', () => {
  const tickedAt = 1_000_000;
  assert.equal(notLive(tickedAt, tickedAt), undefined);
  assert.equal(notLive(tickedAt, tickedAt + 29_999), undefined);
  assert.match(notLive(tickedAt, tickedAt + 30_000) ?? '', /for 30 s/);
  assert.match(notLive(tickedAt, tickedAt + 3_600_000) ?? '', /for 3600 s/);
});

test('A9: a loop that comes round again is live again', () => {
  const stuck = 1_000_000 + 45_000;
  assert.notEqual(notLive(1_000_000, stuck), undefined);
  assert.equal(notLive(stuck, stuck + 1_000), undefined);
});
