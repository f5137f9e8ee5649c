import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Shares } from './shares.ts';

const LEND_MS = 1_000;

/** Takes places that are held until they are ended. */
function newPlaces(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const shares = new Shares({ active: 64, lendAfterMs: LEND_MS, most: 512, mostOfTenant: 64 });
  const held: { tenant: string; target: string; end(): void }[] = [];
  return {
    shares,
    held,
    take(tenant: string, target: string, count = 1): void {
      for (let index = 0; index < count; index += 1) {
        const { promise, resolve } = Promise.withResolvers<void>();
        shares.take({ tenant, target }, () => held.push({ tenant, target, end: resolve }), promise);
      }
    },
    of: (tenant: string, target?: string) =>
      held.filter((one) => one.tenant === tenant && (target === undefined || one.target === target)).length,
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
  for (let tenant = 0; tenant < 8; tenant += 1) places.take(`tenant-${tenant}`, 'a', 16);
  assert.equal(places.held.length, 64);
  assert.equal(places.shares.full, true);
});

test('A3: alone, a tenant has as many places as there are, and a target as many as it asks for at once', (t) => {
  const places = newPlaces(t);
  places.take('one', 'a', 16);
  assert.equal(places.of('one', 'a'), 16);
  for (let target = 0; target < 48; target += 1) places.take('one', `target-${target}`, 16);
  assert.equal(places.of('one'), 64);
});

for (const tenants of [1, 4, 12, 40, 200]) {
  for (const targets of [1, 7, 40]) {
    test(`A3: with ${targets} targets of each of ${tenants} tenants hanging, one that comes later finds a place at once`, (t) => {
      const places = newPlaces(t);
      for (let tenant = 0; tenant < tenants; tenant += 1)
        for (let target = 0; target < targets; target += 1)
          places.take(`tenant-${tenant}`, `target-${target}`, 16);
      places.hang();
      assert.equal(places.shares.full, false, 'what waits for its own share keeps nobody else');
      for (let tenant = 0; tenant < tenants; tenant += 1) {
        const count = places.of(`tenant-${tenant}`);
        assert.ok(count >= 1 && count <= 103, `${count} places`);
      }
      assert.ok(places.held.length <= 512 + tenants, `${places.held.length} in all`);
      places.take('late', 'a', 16);
      assert.ok(places.of('late') >= 1);
      if (tenants <= 4) assert.equal(places.of('late'), 16);
    });
  }
}

for (const tenants of [1, 2]) {
  test(`A3: many targets with one place each leave most places to other tenants, of ${tenants} that hang`, (t) => {
    const places = newPlaces(t);
    for (let target = 0; target < 400; target += 1)
      for (let tenant = 0; tenant < tenants; tenant += 1) places.take(`tenant-${tenant}`, `target-${target}`);
    places.hang();
    for (let tenant = 0; tenant < tenants; tenant += 1) {
      const count = places.of(`tenant-${tenant}`);
      assert.ok(count <= 512 / 5 + 1, `${count} places: a quarter of what all of them leave`);
    }
    for (const late of ['b', 'c', 'd']) {
      places.take(late, 'a', 16);
      assert.equal(places.of(late), 16);
    }
  });
}

for (const hanging of [1, 4, 7, 40]) {
  test(`A3: beside ${hanging} targets of the same tenant that hang, another one finds a place at once`, (t) => {
    const places = newPlaces(t);
    for (let target = 0; target < hanging; target += 1) places.take('one', `target-${target}`, 16);
    places.hang();
    places.take('one', 'late');
    assert.equal(places.of('one', 'late'), 1);
  });
}

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
  for (let tenant = 0; tenant < 4; tenant += 1) places.take(`tenant-${tenant}`, 'a', 16);
  const { promise, resolve } = Promise.withResolvers<void>();
  places.shares.take({ tenant: 'late', target: 'a' }, () => assert.fail('it was given up'), promise);
  resolve();
  await ended();
  for (const { end } of places.held) end();
  await ended();
  assert.equal(places.shares.full, false);
});

test('tenants take turns, however many targets one of them has', async (t) => {
  const places = newPlaces(t);
  for (let target = 0; target < 1_000; target += 1) places.take('many', `target-${target}`);
  places.take('one', 'a', 3);
  for (let count = 0; count < 7; count += 1) {
    places.held.shift()?.end();
    await ended();
  }
  assert.equal(places.of('one'), 3, 'each second place that came free was its');
});

/** Of five: to make so many that wait is work for V8, too, whose end no run knows; its own threads do not count. */
async function leastOf(measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 5; tries += 1) least = Math.min(least, await measure());
  return least;
}

test('A15: a place that comes free costs the same however many wait', async (t) => {
  const costOf = async (waiting: number, waitingTenants: number) => {
    const places = newPlaces(t);
    for (let index = 0; index < waiting; index += 1)
      places.take(`tenant-${index % waitingTenants}`, `target-${index}`);
    const before = process.threadCpuUsage();
    for (let count = 0; count < 500; count += 1) places.held.shift()?.end();
    await ended();
    const { user, system } = process.threadCpuUsage(before);
    t.mock.timers.reset();
    return user + system;
  };
  for (const tenants of [1, 500]) {
    const few = await leastOf(() => costOf(1_000, tenants));
    const many = await leastOf(() => costOf(50_000, tenants));
    assert.ok(
      many < 8 * few + 50_000,
      `${tenants} tenants: ${few} µs with a thousand, ${many} with fifty times`,
    );
  }
});
