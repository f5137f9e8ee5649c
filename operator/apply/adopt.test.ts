import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergedManagedFields } from './adopt.ts';

const entry = (manager: string | undefined, fieldsV1: object, more: object = {}) => ({
  ...(manager === undefined ? {} : { manager }),
  operation: 'Update' as const,
  apiVersion: 'v1',
  time: '2026-01-01T00:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1: fieldsV1 as Record<string, unknown>,
  ...more,
});
const data = (...keys: string[]) => ({ 'f:data': Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) });

test('fields of deployment tools become ours, in one entry', () => {
  const merged = mergedManagedFields(
    [
      entry('helm', data('a', 'b')),
      entry('kubectl-client-side-apply', data('b', 'c')),
      entry('towpath-other', data('d'), { operation: 'Apply' }),
    ],
    'id',
  );
  assert.deepEqual(merged, [
    {
      manager: 'towpath-id',
      operation: 'Apply',
      apiVersion: 'v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: data('a', 'b', 'c', 'd'),
    },
  ]);
});

for (const manager of [
  'Helm',
  'helm',
  'kubectl',
  'kubectl-edit',
  'kubectl-client-side-apply',
  'argocd-controller',
  'kustomize-controller',
  undefined,
]) {
  test(`${manager ?? 'a manager without a name'} is a deployment tool`, () => {
    assert.equal(mergedManagedFields([entry(manager, data('a'))], 'id')?.[0]?.manager, 'towpath-id');
  });
}

for (const manager of ['kube-controller-manager', 'cert-manager-cainjector', 'towpath-id-ignored']) {
  test(`${manager} keeps its fields`, () => {
    assert.equal(mergedManagedFields([entry(manager, data('a'))], 'id'), undefined);
    const merged = mergedManagedFields([entry('helm', data('b')), entry(manager, data('a'))], 'id');
    assert.deepEqual(merged?.[1], entry(manager, data('a')));
  });
}

test('what a tool wrote to a subresource stays as it is', () => {
  const scale = entry('kubectl', data('a'), { subresource: 'scale' });
  assert.equal(mergedManagedFields([scale], 'id'), undefined);
});

test('what is merged stays as it was', () => {
  const helm = entry('helm', data('a'));
  mergedManagedFields([helm, entry('kubectl', data('b'))], 'id');
  assert.deepEqual(helm, entry('helm', data('a')));
});
