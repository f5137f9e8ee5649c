import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at } from './at.ts';
import type { Command, Context } from './command.ts';
import { history } from './history.ts';

/** By the cluster's clock; the users' are wrong by ten minutes. */
const NOW = '2026-11-30T10:30:07Z';
const CLOCKS = { ahead: '2026-11-30T10:40:07Z', behind: '2026-11-30T10:20:07Z' };

/** Two deployments: one an hour ago, and one five minutes ago. */
const PROMOTIONS = [
  { id: 1, startedAt: '2026-11-30T09:30:00.000Z' },
  { id: 2, startedAt: '2026-11-30T10:25:00.000Z' },
].map(({ id, startedAt }) => ({
  apiVersion: 'towpath.dev/v1alpha1',
  kind: 'Promotion',
  metadata: {
    name: `web-prod-${id}`,
    namespace: 'shop',
    uid: `u-${id}`,
    resourceVersion: '1',
    generation: 1,
  },
  spec: {
    type: 'Promote',
    application: 'web',
    environment: 'prod',
    candidate: `sha256:${'a'.repeat(64)}`,
    requestedBy: 'towpath:Commit',
    deployment: { applicationUID: 'a', id, startedAt },
  },
  status: { phase: 'Succeeded', deployment: id, startedAt, deployedAt: startedAt, finishedAt: startedAt },
}));

/** What a user of that clock is answered. @param said the time by the cluster's clock, where it says one */
async function answered(
  { run }: Command,
  clock: string,
  { flags, said = NOW }: { flags: Context['flags']; said?: string | undefined },
): Promise<unknown> {
  const printed: string[] = [];
  const ifAny = (args: readonly string[]) => {
    if (args[0] === 'auth') return said && { metadata: { creationTimestamp: said } };
    return args[1] === 'configmaps' ? { items: [] } : undefined;
  };
  await run({
    kubectl: {
      namespace: () => Promise.resolve('shop'),
      json: () => Promise.resolve({ items: PROMOTIONS }),
      jsonIfAny: (args: readonly string[]) => Promise.resolve(ifAny(args)),
    },
    words: ['web'],
    flags: { output: 'json', ...flags },
    now: () => new Date(clock),
    signal: new AbortController().signal,
    out: { write: (text: string) => printed.push(text) },
    err: { write: () => undefined },
  } as unknown as Context);
  return JSON.parse(printed.join(''));
}

const ranAt = async (clock: string, flags: Context['flags'], said?: string) => {
  const all = (await answered(at, clock, { flags, said })) as { record?: { promotion: string } }[];
  return all.map(({ record }) => record?.promotion);
};
const begun = async (clock: string, time: string) => {
  const flags = { rates: true, time };
  const [rate] = (await answered(history, clock, { flags })) as { deployments: number }[];
  return rate?.deployments;
};

for (const [what, clock] of Object.entries(CLOCKS))
  test(`A13: what runs now, or ran some time ago, and the rates of a time are those by the cluster's clock: the user's is ${what}`, async () => {
    assert.deepEqual(await ranAt(clock, {}), ['web-prod-2']);
    assert.deepEqual(await ranAt(clock, { time: '4m' }), ['web-prod-2']);
    assert.deepEqual(await ranAt(clock, { time: '6m' }), ['web-prod-1']);
    assert.deepEqual(
      await ranAt(clock, { time: '2026-11-30T10:24:59Z' }),
      ['web-prod-1'],
      'as it is written',
    );
    assert.equal(await begun(clock, '58m..'), 1);
    assert.equal(await begun(clock, '61m..'), 2);
    assert.equal(await begun(clock, '61m..6m'), 1);
  });

test("A13: an API server that says no time leaves the user's", async () => {
  assert.deepEqual(await ranAt(CLOCKS.behind, {}, ''), ['web-prod-1']);
});
