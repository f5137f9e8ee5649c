import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../../api/v1alpha1/application.ts';
import { droppedNulls } from './dropped-nulls.ts';

function told(applied: object | string | undefined, values: object | undefined): string | undefined {
  const text =
    typeof applied === 'object' ? JSON.stringify({ spec: { helm: { values: applied } } }) : applied;
  const annotations = text === undefined ? {} : { 'kubectl.kubernetes.io/last-applied-configuration': text };
  const application = { metadata: { annotations }, spec: { helm: { values } } };
  return droppedNulls(application as unknown as Application)[0]?.message;
}

test('a null that kubectl apply left out is told, with its place and the way out', () => {
  assert.equal(
    told({ o: null, m: { a: null, b: 1 } }, { m: { b: 1 } }),
    "kubectl apply left out the null of spec.helm.values.o, spec.helm.values.m.a, so that the chart's default stays. Use kubectl apply --server-side, or put it into a values file.",
  );
  assert.match(told({ a: null, b: null, c: null, d: null }, undefined) ?? '', /values\.c and 1 more,/);
});

test('a null that is stored, a value set since, and what is no values are not told', () => {
  assert.equal(told({ o: null }, { o: null }), undefined);
  assert.equal(told({ o: null }, { o: 1 }), undefined);
  assert.equal(told({ o: [null], text: 'null' }, { o: [null], text: 'null' }), undefined);
  assert.equal(told('null', {}), undefined);
  assert.equal(told('{null', {}), undefined);
  assert.equal(told(undefined, {}), undefined);
  const deep = `${'{"spec":'.repeat(40_000)}null${'}'.repeat(40_000)}`;
  assert.equal(told(`{"spec":{"helm":{"values":${deep}}}}`, {}), undefined);
});
