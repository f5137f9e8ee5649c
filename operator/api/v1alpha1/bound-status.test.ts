import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApplicationStatus, environmentOf } from './application.ts';
import { applicationStatusSchema, STATUS_LIMITS } from './application-status.ts';
import { boundStatus, cut } from './bound-status.ts';
import { largestStatus } from './testing/largest-status.ts';

const bytes = (status: unknown) => Buffer.byteLength(JSON.stringify(status));

test('the sum of all maxima of a status stays below 256 KiB', () => {
  const bounded = boundStatus(largestStatus());
  assert.ok(bytes(bounded) <= STATUS_LIMITS.bytes, `${bytes(bounded)} bytes`);
  assert.equal(bounded.environments?.length, 64);
  const entries = bounded.environments.flatMap((environment) => environment.history ?? []).length;
  assert.ok(entries >= 64, `${entries} entries of history, at least the newest of each environment`);
});

test('64 environments keep 200 deployments in all when texts are as long as they are in life', () => {
  const entry = {
    id: 1234,
    revision: 'a'.repeat(40),
    candidate: `c-${'0'.repeat(12)}`,
    ref: 'refs/heads/main',
    chart: 'podinfo-6.7.0',
    appVersion: '6.7.0',
    digest: `sha256:${'0'.repeat(64)}`,
    outcome: 'Succeeded' as const,
    trigger: 'Commit' as const,
    startedAt: '2026-11-23T23:59:59Z',
    finishedAt: '2026-11-23T23:59:59Z',
  };
  const environments = Array.from({ length: 64 }, (_, index) => ({
    name: `environment-${index}`,
    message: 'm'.repeat(256),
    history: Array.from({ length: 10 }, () => entry),
  }));
  const bounded = boundStatus({ environments });
  assert.deepEqual(new Set(bounded.environments?.map(({ history }) => history?.length)), new Set([4, 3]));
  assert.equal(bounded.environments?.flatMap(({ history }) => history ?? []).length, 200);
});

test('texts that take more bytes than characters stay below the same limits', () => {
  const status = largestStatus();
  for (const message of ['🚀'.repeat(256), '\u0001'.repeat(256), '"'.repeat(256)]) {
    const environments = status.environments?.map((environment) => ({ ...environment, message })) ?? [];
    assert.ok(environments.length > 0);
    for (const bounded of boundStatus({ environments }).environments ?? [])
      assert.ok(bytes(bounded.message) <= STATUS_LIMITS.message + 2);
  }
});

const LISTS = [
  ['quarantine.errors', 64, 20, (status: ApplicationStatus) => status.quarantine?.errors],
  ['kept', 15, 15, (status: ApplicationStatus) => status.kept],
] as const;

for (const [what, most, mostOfOne, listOf] of LISTS) {
  /** As many entries of each environment as said, one environment after the other. */
  const bounded = (counts: Readonly<Record<string, number>>) => {
    const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
    const entries = Object.entries(counts).flatMap(([environment, count]) =>
      Array.from({ length: count }, (_, index) => ({
        environment,
        object,
        message: `${index}`,
        reason: `${index}`,
      })),
    );
    const quarantine = { revision: 'a', errors: entries, total: entries.length };
    return listOf(boundStatus({ quarantine, kept: entries })) ?? [];
  };
  const namesOf = (entries: ReturnType<typeof bounded>) => entries.map(({ environment }) => environment);

  test(`${what} names every environment that has any before it names one twice`, () => {
    assert.equal(bounded({ first: 500 }).length, mostOfOne);
    const told = bounded({ first: 500, second: 1, third: 3 });
    const firsts = told.filter(({ environment }) => environment === 'first');
    assert.equal(firsts.length, Math.min(mostOfOne, most - 4));
    assert.deepEqual(new Set(namesOf(told)), new Set(['first', 'second', 'third']));
    assert.equal(namesOf(told).filter((name) => name === 'third').length, 3);
    assert.deepEqual(
      firsts,
      bounded({ first: 500 }).slice(0, firsts.length),
      'the first ones stay, in their order',
    );
    const environments = Array.from({ length: 64 }, (_, index) => `environment-${index}`);
    const crowded = bounded(Object.fromEntries(environments.map((name) => [name, 9])));
    assert.equal(new Set(namesOf(crowded)).size, most);
    assert.equal(bounded({ first: 2, second: 1 }).length, 3);
  });
}

