import assert from 'node:assert/strict';
import { test } from 'node:test';
import definitions from '../../api/v1alpha1/definitions.json' with { type: 'json' };
import { fieldsBeyond } from './kept-fields.ts';

const text = { type: 'string' };
const of = (spec: object) => [{ name: 'v1', schema: { openAPIV3Schema: { properties: { spec } } } }];
const ours = of({
  properties: {
    name: text,
    list: { items: { properties: { a: text } } },
    labels: { additionalProperties: text },
    free: { 'x-kubernetes-preserve-unknown-fields': true },
  },
});

test('C2: a definition keeps all of itself, and of each kind of ours', () => {
  assert.deepEqual(fieldsBeyond(ours, ours, 9), []);
  for (const { spec } of definitions) assert.deepEqual(fieldsBeyond(spec.versions, spec.versions, 9), []);
});

const WIDER = [
  ['a field', { properties: { name: text, more: text } }, ['v1.spec.more']],
  [
    'a field of an item',
    { properties: { list: { items: { properties: { b: text } } } } },
    ['v1.spec.list[].b'],
  ],
  ['a map where there are fields', { additionalProperties: text }, ['v1.spec.*']],
  [
    'fields of the values of a map',
    { properties: { labels: { additionalProperties: { properties: { x: text } } } } },
    ['v1.spec.labels.*.x'],
  ],
  ['anything', { properties: { name: { 'x-kubernetes-preserve-unknown-fields': true } } }, ['v1.spec.name']],
  ['nothing that anything does not keep', { properties: { free: { properties: { deep: text } } } }, []],
  ['a key that any name is', { properties: { labels: { properties: { x: text } } } }, []],
] as const;
for (const [what, spec, lost] of WIDER)
  test(`C2: of a definition that has ${what} is told what ours does not keep`, () => {
    assert.deepEqual(fieldsBeyond(of(spec), ours, 9), lost);
  });

test('C2: a version that ours does not have is told as a whole, and no more than is asked for', () => {
  assert.deepEqual(fieldsBeyond([{ name: 'v2' }], ours, 9), ['v2']);
  const many = of({ properties: Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, text])) });
  assert.deepEqual(fieldsBeyond(many, ours, 2), ['v1.spec.a', 'v1.spec.b']);
});
