import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './text.ts';

test('a text for a message has no control characters, and ends where it is cut', () => {
  assert.equal(printable(' a\n\tb \u0000'), 'a b');
  assert.equal(printable('abcdef', 6), 'abcdef');
  assert.equal(printable('abcdefg', 6), 'abcdef…');
  assert.equal(printable(`ab${'\n'.repeat(1_000)}cd`, 6), 'ab…');
});
