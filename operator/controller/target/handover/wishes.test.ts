import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../../manifest/digest.ts';
import { wishesOf } from './moving.ts';
import { MOST_WISHES, Wishes } from './wishes.ts';

/** Targets `a`, `b` … that follow one repository, unless another one is named, or none. */
function newWishes(repositories: Record<string, string | undefined> = {}) {
  const underWay = new Map<string, { since?: number }>();
  const unwanted: string[] = [];
  const wishes = new Wishes({
    underWay: () => [...underWay].map(([key, entry]) => ({ key, ...entry })),
    othersSee: async () => {},
    repositoryOf: (key) => (key in repositories ? repositories[key] : 'shop'),
    onUnwanted: (owner) => unwanted.push(owner),
  });
  /** Whether what the Application deletes waits for others now; `end` lets them all tell. */
  const waits = async (owner: string) => {
    let isOver = false;
    const told = wishes.othersTold(owner, new AbortController().signal).then(() => {
      isOver = true;
    });
    await new Promise(setImmediate);
    const isWaiting = !isOver;
    for (const key of underWay.keys()) wishes.noteLook(key);
    await told;
    return isWaiting;
  };
  return { wishes, underWay, unwanted, waits };
}

test('what is wanted by another Application is known until it has it, wants it no more or is gone', () => {
  const { wishes } = newWishes();
  wishes.tell('b', new Set(['x', 'y']));
  wishes.tell('c', new Set(['x']));
  assert.deepEqual(wishes.of('x', 'a'), ['b', 'c']);
  assert.deepEqual(wishes.of('x', 'b'), ['c'], 'its own wish counts for nobody');
  wishes.tell('b', new Set(['y']));
  wishes.forget('c');
  assert.deepEqual(wishes.of('x', 'a'), []);
  assert.deepEqual(wishes.of('y', 'a'), ['b']);
});

test('who left an object is told when the last one who wanted it does so no more', () => {
  const { wishes, unwanted } = newWishes();
  wishes.tell('b', new Set(['x']));
  wishes.tell('c', new Set(['x']));
  assert.deepEqual(wishes.leave('x', 'a'), ['b', 'c']);
  assert.deepEqual(wishes.leave('y', 'a'), []);
  wishes.tell('b', new Set());
  assert.deepEqual(unwanted, []);
  wishes.forget('c');
  assert.deepEqual(unwanted, ['a']);
});

test('D5: pruning waits for those that have not told yet what they want, and for nobody else', async () => {
  const { wishes, underWay, waits } = newWishes({ 'elsewhere/default': 'other' });
  underWay.set('a/default', {});
  assert.equal(await waits('a/default'), false, 'not for itself');
  for (const key of ['b/default', 'elsewhere/default']) {
    underWay.set(key, {});
    assert.equal(await waits('a/default'), true, `for ${key}, which was never looked at`);
    assert.equal(await waits('a/default'), key === 'b/default', `for ${key}, which is to be looked at again`);
    underWay.delete(key);
  }
  underWay.set('a/prod', {});
  assert.equal(await waits('a/default'), false, 'not for another environment of its Application');
  underWay.set('b/default', { since: performance.now() });
  assert.equal(await waits('a/default'), true, 'for one that is being looked at');
  wishes.tell('b/default', new Set(['x']));
  assert.equal(await waits('a/default'), false, 'not for the rest of a look that told already');
});

test('D5: those of which nobody knows what they follow have nothing in common', async () => {
  const { wishes, underWay, waits } = newWishes({ 'a/default': undefined, 'b/default': undefined });
  wishes.noteLook('b/default');
  underWay.set('b/default', {});
  assert.equal(await waits('a/default'), false);
});

test('A8, A3: so many wishes of a namespace are remembered; more forget those of it that were told first, and no others', () => {
  const { wishes, unwanted } = newWishes();
  const keys = (name: string, count: number) =>
    new Set(Array.from({ length: count }, (_, index) => `${name}${index}`));
  wishes.tell('other/a', keys('o', 3));
  wishes.tell('team/a', keys('a', MOST_WISHES - 10));
  wishes.tell('team/b', keys('b', 10));
  assert.deepEqual(wishes.leave('a1', 'team/owner'), ['team/a']);
  wishes.tell('team/c', keys('c', 1));
  assert.deepEqual(wishes.of('a1', ''), []);
  assert.deepEqual(unwanted, ['team/owner'], 'who left it for one that is forgotten is told');
  assert.deepEqual(wishes.of('b1', ''), ['team/b']);
  assert.deepEqual(wishes.of('c0', ''), ['team/c']);
  assert.deepEqual(wishes.of('o1', ''), ['other/a']);
});

test('A3: a look that does not end holds up pruning in its first half minute, and not at every look', async () => {
  const { underWay, waits } = newWishes();
  underWay.set('b/default', { since: performance.now() - 29_000 });
  assert.equal(await waits('a/default'), true);
  underWay.set('b/default', { since: performance.now() - 31_000 });
  assert.equal(await waits('a/default'), false);
});

test('what an Application would take over in one cluster is not kept for it in another', () => {
  const { wishes } = newWishes({});
  const text = '{}';
  const identity = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web', apiVersion: 'v1' };
  const manifest = { ...identity, text, digest: sha256(text), annotations: {} };
  const keysIn = (cluster: string) => [
    ...wishesOf([manifest], cluster, { adopt: true }, { applied: new Map() }),
  ];
  wishes.tell('shop/to/eu', new Set(keysIn('eu')));
  const wanting = (cluster: string) =>
    keysIn(cluster).flatMap((key) => wishes.of(key, `shop/from/${cluster}`));
  assert.deepEqual(wanting('eu'), ['shop/to/eu']);
  assert.deepEqual(wanting('us'), []);
});
