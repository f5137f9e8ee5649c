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
    said = NOW,
  }: { freezes?: readonly Freeze[]; until?: string; said?: string | null } = {},
) {
  const patches: { spec: { freezes: Freeze[] } }[] = [];
  const printed: string[] = [];
  const json = (args: readonly string[]) => {
    if (args[0] === 'auth')
      return { metadata: { creationTimestamp: said }, status: { userInfo: { username: 'petra' } } };
    if (args[0] === 'get') return { metadata: { name: 'prod', resourceVersion: '1' }, spec: { freezes } };
    patches.push(JSON.parse(args.at(-1)?.replace('--patch=', '') ?? ''));
    return {};
  };
  const code = await run({
    kubectl: { json: (args: readonly string[]) => Promise.resolve(json(args)) },
    words: ['prod'],
    flags: until === undefined ? {} : { until },
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
    assert.deepEqual(freezes, others);
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
