import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOurs, liveObject } from './live.ts';

const kind = { group: '', version: 'v1', kind: 'ConfigMap' };
const target = 'shop/web/default';
const fieldsV1 = { 'f:data': { 'f:a': {} } };
const ours = {
  name: 'config',
  namespace: 'shop',
  uid: 'u',
  resourceVersion: '7',
  labels: { 'towpath.dev/target': 'id' },
  annotations: { 'towpath.dev/owner': `${target} /ConfigMap/shop/config` },
  managedFields: [{ manager: 'towpath-id', operation: 'Apply', time: '2026-01-01T00:00:00Z', fieldsV1 }],
};

test('D1: an object is ours when label, annotation and field manager agree', () => {
  assert.equal(isOurs(liveObject(kind, ours), 'id', target), true);
});

const others: Record<string, Partial<Record<keyof typeof ours, unknown>>> = {
  'has no label': { labels: {} },
  'has the label of another target': { labels: { 'towpath.dev/target': 'other' } },
  'has no annotation': { annotations: {} },
  "has the annotation of another Application's": {
    annotations: { 'towpath.dev/owner': 'shop/api/default /ConfigMap/shop/config' },
  },
  'copied the annotation of another object': {
    annotations: { 'towpath.dev/owner': `${target} /ConfigMap/shop/other` },
  },
  'was never applied by the target': { managedFields: [] },
  'was written under our name, but not applied': {
    managedFields: [{ ...ours.managedFields[0], operation: 'Update' }],
  },
  'was applied through a subresource': {
    managedFields: [{ ...ours.managedFields[0], subresource: 'status' }],
  },
};

for (const [what, difference] of Object.entries(others)) {
  test(`D1: an object that ${what} is not ours`, () => {
    assert.equal(isOurs(liveObject(kind, { ...ours, ...difference } as typeof ours), 'id', target), false);
  });
}

test('the entry changes exactly when a field of ours went, or the object was applied again', () => {
  const entryOf = (managed: object) =>
    liveObject(kind, { ...ours, managedFields: [{ ...ours.managedFields[0], ...managed }] }).entry;
  const before = entryOf({});
  assert.deepEqual(entryOf({}), before);
  assert.notDeepEqual(entryOf({ fieldsV1: { 'f:data': {} } }), before);
  assert.notDeepEqual(entryOf({ time: '2026-01-01T00:00:01Z' }), before);
});

test('whoever else owns fields is told, the newest first, status writers and our second manager left out', () => {
  const { others: found } = liveObject(kind, {
    ...ours,
    managedFields: [
      { manager: 'early', operation: 'Update', time: '2026-01-02T00:00:00Z' },
      { manager: 'late', operation: 'Update', time: '2026-01-03T00:00:00Z', fieldsV1: { 'f:data': {} } },
      { manager: 'status', operation: 'Update', time: '2026-01-04T00:00:00Z', subresource: 'status' },
      { manager: 'towpath-id-ignored', operation: 'Apply', time: '2026-01-05T00:00:00Z' },
    ],
  });
  assert.deepEqual(found, [
    { manager: 'late', time: '2026-01-03T00:00:00Z', fields: { 'f:data': {} } },
    { manager: 'early', time: '2026-01-02T00:00:00Z', fields: {} },
  ]);
});

test('annotations that decide what becomes of it are read, other values of them are none', () => {
  const read = (annotations: Record<string, string>) => {
    const { prune, keep, hook, annotations: kept } = liveObject(kind, { ...ours, annotations });
    return { prune, keep, hook, kept };
  };
  const none = { prune: undefined, keep: false, hook: false, kept: {} };
  for (const [annotations, expected] of [
    [{}, none],
    [{ 'towpath.dev/prune': 'enabled' }, { ...none, prune: 'enabled' }],
    [{ 'towpath.dev/prune': 'disabled' }, { ...none, prune: 'disabled' }],
    [{ 'towpath.dev/prune': 'disable' }, { ...none, prune: 'disable' }],
    [{ 'helm.sh/resource-policy': 'keep' }, { ...none, keep: true }],
    [{ 'helm.sh/resource-policy': ' Keep ' }, { ...none, keep: true }],
    [{ 'helm.sh/resource-policy': 'delete' }, none],
    [{ 'helm.sh/hook': 'pre-install' }, { ...none, hook: true }],
    [{ 'towpath.dev/wave': '2' }, { ...none, kept: { 'towpath.dev/wave': '2' } }],
  ] as const) {
    assert.deepEqual(read(annotations), expected, JSON.stringify(annotations));
  }
});
