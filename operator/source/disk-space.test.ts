import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arrival, DiskSpace, type Occupant } from './disk-space.ts';

const BOUND = 100;

/** A space, and what is kept in it. */
function space() {
  const occupants: (Occupant & { name: string })[] = [];
  const use = { reason: 'RepositoryCacheFull', of: 'Git repositories' } as const;
  const packs = new DiskSpace(BOUND, use, () => occupants);
  const begin = (tenant: string) => packs.begin({ tenant, where: `https://git.example.com/${tenant}.git` });
  let uses = 0;
  /** Keeps so many bytes of a repository that nothing is fetched into. */
  const keep = (name: string, tenant: string, bytes: number) => {
    const arrival = begin(tenant);
    arrival.grow(bytes);
    arrival.received();
    arrival.keep(bytes);
    const cached = { bytes, lastUsed: uses++ };
    const evict = () => {
      packs.free(tenant, cached.bytes);
      cached.bytes = 0;
    };
    occupants.push({ name, tenant, cached, isIdle: true, evict });
  };
  const kept = () => occupants.filter(({ cached }) => cached.bytes > 0).map(({ name }) => name);
  return { begin, keep, kept, leastOf: (...tenants: string[]) => packs.leastOf(tenants) };
}

function isEnded({ signal }: Arrival): boolean {
  return signal.aborted;
}

test('S9: for what comes that goes which was not used for longest', () => {
  const { begin, keep, kept } = space();
  for (const name of ['a', 'b', 'c']) keep(name, name, 30);
  const arrival = begin('d');
  arrival.grow(10);
  assert.deepEqual(kept(), ['a', 'b', 'c']);
  arrival.grow(25);
  assert.deepEqual(kept(), ['b', 'c']);
  arrival.received();
  // With its index.
  arrival.keep(40);
  const next = begin('e');
  next.grow(1);
  assert.deepEqual(kept(), ['c']);
});

test('S9: where all of it is coming, who has most loses what it began last', () => {
  const { begin } = space();
  const [first, small, last] = [begin('greedy'), begin('modest'), begin('greedy')];
  first.grow(30);
  last.grow(19);
  small.grow(40);
  const other = begin('other');
  assert.throws(() => other.grow(60), { reason: 'RepositoryCacheFull', remedy: 'Time' });
  assert.deepEqual([first, small, last].map(isEnded), [false, false, false]);
  const modest = begin('another');
  modest.grow(12);
  assert.deepEqual([first, small, last, modest].map(isEnded), [false, false, true, false]);
  assert.throws(() => last.grow(1), {
    message:
      'The fetch of https://git.example.com/greedy.git made room for those that began before it: more comes of Git repositories at the moment than the 100 bytes that the operator keeps of them on its disk. It is tried again.',
  });
  // What ended took nothing along.
  first.grow(18);
  assert.deepEqual([first, small, modest].map(isEnded), [false, false, false]);
});

test('S9: one namespace has half of it for what is coming, what is indexed among it', () => {
  const { begin } = space();
  const indexed = begin('greedy');
  indexed.grow(40);
  indexed.received();
  const [one, two] = [begin('greedy'), begin('greedy')];
  one.grow(6);
  assert.throws(() => two.grow(6), { reason: 'RepositoryCacheFull' }, 'the one that began last');
  assert.ok(!isEnded(one));
  assert.throws(() => one.grow(6), {
    reason: 'RepositoryCacheFull',
    message: /the 50 bytes of the operator/,
  });
  begin('modest').grow(50);
  // What is indexed ends by itself.
  indexed.drop();
  begin('greedy').grow(50);
});

test('S9: of one namespace that has more than half goes before others lose anything', () => {
  const { begin, keep, kept } = space();
  for (const name of ['modest', 'small']) keep(name, name, 20);
  for (const name of ['one', 'two', 'three']) keep(name, 'greedy', 20);
  begin('greedy').grow(30);
  assert.deepEqual(kept(), ['modest', 'small', 'three']);
  begin('other').grow(30);
  assert.deepEqual(kept(), ['small', 'three'], 'half of it is left to each');
});

test('S9: what comes for several counts as of the one that has least coming', () => {
  const { begin, leastOf } = space();
  begin('greedy').grow(40);
  begin('modest').grow(10);
  assert.equal(leastOf('greedy', 'modest'), 'modest');
  assert.equal(leastOf('greedy', 'modest', 'new'), 'new');
  assert.equal(leastOf(), '');
});

test('S9: what comes alone may be larger than all there is, and what was dropped takes no room', () => {
  const { begin } = space();
  for (let tries = 0; tries < 3; tries++) {
    const arrival = begin('alone');
    arrival.grow(90);
    arrival.grow(90);
    arrival.drop();
    arrival.drop();
  }
  begin('one').grow(50);
  begin('two').grow(50);
});
