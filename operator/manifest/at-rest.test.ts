import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtRest } from './at-rest.ts';

const text = (spec: unknown) => ({ text: JSON.stringify({ apiVersion: 'v1', kind: 'Thing', spec }) });

for (const [name, spec, ignore, expected] of [
  ['suspended', { suspend: true }, [], true],
  ['paused', { replicas: 2, paused: true }, [], true],
  ['suspended, in the words of custom resources', { suspended: true }, [], true],
  ['not suspended', { suspend: false }, [], false],
  ['without a word of it', { replicas: 2 }, [], false],
  ['whose template is, and not itself', { jobTemplate: { spec: { suspend: true } } }, [], false],
  ['where others decide', { suspend: true }, ['/spec/suspend'], false],
  ['without a spec', undefined, [], false],
  ['with a text that only looks like it', { note: '"suspend":true' }, [], false],
] as const) {
  test(`a manifest ${name} is ${expected ? '' : 'not '}at rest by its own wish`, () => {
    assert.equal(isAtRest(text(spec), ignore), expected);
  });
}
