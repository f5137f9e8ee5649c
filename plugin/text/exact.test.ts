import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonText, parseJson } from './exact.ts';

test('integers that a double cannot hold are read and written as they are, all else as JSON has it', () => {
  const text =
    '{"a":9007199254740993,"b":[-12345678901234567890,1.5,1e3,7],"c":"9007199254740993 \\" 12345678901234567"}';
  const value = parseJson(text);
  assert.deepEqual(value, {
    a: 9007199254740993n,
    b: [-12345678901234567890n, 1.5, 1000, 7],
    c: '9007199254740993 " 12345678901234567',
  });
  assert.equal(jsonText(value), text.replace('1e3', '1000'));
});
