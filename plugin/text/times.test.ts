import assert from 'node:assert/strict';
import { test } from 'node:test';
import { relative, span } from './times.ts';

test('times are told as kubectl tells them, before and after now', () => {
  const now = new Date('2026-01-02T00:00:00Z');
  assert.equal(relative('2026-01-01T23:55:00Z', now), '5m ago');
  assert.equal(relative('2026-01-04T00:00:00Z', now), 'in 2d');
  assert.equal(relative('never', now), 'never');
  assert.equal(span(119_000), '119s');
  assert.equal(span(-5), '0s');
});
