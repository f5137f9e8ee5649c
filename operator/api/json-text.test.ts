import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scaled } from '../../test/harness/slowness.ts';
import { endOfString, endOfValue, skip } from './json-text.ts';

test('a string ends at the quote that is not escaped', () => {
  for (const string of ['""', '"a"', '"\\""', '"\\\\"', '"\\\\\\""', '"}],{[é𝒳"']) {
    assert.equal(endOfString(`${string}"more"`, 0), string.length - 1, string);
    assert.equal(endOfString(`x${string}`, 1), string.length, string);
  }
  for (const open of ['"', '"a', '"\\"', '"a\\\\\\"']) assert.equal(endOfString(open, 0), open.length, open);
});

test('a value ends where the next member, item or end is', () => {
  for (const value of [
    '1',
    '-1.5e3',
    'true',
    'null',
    '""',
    '"]}"',
    '{}',
    '[]',
    '{"a":[1,{"b":"]}"}]}',
    '[[],[]]',
  ]) {
    for (const behind of ['', ',1', '}', ']', ',"a":1}'])
      assert.equal(endOfValue(`${value}${behind}`, 0), value.length, `${value}${behind}`);
  }
});

test('white space and what else is given is passed over', () => {
  assert.equal(skip(' \n\t, :x', 0, ',:'), 6);
  assert.equal(skip('  ', 0), 2);
});

/** Of this thread, in milliseconds. */
function timeOf(text: string): number {
  const { user: before } = process.threadCpuUsage();
  endOfString(text, 0);
  endOfValue(text, 0);
  endOfValue(text, 1);
  return (process.threadCpuUsage().user - before) / 1_000;
}

test('A15: a MiB of quotes, backslashes and brackets takes no time', () => {
  for (const piece of ['"', '\\', '\\"', '[', '{"', '[[]', '"\\\\"', ',"']) {
    const text = `${'"'}${piece.repeat((1 << 20) / piece.length)}`;
    // Of three the least, since what else runs on the core counts, too; where it grew with the square it would be minutes.
    const took = Math.min(...[1, 2, 3].map(() => timeOf(text)));
    assert.ok(took < scaled(400), `${piece}: ${took} ms`);
  }
});
