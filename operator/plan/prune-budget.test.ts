import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newManifest } from '../../test/harness/manifest.ts';
import { type LiveObject, ownerAnnotation } from '../manifest/live.ts';
import { type Manifest, objectKey } from '../manifest/manifest.ts';
import { baselineOf, lossesOf } from './prune-budget.ts';

const targetName = 'shop/web/default';

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
    entry: { hash: 'h', time: '2026-01-01T00:00:00Z' },
    ...id,
  };
}

function baseline(desired: Manifest[], objects: LiveObject[], applied: string[] = []) {
  return baselineOf({
    targetId: 'id',
    targetName,
    desired,
    live: new Map(objects.map((one) => [objectKey(one), one])),
    applied: new Map(
      applied.map((name) => {
        const { digest, annotations: _, text: __, ...id } = newManifest(name, '{}');
        const entry = { hash: 'h', time: '2026-01-01T00:00:00Z' };
        return [objectKey(id), { ...id, digest, uid: `uid-${name}`, entry }];
      }),
    ),
  });
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, at) => `${prefix}${at}`);
const maps = (prefix: string, count: number) => names(prefix, count).map((name) => live(name));
const desired = (prefix: string, count: number) =>
  names(prefix, count).map((name) => newManifest(name, '{}'));

/** What there was, what leaves of it, and what Git has instead. */
const cases: [
  what: string,
  given: { before: LiveObject[]; pruned: LiveObject[]; desired: Manifest[] },
  budget: number | string,
  expected: { lost: number; of: number; allowed: number },
][] = [
  [
    'ten to two',
    { before: maps('a', 10), pruned: maps('a', 10).slice(2), desired: desired('a', 2) },
    '50%',
    { lost: 8, of: 10, allowed: 5 },
  ],
  [
    'a percentage is rounded up',
    { before: maps('a', 3), pruned: maps('a', 1), desired: desired('a', 3).slice(1) },
    '50%',
    { lost: 1, of: 3, allowed: 2 },
  ],
  [
    'of one object one may go',
    { before: maps('a', 1), pruned: maps('a', 1), desired: [] },
    '1%',
    { lost: 1, of: 1, allowed: 1 },
  ],
  [
    'all of them',
    { before: maps('a', 4), pruned: maps('a', 4), desired: [] },
    '100%',
    { lost: 4, of: 4, allowed: 4 },
  ],
  [
    'a number is that number',
    { before: maps('a', 10), pruned: maps('a', 3), desired: [] },
    2,
    { lost: 3, of: 10, allowed: 2 },
  ],
  [
    'renamed ones are no loss',
    { before: maps('a', 4), pruned: maps('a', 4), desired: desired('b', 4) },
    '50%',
    { lost: 0, of: 4, allowed: 2 },
  ],
  [
    'more new ones than old ones make up for no other kind',
    {
      before: [...maps('a', 2), live('s', { kind: 'Secret' }), live('t', { kind: 'Secret' })],
      pruned: [...maps('a', 1), live('s', { kind: 'Secret' }), live('t', { kind: 'Secret' })],
      desired: desired('b', 9),
    },
    '50%',
    { lost: 2, of: 4, allowed: 2 },
  ],
  [
    'a kind of another group is another kind',
    {
      before: [live('a', { group: 'one.example.com', kind: 'Cluster' })],
      pruned: [live('a', { group: 'one.example.com', kind: 'Cluster' })],
      desired: [{ ...newManifest('a', '{}'), group: 'other.example.com', kind: 'Cluster' }],
    },
    1,
    { lost: 1, of: 1, allowed: 1 },
  ],
  [
    'what is going already, a hook, a controller made or others own is no part of the inventory',
    {
      before: [
        ...maps('a', 2),
        live('b', { deleting: true }),
        live('c', { hook: true }),
        live('d', { byController: true }),
        live('e', { owner: '' }),
      ],
      pruned: maps('a', 1),
      desired: [],
    },
    '50%',
    { lost: 1, of: 2, allowed: 1 },
  ],
];

for (const [what, given, budget, expected] of cases)
  test(`D3: ${what}`, () => {
    const before = baseline(given.desired, given.before);
    assert.deepEqual(lossesOf(given.pruned, before, budget), expected);
  });

test('D3: what somebody deleted and is put back makes up for no loss', () => {
  const before = baseline(desired('a', 1), maps('b', 1), ['a0']);
  assert.equal(lossesOf(maps('b', 1), before, '50%').lost, 1);
  assert.equal(lossesOf(maps('b', 1), baseline(desired('a', 1), maps('b', 1)), '50%').lost, 0);
});
