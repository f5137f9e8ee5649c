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

const VM = { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine' };
const CLUSTER = { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster' };
const hibernation = (value: string) => ({
  ...CLUSTER,
  metadata: { annotations: { 'cnpg.io/hibernation': value } },
});

for (const [name, manifest, ignore, expected] of [
  ['a virtual machine that does not run', { ...VM, spec: { running: false } }, [], true],
  ['a virtual machine that runs', { ...VM, spec: { running: true } }, [], false],
  ['a halted virtual machine', { ...VM, spec: { runStrategy: 'Halted' } }, [], true],
  [
    'a virtual machine that others halt',
    { ...VM, spec: { runStrategy: 'Halted' } },
    ['/spec/runStrategy'],
    false,
  ],
  ['another kind with such a field', { ...VM, kind: 'Other', spec: { running: false } }, [], false],
  ['a hibernated database', hibernation('on'), [], true],
  ['a database that is awake', hibernation('off'), [], false],
  ['one that others wake', hibernation('on'), ['/metadata/annotations/cnpg.io~1hibernation'], false],
] as const) {
  test(`${name} is ${expected ? '' : 'not '}at rest by its manifest's wish`, () => {
    assert.equal(isAtRest({ text: JSON.stringify(manifest) }, ignore), expected);
  });
}