test('of each environment that is blocked the status says at least why before it says more of another', () => {
  const blockedBy = Array.from({ length: 8 }, (_, index) => ({ reason: 'Soak', message: `${index}` }));
  const of = (count: number) => {
    const environments = Array.from({ length: count }, (_, index) => ({ name: `${index}`, blockedBy }));
    return boundStatus({ environments }).environments?.map((one) => one.blockedBy?.length);
  };
  assert.deepEqual(new Set(of(64)), new Set([1]));
  assert.deepEqual(of(2), [8, 8]);
});

test('of what waits in many environments as many objects are named of each, and how many there are is told of all', () => {
  const object = { change: 'Changed' as const, group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
  const of = (count: number) => {
    const changes = { changed: 30, objects: Array.from({ length: 30 }, () => object) };
    const environments = Array.from({ length: count }, (_, index) => ({ name: `${index}`, changes }));
    return boundStatus({ environments }).environments?.map((one) => one.changes);
  };
  assert.deepEqual(
    of(2)?.map((changes) => [changes?.changed, changes?.objects?.length]),
    [
      [30, 10],
      [30, 10],
    ],
  );
  assert.deepEqual(of(1)?.[0]?.objects?.length, 20);
});

test('of what waits besides four objects are named of each, and sixteen of all together; how many there are is told of all', () => {
  const object = { change: 'Changed' as const, group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
  const changes = { changed: 30, objects: Array.from({ length: 20 }, () => object) };
  const one = { revision: 'a'.repeat(40), digest: `sha256:${'0'.repeat(64)}`, changes };
  const of = (count: number) => {
    const environments = Array.from({ length: count }, (_, index) => ({
      name: `${index}`,
      waiting: [one, { ...one, changes: { added: 1 } }, one],
    }));
    const bounded = boundStatus({ environments });
    assert.deepEqual(applicationStatusSchema.safeParse(bounded).error?.issues ?? [], []);
    return bounded.environments?.map(({ waiting = [] }) =>
      waiting.map((its) => [its.changes?.changed, its.changes?.objects?.length]),
    );
  };
  const told = (objects: number) => [
    [30, objects],
    [undefined, undefined],
    [30, objects],
  ];
  assert.deepEqual(of(2), [told(4), told(4)]);
  assert.deepEqual(of(4), [told(2), told(2), told(2), told(2)]);
});

test('a bounded status is one that the schema accepts', () => {
  const many = Array.from({ length: 500 }, (_, index) => ({
    id: 500 - index,
    revision: 'a'.repeat(40),
    ref: `refs/heads/${'b'.repeat(300)}`,
    trigger: 'Commit' as const,
    startedAt: '2026-01-01T00:00:00Z',
    message: 'm'.repeat(1000),
  }));
  const bounded = boundStatus({
    summary: { revision: `${'b'.repeat(300)}@1234567` },
    environments: [
      {
        name: 'a',
        history: many,
        blockedBy: Array.from({ length: 20 }, () => ({ reason: 'R', message: 'x' })),
      },
      { name: 'b', history: many.slice(0, 3) },
    ],
    quarantine: {
      revision: 'a',
      total: 99,
      errors: Array.from({ length: 99 }, () => ({ message: 'e'.repeat(999) })),
    },
  });
  assert.deepEqual(applicationStatusSchema.safeParse(bounded).error?.issues ?? [], []);
  assert.equal(environmentOf(bounded, 'a')?.history?.[0]?.id, 500);
  assert.equal(environmentOf(bounded, 'a')?.history?.length, 197);
  assert.equal(environmentOf(bounded, 'b')?.history?.length, 3);
  assert.equal(bounded.quarantine?.total, 99);
});

test('a status whose texts are all longer than the schema allows is cut to one that it accepts', () => {
  let made = 0;
  // Each with a beginning of its own: names in a list of environments or conditions occur once.
  const bounded = boundStatus(largestStatus((length) => `${made++}${'xü🚀"'.repeat(length / 4)}`));
  assert.deepEqual(applicationStatusSchema.safeParse(bounded).error?.issues ?? [], []);
  const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'n'.repeat(300) };
  const { quarantine } = boundStatus({
    quarantine: { revision: 'a', total: 1, errors: [{ object, message: 'refused' }] },
  });
  assert.equal(quarantine?.errors?.[0]?.object?.name, `${'n'.repeat(250)}…`);
});

test('a text is cut between characters and says so', () => {
  assert.equal(cut('short', 10), 'short');
  assert.equal(cut('0123456789', 8), '01234…');
  assert.equal(cut('🚀🚀🚀', 8), '🚀…');
});
