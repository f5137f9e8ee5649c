import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Shares } from './shares.ts';

const LEND_MS = 1_000;

/** Takes places that are held until they are ended. */
function newPlaces(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const shares = new Shares({ active: 64, lendAfterMs: LEND_MS, most: 512, mostOfUser: 64 });
  const held: { user: string; target: string; end(): void }[] = [];
  return {
    shares,
    held,
    take(user: string, target: string, count = 1): void {
      for (let index = 0; index < count; index += 1) {
        const { promise, resolve } = Promise.withResolvers<void>();
        shares.take({ user, target }, () => held.push({ user, target, end: resolve }), promise);
      }
    },
    of: (user: string, target?: string) =>
      held.filter((one) => one.user === user && (target === undefined || one.target === target)).length,
    /** All that are held go on hanging until nobody begins any more. */
    hang(): void {
      for (let before = -1; before < held.length; ) {
        before = held.length;
        t.mock.timers.tick(LEND_MS);
      }
    },
  };
}

const ended = () => new Promise((resolve) => setImmediate(resolve));

test('A3: while nothing hangs, so many are under way as the API server is to be asked at once', (t) => {
  const places = newPlaces(t);
  for (let user = 0; user < 8; user += 1) places.take(`user-${user}`, 'a', 16);
  assert.equal(places.held.length, 64);
  assert.equal(places.shares.full, true);
});

for (const users of [1, 4, 7]) {
  test(`A3: with all targets of ${users} users hanging, one that comes later finds a place at once`, (t) => {
    const places = newPlaces(t);
    for (let user = 0; user < users; user += 1)
      for (let target = 0; target < 4; target += 1) places.take(`user-${user}`, `target-${target}`, 16);
    places.hang();
    for (let user = 0; user < users; user += 1) assert.ok(places.of(`user-${user}`) <= 64);
    places.take('late', 'a', 16);
    assert.equal(places.of('late'), 16);
  });
}

test('A3: beside targets of the same user that hang, another one finds a place at once', (t) => {
  const places = newPlaces(t);
  for (let target = 0; target < 4; target += 1) places.take('one', `target-${target}`, 16);
  places.hang();
  places.take('one', 'late');
  assert.equal(places.of('one', 'late'), 1);
});

test('all that wait are served in the end, those of each target in turn', async (t) => {
  const places = newPlaces(t);
  for (let target = 0; target < 100; target += 1) places.take('one', `target-${target}`, 4);
  const served = new Set<string>();
  for (let count = 0; count < 400; count += 1) {
    for (const { target } of places.held) served.add(target);
    // Before the first targets are through, each of the hundred had its turn.
    if (count === 200) assert.equal(served.size, 100);
    const first = places.held.shift();
    assert.ok(first !== undefined, 'nothing locks up');
    first.end();
    await ended();
  }
  assert.equal(places.held.length, 0);
  assert.equal(places.shares.full, false);
});

test('a request that is given up while it waits takes no place', async (t) => {
  const places = newPlaces(t);
  for (let user = 0; user < 4; user += 1) places.take(`user-${user}`, 'a', 16);
  const { promise, resolve } = Promise.withResolvers<void>();
  places.shares.take({ user: 'late', target: 'a' }, () => assert.fail('it was given up'), promise);
  resolve();
  await ended();
  for (const { end } of places.held) end();
  await ended();
  assert.equal(places.shares.full, false);
});
