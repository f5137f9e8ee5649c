import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newManifest } from '../../test/harness/manifest.ts';
import { type AppliedObject, appliedDigest } from '../manifest/applied.ts';
import { type LiveObject, ownerAnnotation } from '../manifest/live.ts';
import { type Manifest, objectKey } from '../manifest/manifest.ts';
import { keepReason } from '../manifest/never-pruned.ts';
import { type PlanInput, plan, pruneDigest } from './plan.ts';

const targetName = 'shop/web/default';
const entry = { hash: 'h', time: '2026-01-01T00:00:00Z' };

function manifest(name: string, digest = 'd1'): Manifest {
  return newManifest(name, '{}', digest);
}

function live(name: string, more: Partial<LiveObject> = {}): LiveObject {
  const id = { group: '', kind: 'ConfigMap', namespace: 'shop', name, ...more };
  return {
    apiVersion: 'v1',
    uid: `uid-${name}`,
    resourceVersion: '1',
    target: 'id',
    owner: ownerAnnotation(targetName, id),
    deleting: false,
    annotations: {},
    hook: false,
    madeFor: [],
    keep: false,
    entry,
    ...id,
  };
}

function applied(name: string, more: Partial<AppliedObject> = {}): AppliedObject {
  const { group, kind, namespace, apiVersion } = manifest(name);
  return { group, kind, namespace, name, apiVersion, uid: `uid-${name}`, digest: 'd1', entry, ...more };
}

function planOf(
  given: { desired?: Manifest[]; live?: LiveObject[]; applied?: AppliedObject[] },
  more: Partial<PlanInput> = {},
) {
  return plan({
    targetId: 'id',
    targetName,
    desired: given.desired ?? [],
    live: new Map((given.live ?? []).map((one) => [objectKey(one), one])),
    applied: new Map((given.applied ?? []).map((one) => [objectKey(one), one])),
    prune: true,
    ignorePaths: () => [],
    pluralOf: ({ kind }) => `${kind.toLowerCase()}s`,
    ...more,
  });
}

/** What is sent for one desired object, by what is there and what the record says. */
const cases: [what: string, live: LiveObject[], applied: AppliedObject[], expected: string | undefined][] = [
  ['nothing is there', [], [], 'Create'],
  ['it is as it was applied', [live('a')], [applied('a')], undefined],
  [
    'only other things about it changed',
    [live('a', { resourceVersion: '9', others: [{ manager: 'x', time: '2', fields: {} }] })],
    [applied('a')],
    undefined,
  ],
  ['its manifest changed', [live('a')], [applied('a', { digest: 'd0' })], 'Update'],
  ['the record does not know it', [live('a')], [], 'Update'],
  ['it was deleted', [], [applied('a')], 'Drift'],
  ['it is being deleted', [live('a', { deleting: true })], [applied('a')], 'Drift'],
  ['somebody took a field of it', [live('a', { entry: { ...entry, hash: 'x' } })], [applied('a')], 'Drift'],
  [
    'a field was taken and given back',
    [live('a', { entry: { ...entry, time: '2' } })],
    [applied('a')],
    'Drift',
  ],
  ['it was made anew', [live('a', { uid: 'other' })], [applied('a')], 'Drift'],
  ['its label belongs to another target', [live('a', { target: 'other' })], [applied('a')], 'Drift'],
  ['it lost our annotation', [live('a', { owner: '' })], [applied('a')], 'Drift'],
  ['something else stands in its place', [live('a', { owner: '' })], [], 'Create'],
];

for (const [what, there, known, expected] of cases) {
  test(`${what}: ${expected ?? 'nothing is sent'}`, () => {
    const { apply } = planOf({ desired: [manifest('a')], live: there, applied: known });
    assert.deepEqual(
      apply.map(({ reason }) => reason),
      expected === undefined ? [] : [expected],
    );
  });
}

test('what is not ours is never taken for the object to update', () => {
  const { apply } = planOf({
    desired: [manifest('a')],
    live: [live('a', { owner: '' })],
    applied: [applied('a')],
  });
  assert.equal(apply[0]?.live, undefined);
  assert.equal(apply[0]?.recorded?.uid, 'uid-a');
});

test('other paths left to others are a change of the object', () => {
  const paths = ['/data/a'];
  const given = { desired: [manifest('a')], live: [live('a')], applied: [applied('a')] };
  assert.equal(planOf(given, { ignorePaths: () => paths }).apply[0]?.reason, 'Update');
  const known = [applied('a', { digest: appliedDigest(manifest('a'), paths) })];
  assert.deepEqual(planOf({ ...given, applied: known }, { ignorePaths: () => paths }).apply, []);
});

