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

test('a string is a string, whatever it begins with, beside a large integer, too', () => {
  const large = 9007199254740993n;
  const odd = [
    '\u0001integer 5',
    '\u0001integer x',
    '\u0001',
    '\u0001\u0001integer 7',
    'x"\u0001integer 5',
    '',
  ];
  for (const text of odd) {
    const value = { large, text, [text]: [text], within: { [`${text} `]: -large } };
    const written = jsonText(value);
    assert.deepEqual(parseJson(written), value);
    assert.deepEqual(parseJson(jsonText(value, 2)), value);
    assert.deepEqual(JSON.parse(written), JSON.parse(JSON.stringify(value, (_, each) => rounded(each))));
    assert.equal(jsonText(text), JSON.stringify(text));
  }
  assert.deepEqual(parseJson('["\\u0001\\u0069nteger 5" , 9007199254740993]'), ['\u0001integer 5', large]);
  assert.deepEqual(parseJson('{"\\u0001integer 5" : 9007199254740993}'), { '\u0001integer 5': large });
});

function rounded(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
