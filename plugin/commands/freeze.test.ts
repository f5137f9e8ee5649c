import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Freeze } from '../../operator/api/v1alpha1/environment.ts';
import { CommandError } from '../exit-codes.ts';
import type { Command, Context } from './command.ts';
import { freeze, unfreeze } from './freeze.ts';

/** By the cluster's clock; the users' are wrong by ten minutes. */
const NOW = '2026-11-30T10:00:07Z';
const CLOCKS = { ahead: '2026-11-30T10:10:07Z', behind: '2026-11-30T09:50:07Z' };

/** What a user of that clock does to the Environment prod. @param said whether the cluster says what time it is */
async function done(
  { run }: Command,
  clock: string,
  {
    freezes = [],
    until,
    reason,
    username = 'petra',
    said = NOW,
  }: {
    freezes?: readonly Freeze[];
    until?: string;
    reason?: string;
    username?: string;
    said?: string | null;
  } = {},
) {
  const patches: { spec: { freezes: Freeze[] } }[] = [];
  const printed: string[] = [];
  const json = (args: readonly string[]) => {
    if (args[0] === 'auth')
      return { metadata: { creationTimestamp: said }, status: { userInfo: { username } } };
    if (args[0] === 'get') return { metadata: { name: 'prod', resourceVersion: '1' }, spec: { freezes } };
    patches.push(JSON.parse(args.at(-1)?.replace('--patch=', '') ?? ''));
    return {};
  };
  const code = await run({
    kubectl: { json: (args: readonly string[]) => Promise.resolve(json(args)) },
    words: ['prod'],
    flags: { ...(until === undefined ? {} : { until }), ...(reason === undefined ? {} : { reason }) },
    now: () => new Date(clock),
    out: { width: 200, write: (text: string) => printed.push(text) },
  } as unknown as Context);
  return { code, printed: printed.join(''), freezes: patches.at(-1)?.spec.freezes };
}

for (const [what, clock] of Object.entries(CLOCKS))
  test(`A25, A13: a freeze begins now, and ends when it is to, by the cluster's clock: the user's is ${what}`, async () => {
    assert.equal((await done(freeze, clock)).freezes?.[0]?.from, NOW);
    const [added] = (await done(freeze, clock, { until: '2h' })).freezes ?? [];
    assert.deepEqual([added?.from, added?.until], [NOW, '2026-11-30T12:00:07Z']);
    assert.equal(
      (await done(freeze, clock, { until: '2026-11-30T10:05:00Z' })).freezes?.[0]?.until,
      '2026-11-30T10:05:00Z',
    );
    await assert.rejects(done(freeze, clock, { until: '2026-11-30T09:55:00Z' }), (error) => {
      return error instanceof CommandError && /is over/.test(error.message);
    });
  });

for (const [what, clock] of Object.entries(CLOCKS))
  test(`A25, A13: what holds by the cluster's clock is ended, and nothing else: the user's is ${what}`, async () => {
    const holds = [{ from: NOW }, { from: '2026-11-30T09:00:00Z', until: '2026-11-30T10:05:00Z' }];
    const others = [
      { from: '2026-11-30T10:01:00Z' },
      { from: '2026-11-29T00:00:00Z', until: '2026-11-30T09:59:00Z' },
    ];
    const { freezes, printed } = await done(unfreeze, clock, { freezes: [...holds, ...others] });
    assert.deepEqual(freezes, others.slice(0, 1), 'what is over goes with them');
    assert.match(printed, /is no longer frozen/);
    assert.match((await done(unfreeze, clock, { freezes: others })).printed, /is not frozen/);
  });

test("an API server that says no time leaves the user's", async () => {
  assert.equal((await done(freeze, CLOCKS.ahead, { said: null })).freezes?.[0]?.from, CLOCKS.ahead);
});

test('D8: freeze and unfreeze of an Environment that does not exist name those that do', async () => {
  const of = (name: string) => ({ metadata: { name, resourceVersion: '1' }, spec: {} });
  const json = async (args: readonly string[]) => {
    if (args[0] === 'auth')
      return { metadata: { creationTimestamp: NOW }, status: { userInfo: { username: 'petra' } } };
    if (args[2] === 'prdo') throw new CommandError('Error from server (NotFound): "prdo" not found');
    return { items: [of('prod'), of('staging')] };
  };
  for (const { run } of [freeze, unfreeze]) {
    const context = { kubectl: { json }, words: ['prdo'], flags: {}, now: () => new Date(NOW) };
    await assert.rejects(run(context as unknown as Context), {
      message: 'There is no Environment prdo; there are: prod, staging.',
    });
  }
});

