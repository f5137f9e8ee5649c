import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from './server-busy.ts';

test('a server is left alone for the seconds, or until the date, that it tells', () => {
  const now = Date.parse('Mon, 30 Nov 2026 20:00:00 GMT');
  for (const [text, expected] of [
    ['120', 120_000],
    ['Mon, 30 Nov 2026 20:01:30 GMT', 90_000],
    ['Monday, 30-Nov-26 20:01:30 GMT', 90_000],
    ['Mon, 30 Nov 2026 19:00:00 GMT', undefined],
    ['', undefined],
    ['0', undefined],
    ['-5', undefined],
    ['soon', undefined],
    ['Infinity', undefined],
  ] as const)
    assert.equal(retryAfterMs(text, now), expected, text);
});
