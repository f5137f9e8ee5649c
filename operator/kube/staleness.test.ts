import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slices } from '../observe/event-loop-slices.ts';
import type { KubeClient } from './client.ts';
import { ApiError, UnreachableError } from './errors.ts';
import { ListWatch } from './list-watch.ts';
import { Staleness } from './staleness.ts';

const FORBIDDEN = new ApiError(403, 'Forbidden', 'environments is forbidden');
const AWAY = new UnreachableError('ECONNREFUSED', 'The API server refused the connection.');

/** Whether it is too old after failing so often, once in so many seconds. */
function staleAfter(error: Error, seconds: readonly number[]): boolean[] {
  let now = 0;
  const staleness = new Staleness(() => now);
  return seconds.map((second) => {
    now = second * 1_000;
    staleness.failed(error);
    return staleness.error !== undefined;
  });
}

test('A1: what was listed counts for ten seconds more where it may not be listed now, and for a minute where the server is away', () => {
  assert.deepEqual(staleAfter(FORBIDDEN, [0, 9, 10, 11]), [false, false, true, true]);
  assert.deepEqual(staleAfter(AWAY, [0, 10, 59, 60]), [false, false, false, true]);
});

test('A1: a watch that came about in between begins anew, and what was too old is so until all was listed', () => {
  let now = 0;
  const staleness = new Staleness(() => now);
  staleness.failed(FORBIDDEN);
  now = 8_000;
  staleness.watching();
  now = 12_000;
  assert.equal(staleness.failed(FORBIDDEN), false);
  now = 22_000;
  assert.equal(staleness.failed(FORBIDDEN), true);
  assert.equal(staleness.failed(FORBIDDEN), false, 'told once');
  staleness.watching();
  assert.equal(staleness.error, FORBIDDEN);
  assert.equal(staleness.listed(), true);
  assert.equal(staleness.error, undefined);
  assert.equal(staleness.listed(), false);
});

test('A1: who hears that all was listed again finds it known in that very turn', async (t) => {
  let now = performance.now();
  t.mock.method(performance, 'now', () => now);
  const known = Promise.withResolvers<void>();
  const client = {
    slices: new Slices(),
    silenceMs: 60_000,
    listPage: () => Promise.resolve({ items: [], resourceVersion: '1', continue: '' }),
    watch: () => {
      now += 20_000;
      return Promise.reject(FORBIDDEN);
    },
  } as unknown as KubeClient;
  const told: string[] = [];
  const tell = (what: string) => {
    told.push(`${what}: ${watch.stale === undefined ? 'known' : 'too old'}`);
    if (told.length === 4) known.resolve();
  };
  const watch: ListWatch<undefined> = new ListWatch<undefined>({
    client,
    resource: { group: '', version: 'v1', plural: 'configmaps' },
    reduce: () => undefined,
    onListed: () => tell('Listed'),
    onStale: () => tell('Stale'),
    random: () => 0,
  });
  watch.start();
  await known.promise;
  await watch.stop();
  assert.deepEqual(told.slice(0, 4), ['Listed: known', 'Stale: too old', 'Listed: known', 'Stale: known']);
});
