import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askedSince } from './base-access.ts';

test('other repositories are asked after the commit came, and at once for who waits for it', () => {
  const now = performance.now();
  const since = (kept: readonly unknown[], changedAt: number, requestedAt?: number) =>
    askedSince({ kept, requestedAt }, { changedAt }) - now;
  const isAbout = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) < 5_000, `${actual} instead of ${expected}`);
  isAbout(since([{}], now - 20_000), -20_000);
  isAbout(since([{}], now - 3_600_000), -60_000);
  isAbout(since([], now - 20_000), -1_000);
  isAbout(since([{}], now - 120_000, now), -1_000);
  isAbout(since([{}], now - 120_000, now - 90_000), -91_000);
  isAbout(since([{}], now - 20_000, now - 90_000), -20_000);
});
