import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasInexactNumber, isTooDeep, valuesText } from './values-text.ts';

test('numbers in helm.values keep the digits they were written with', () => {
  const text =
    '{"metadata":{"generation":1},"spec":{"helm":{"values":{"id":9007199254740993,"neg":-9223372036854775808,"f":1.50,"e":1E3,"s":"9007199254740993","l":[18446744073709551615,null,true]}}}}';
  assert.equal(
    valuesText(text),
    '{"id":9007199254740993,"neg":-9223372036854775808,"f":1.50,"e":1E3,"s":"9007199254740993","l":[18446744073709551615,null,true]}',
  );
});

test('an Application without values has no text of them', () => {
  for (const text of ['{}', '{"spec":{}}', '{"spec":{"helm":{}}}', '{"spec":{"helm":{"values":null}}}'])
    assert.equal(valuesText(text), undefined);
});

test('parsed values tell whether digits may be lost', () => {
  assert.ok(hasInexactNumber({ a: [{ b: 2 ** 53 + 2 }] }));
  assert.ok(!hasInexactNumber({ a: [1, 1.5, 'x', null, 2 ** 53 - 1] }));
});

test('values that are nested more than 200 deep are told from others, however deep or wide', () => {
  const nested = (depth: number, inner: unknown): unknown =>
    Array.from({ length: depth }).reduce((value, _, index) => (index % 2 ? [value] : { a: value }), inner);
  for (const fine of [undefined, null, 'x', {}, nested(200, 'x'), { a: Array(1000).fill({}), b: 1 }])
    assert.equal(isTooDeep(fine), false);
  for (const deep of [nested(201, 'x'), nested(200, []), nested(9_000, 1), [{}, nested(300, 1)]])
    assert.equal(isTooDeep(deep), true);
});
