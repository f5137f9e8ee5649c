import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clears, local, relative, span } from './times.ts';

test('times are told as kubectl tells them, before and after now', () => {
  const now = new Date('2026-01-02T00:00:00Z');
  assert.equal(relative('2026-01-01T23:55:00Z', now), '5m ago');
  assert.equal(relative('2026-01-04T00:00:00Z', now), 'in 2d');
  assert.equal(relative('never', now), 'never');
  assert.equal(span(119_000), '119s');
  assert.equal(span(-5), '0s');
});

test("D5: a time to come is told by the user's clock, too, with how far that is from UTC then", () => {
  const at = '2026-10-25T00:30:00Z';
  assert.equal(local(at, 'UTC'), '2026-10-25 00:30 UTC');
  assert.equal(local(at, 'Europe/Berlin'), '2026-10-25 02:30 UTC+2');
  assert.equal(local('2026-10-25T01:30:00Z', 'Europe/Berlin'), '2026-10-25 02:30 UTC+1', 'an hour later');
  assert.equal(local(at, 'Asia/Kolkata'), '2026-10-25 06:00 UTC+5:30');
  assert.equal(local('never'), 'never');
  const now = new Date('2026-10-22T00:30:00Z');
  assert.equal(clears(at, now), `clears in 3d, at ${local(at)}`);
});