test('what is no longer desired is pruned; what is going, and hooks, are left alone', () => {
  const there = [live('a'), live('b'), live('c', { deleting: true }), live('d', { hook: true })];
  const result = planOf({ desired: [manifest('a')], live: there, applied: [applied('a')] });
  assert.deepEqual(
    result.prune.map(({ name }) => name),
    ['b'],
  );
  assert.deepEqual(result.kept, []);
});

const crd = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition', namespace: '' };
const keeps: [what: string, object: LiveObject, prune: boolean, reason: RegExp | undefined][] = [
  ['D4: an ordinary object goes', live('a'), true, undefined],
  ['D4: prune: disabled', live('a', { prune: 'disabled' }), true, /"disabled"/],
  ['D4: Helm’s keep', live('a', { keep: true }), true, /resource-policy/],
  [
    'D4: Helm’s keep wins over prune: enabled',
    live('a', { keep: true, prune: 'enabled' }),
    true,
    /resource-policy/,
  ],
  ['D4: a Namespace', live('a', { kind: 'Namespace', namespace: '' }), true, /prune: enabled/],
  [
    'D4: a Namespace that allows it',
    live('a', { kind: 'Namespace', namespace: '', prune: 'enabled' }),
    true,
    undefined,
  ],
  ['D4: a PersistentVolumeClaim', live('a', { kind: 'PersistentVolumeClaim' }), true, /prune: enabled/],
  ['D4: a CustomResourceDefinition', live('a', crd), true, /prune: enabled/],
  [
    'D4: a Namespace of another group is none',
    live('a', { group: 'example.com', kind: 'Namespace' }),
    true,
    undefined,
  ],
  ['spec.sync.prune false', live('a'), false, /spec\.sync\.prune/],
  ['D1: copied labels and annotations', live('a', { entry: undefined } as never), true, /did not apply it/],
];

for (const [what, object, prune, reason] of keeps) {
  test(`${what}: ${reason === undefined ? 'may go' : 'is kept, and it is said why'}`, () => {
    const told = keepReason(object, { targetId: 'id', targetName, prune });
    if (reason === undefined) assert.equal(told, undefined);
    else assert.match(told ?? '', reason);
  });
}

test('D3: the digest of a prune names exactly its objects, whatever their order', () => {
  const [a, b] = [live('a'), live('b')];
  assert.equal(pruneDigest([a, b]), pruneDigest([b, a]));
  assert.notEqual(pruneDigest([a]), pruneDigest([a, b]));
  assert.notEqual(pruneDigest([a]), pruneDigest([live('a', { uid: 'other' })]));
  assert.equal(pruneDigest([]), '');
  assert.match(pruneDigest([a]), /^sha256:[0-9a-f]{64}$/);
});

test('what objects in Git would go with is kept, and says for which', () => {
  const allowed = { namespace: '', prune: 'enabled' };
  const space = live('shop', { kind: 'Namespace', ...allowed });
  const crd = live('widgets.example.com', {
    group: 'apiextensions.k8s.io',
    kind: 'CustomResourceDefinition',
    ...allowed,
  });
  const desired = [manifest('a'), { ...manifest('w'), group: 'example.com', kind: 'Widget' }];
  const kept = planOf({ desired, live: [space, crd] });
  assert.deepEqual(kept.prune, []);
  assert.match(kept.kept[0]?.reason ?? '', /^ConfigMap shop\/a is still in Git and would go with it/);
  assert.match(kept.kept[1]?.reason ?? '', /^Widget shop\/w is still in Git and would go with it/);
  const gone = planOf({ desired: [{ ...manifest('a'), namespace: 'other' }], live: [space, crd] });
  assert.equal(gone.prune.length, 2, 'what nothing needs goes');
});

test('S18: consent to one plan is none to another whose digest begins with the same 12 digits', () => {
  // Uids that were searched for, as anyone can within a minute.
  const settings = (uid: string) => [live('settings', { uid })];
  const [one, other] = ['uid-28461488', 'uid-12041776'].map((uid) => pruneDigest(settings(uid)));
  const begin = 'sha256:'.length + 12;
  assert.equal(one?.slice(0, begin), other?.slice(0, begin));
  assert.notEqual(one, other);
});
