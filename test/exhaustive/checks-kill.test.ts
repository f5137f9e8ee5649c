import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { eventually } from '../harness/wait.ts';
import { commit, type Ground, killedAt, newGround, versionIn, writesOfOne } from './promotion-ground.ts';

const CONTAINERS = [{ name: 'smoke', image: 'example.com/smoke:1' }];
const SMOKE = { name: 'smoke', job: { spec: { template: { spec: { containers: CONTAINERS } } } } };

/** The names of the Jobs that the operator asked to be made, each once. */
function asked({ proxy }: Ground): Set<string> {
  const posts = proxy.find({ verb: 'create', where: ({ path }) => path.endsWith('/jobs') });
  return new Set(posts.map(({ body }) => (JSON.parse(body) as { metadata: { name: string } }).metadata.name));
}

async function jobsIn({ stage, staging }: Ground): Promise<readonly unknown[]> {
  const { body } = await stage.cluster.request('GET', `/apis/batch/v1/namespaces/${staging.namespace}/jobs`);
  return (JSON.parse(body) as { items: unknown[] }).items;
}

test('D7, A18: killed after each write of a promotion with a check in turn, that is made once, counts, and leaves nothing', async (t) => {
  const ground = await newGround(t, { checks: [SMOKE] });
  const { stage, staging, prod } = ground;
  const writes = await writesOfOne(ground);
  t.diagnostic(writes.map(({ verb, path }) => `${verb} ${path}`).join('\n'));
  // Where the Job's controller wrote to it a moment before, it is deleted in a second try.
  const jobs = writes.filter(({ path, status = 0 }) => /\/jobs(\/|$)/.test(path) && status < 300);
  assert.deepEqual(
    jobs.map(({ verb }) => verb),
    ['create', 'delete'],
    'what a check that passes writes to its cluster',
  );
  assert.ok(
    jobs.every(({ impersonate }) => impersonate.endsWith(':deployer')),
    'as the environment deploys',
  );
  for (let count = 1; count <= writes.length; count += 1) {
    const version = count + 2;
    const before = asked(ground).size;
    await killedAt(ground, version, count);
    assert.equal(asked(ground).size, before + 1, `Jobs after a kill at write ${count}`);
    assert.deepEqual([await versionIn(stage, staging), await versionIn(stage, prod)], [version, version]);
    await eventually(async () => (await jobsIn(ground)).length === 0, {
      describe: `nothing to be left after a kill at write ${count}`,
    });
  }
});

test('A10: a result that is too old when the last gate opens is found anew before anything enters', async (t) => {
  const ground = await newGround(t, { checks: [{ ...SMOKE, validFor: '1m' }] });
  const { stage, prod } = ground;
  const freeze = (freezes: readonly object[]) =>
    stage.kubectl(
      ...['patch', 'environment', prod.name, '--type=merge'],
      ...['-p', JSON.stringify({ spec: { freezes } })],
    );
  await freeze([{ from: '2026-01-01T00:00:00Z', reason: 'a test' }]);
  const revision = await commit(ground, 2);
  const { status } = await stage.until(
    'web',
    (of) =>
      environmentOf(of.status, prod.name)
        ?.blockedBy?.map(({ reason }) => reason)
        .join() === 'Frozen',
    'the check to have passed, and the freeze to be all that is in the way',
  );
  assert.equal(environmentOf(status, prod.name)?.desiredRevision, revision);
  const before = asked(ground).size;
  const passedAt = Date.now();
  await eventually(async () => Date.now() - passedAt > 61_000, {
    describe: 'the result to be too old',
    within: 90_000,
  });
  assert.equal(asked(ground).size, before, 'nobody asks for it anew as long as it would let nothing in');
  await freeze([]);
  await stage.untilReadyAt('web', revision);
  assert.equal(asked(ground).size, before + 1);
});
