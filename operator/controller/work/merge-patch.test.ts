import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergePatchBetween } from './merge-patch.ts';

const cases: [string, unknown, unknown, unknown][] = [
  ['nothing changed: no patch', { a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } }, undefined],
  ['a changed member alone', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
  ['a member that went is null', { a: 1, b: 2 }, { a: 1 }, { b: null }],
  ['nested members alone', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, { a: { c: 3 } }],
  ['lists are replaced whole', { a: [1, 2] }, { a: [1, 3] }, { a: [1, 3] }],
  ['undefined is absent', { a: 1 }, { a: 1, b: undefined }, undefined],
];

for (const [name, before, after, patch] of cases) {
  test(`merge patch: ${name}`, () => assert.deepEqual(mergePatchBetween(before, after), patch));
}