test('A25: what is over leaves room for new freezes, by the cluster clock alone', async () => {
  const over = Array.from({ length: 64 }, (_, index) => ({
    from: `2026-11-${String(1 + (index % 28)).padStart(2, '0')}T08:00:00Z`,
    until: '2026-11-30T10:00:07Z',
  }));
  const later = { from: '2026-12-24T00:00:00Z', until: '2027-01-02T00:00:00Z' };
  const { freezes } = await done(freeze, CLOCKS.behind, { freezes: [...over, later], until: '2h' });
  assert.deepEqual(freezes?.slice(0, -1), [later]);
  assert.equal(freezes?.length, 2);
  const unsure = await done(freeze, CLOCKS.ahead, { freezes: [...over, later], said: null });
  assert.equal(unsure.freezes?.length, 66, 'a wrong clock would end what holds');
});

test('a reason that is too long is cut, and never the name of who freezes', async () => {
  const reasonFor = async (reason: string, username: string) => {
    const { freezes } = await done(freeze, NOW, { reason, username });
    return freezes?.[0]?.reason ?? '';
  };
  assert.equal(await reasonFor('an incident', 'petra'), 'an incident (petra)');
  const cut = await reasonFor('x'.repeat(200), 'petra@example.com');
  assert.equal(cut, `${'x'.repeat(107)}… (petra@example.com)`);
  assert.equal([...cut].length, 128);
  assert.equal([...(await reasonFor('🚧'.repeat(128), 'petra'))].length, 128);
  const bot = `system:serviceaccount:${'n'.repeat(63)}:${'b'.repeat(63)}`;
  const ofBot = await reasonFor('an incident', bot);
  assert.ok(ofBot.length === 128 && bot.endsWith(ofBot.slice(1)), ofBot);
});

const CONFLICT = new CommandError(
  'Error from server (Conflict): Operation cannot be fulfilled on environments.towpath.dev',
);

/** What `--all` comes to where others write these Environments so often before each is written. */
async function frozenAll(conflicts: Readonly<Record<string, number>>) {
  const left = new Map(Object.entries(conflicts));
  const versions = new Map(Object.keys(conflicts).map((name) => [name, 1]));
  const frozen = new Map<string, Freeze[]>();
  const [printed, told]: [string[], string[]] = [[], []];
  const of = (name: string) => ({
    metadata: { name, resourceVersion: String(versions.get(name)) },
    spec: { freezes: [{ from: '2026-11-01T00:00:00Z', reason: `version ${versions.get(name)}` }] },
  });
  const json = async (args: readonly string[]): Promise<object> => {
    const [verb, , name = ''] = args;
    if (verb === 'auth')
      return { metadata: { creationTimestamp: NOW }, status: { userInfo: { username: 'petra' } } };
    if (verb === 'get') return name === '' ? { items: [...versions.keys()].map(of) } : of(name);
    const more = left.get(name) ?? 0;
    left.set(name, more - 1);
    if (more > 0) versions.set(name, (versions.get(name) ?? 0) + 1);
    const { metadata, spec } = JSON.parse(args.at(-1)?.replace('--patch=', '') ?? '') as {
      metadata: { resourceVersion: string };
      spec: { freezes: Freeze[] };
    };
    if (metadata.resourceVersion !== String(versions.get(name))) throw CONFLICT;
    frozen.set(name, spec.freezes);
    return {};
  };
  const code = await freeze.run({
    kubectl: { json },
    words: [],
    flags: { all: true },
    now: () => new Date(NOW),
    out: { width: 200, write: (text: string) => printed.push(text) },
    err: { width: 200, write: (text: string) => told.push(text) },
  } as unknown as Context);
  return { code, printed: printed.join(''), told: told.join(''), frozen };
}

test('A25: what others write meanwhile keeps no Environment from its freeze, and loses nothing of theirs', async () => {
  const { code, frozen, told } = await frozenAll({ dev: 0, prod: 3, staging: 1 });
  assert.deepEqual([code, told], [0, '']);
  assert.deepEqual([...frozen.keys()], ['dev', 'prod', 'staging']);
  assert.deepEqual(
    frozen.get('prod')?.map(({ reason }) => reason),
    ['version 4', 'frozen (petra)'],
  );
});

test('A25: one that others keep writing is told, and keeps the freeze from no other', async () => {
  const { code, frozen, told, printed } = await frozenAll({ busy: 1_000, prod: 0 });
  assert.equal(code, 1);
  assert.deepEqual([...frozen.keys()], ['prod']);
  assert.match(printed, /Environment busy could not be changed: .*\(Conflict\)/);
  assert.match(told, /^Left as they were: busy\. Say it again of each of these by its name\.\n$/);
});
