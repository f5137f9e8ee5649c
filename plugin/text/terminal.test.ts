import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf, inParts, paint, plain, shorten, wrap } from './terminal.ts';

test('what others wrote moves no cursor, turns on no colour and ends no line', () => {
  const cases = [
    ['a\u001b[31mred\u001b[0m', 'ared'],
    ['a\u001b]0;title\u0007b', 'ab'],
    ['first\r\nsecond', 'first second'],
    ['over\u0008\u0008write', 'over write'],
    ['left\u202eright', 'left right'],
    ['Grüße, 世界', 'Grüße, 世界'],
  ] as const;
  for (const [text, expected] of cases) assert.equal(plain(text), expected);
});

test('lines are broken between words, and a word that is longer than a line anywhere', () => {
  assert.deepEqual(wrap('one two three', 8), ['one two', 'three']);
  assert.deepEqual(wrap('  one two three', 8, '    '), ['  one', '    two', '    thre', '    e']);
  assert.deepEqual(wrap('a-very-long-word', 6), ['a-very', '-long-', 'word']);
  assert.deepEqual(wrap('any length', undefined), ['any length']);
  for (const line of wrap(`sha256:${'0123456789abcdef'.repeat(4)} and more`, 40, '  '))
    assert.ok(columnsOf(line) <= 40, line);
});

test('a colour is never broken, and takes no columns', () => {
  const red = paint({ isColoured: true }, 'red', 'abcdefgh');
  assert.deepEqual(wrap(red, 3), ['\u001b[31mabc', 'def', 'gh\u001b[39m']);
  assert.deepEqual(wrap(red, 8), [red]);
});

test('a line is broken anywhere, and never in a character', () => {
  assert.deepEqual(inParts('abcdef', 4), ['abcd', 'ef']);
  assert.deepEqual(inParts('😀😀😀', 2), ['😀😀', '😀']);
  assert.deepEqual(inParts('', 4), ['']);
});

test('what is cut says so', () => {
  assert.equal(shorten('😀😀😀', 2), '😀…');
  assert.equal(shorten('abcdef', 4), 'abc…');
  assert.equal(shorten('abcd', 4), 'abcd');
});
