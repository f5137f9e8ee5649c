import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canonicalJson,
  isRecord,
  type Json,
  parseExact,
  pointerSteps,
  valueAt,
  withoutPaths,
  withValues,
} from './exact-json.ts';

test('numbers survive a round trip as they were written', () => {
  for (const text of [
    '9007199254740993',
    '12345678901234567890',
    '1.0',
    '1e3',
    '-0',
    '0.1',
    '420',
    '1e400',
  ]) {
    assert.equal(canonicalJson(parseExact(`{"n":${text}}`)), `{"n":${text}}`);
  }
});

test('text survives a round trip, unusual characters and keys included', () => {
  const text = String.raw`{"__proto__":{"a":1},"a/b":"\u0000\n\"","z":[null,true,false,{}],"é":"😀"}`;
  assert.equal(canonicalJson(parseExact(text)), text);
});

test('keys are sorted, in lists too, the order of items stays', () => {
  assert.equal(canonicalJson(parseExact('{"b":[{"d":1,"c":2},1],"a":3}')), '{"a":3,"b":[{"c":2,"d":1},1]}');
});

test('an exact number is no record', () => {
  const parsed = parseExact('{"n":1.0}');
  assert.ok(isRecord(parsed));
  assert.equal(isRecord(parsed.n), false);
});

test('a JSON pointer is unescaped', () => {
  assert.deepEqual(pointerSteps('/metadata/annotations/a~1b~01'), ['metadata', 'annotations', 'a/b~1']);
});

test('the value at a pointer', () => {
  const document = parseExact('{"a":[{"b":1}],"c":{"":2}}');
  for (const [pointer, expected] of [
    ['/a/0/b', 1],
    ['/c/', 2],
    ['/a/1', undefined],
    ['/a/-', undefined],
    ['/a/', undefined],
    ['/a/00', undefined],
    ['/a/b', undefined],
    ['/c/constructor', undefined],
    ['/x/y', undefined],
  ] as const) {
    assert.equal(valueAt(document, pointer), expected, pointer);
  }
});

test('paths are taken out of a text, what names nothing is passed over', () => {
  const text = '{"a":{"b":1,"c":2.0},"l":[0,1,2,3]}';
  for (const [pointers, expected] of [
    [[], text],
    [['/a/b'], '{"a":{"c":2.0},"l":[0,1,2,3]}'],
    [['/a'], '{"l":[0,1,2,3]}'],
    [['/l/1'], '{"a":{"b":1,"c":2.0},"l":[0,2,3]}'],
    [['/l/0', '/l/2', '/l/1'], '{"a":{"b":1,"c":2.0},"l":[3]}'],
    [['/l/-', '/l/x', '/l/9', '/l/'], text],
    [['/x/y', '/a/b/c'], text],
  ] as const) {
    assert.equal(withoutPaths(text, pointers), expected, pointers.join());
  }
});

test('values are put where their parents are, and taken away where there is none', () => {
  const text = '{"a":{"b":1},"l":[{"w":1},{"w":2}],"n":12345678901234567890}';
  const values = new Map<string, Json | undefined>([
    ['/a/b', undefined],
    ['/a/c', 'new'],
    ['/l/1/w', 9],
    ['/missing/x', 1],
    ['/l/7', 1],
  ]);
  assert.equal(withValues(text, values), '{"a":{"c":"new"},"l":[{"w":1},{"w":9}],"n":12345678901234567890}');
});
