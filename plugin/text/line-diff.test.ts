import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines, hunksOf } from './line-diff.ts';

const compare = (before: string, after: string) =>
  diffLines([...before], [...after]).map(({ sign, text }) => sign + text);

test('what was taken away and what was added is told in the fewest lines', () => {
  assert.deepEqual(compare('abc', 'abc'), [' a', ' b', ' c']);
  assert.deepEqual(compare('', 'ab'), ['+a', '+b']);
  assert.deepEqual(compare('ab', ''), ['-a', '-b']);
  assert.deepEqual(compare('axc', 'abc'), [' a', '-x', '+b', ' c']);
  const lines = compare('abcabba', 'cbabac');
  assert.equal(lines.filter((line) => !line.startsWith(' ')).length, 5);
});

test('both sides can be put together again, whatever they are', () => {
  let seed = 7;
  const next = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed;
  };
  const text = () => Array.from({ length: next() % 12 }, () => 'abc'.charAt(next() % 3));
  for (let round = 0; round < 500; round += 1) {
    const [before, after] = [text(), text()];
    const lines = diffLines(before, after);
    const without = (sign: string) => lines.filter((line) => line.sign !== sign).map((line) => line.text);
    assert.deepEqual(without('+'), before);
    assert.deepEqual(without('-'), after);
  }
});

test('too many differences are told as a whole, in time', () => {
  const side = (letter: string) => Array.from({ length: 5_000 }, (_, index) => `${letter}${index}`);
  assert.equal(diffLines(side('a'), side('b')).length, 10_000);
});

test('differences have a few lines around them, and those near each other stand together', () => {
  const lines = diffLines([...'abcdefghijklmnop'], [...'aBcdEfghijklmnoP']);
  const hunks = hunksOf(lines, 2).map((hunk) => hunk.map(({ sign, text }) => sign + text).join(''));
  assert.deepEqual(hunks, [' a-b+B c d-e+E f g', ' n o-p+P']);
});
