import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, fastLease, newStage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap as configMapNamed, hookJob } from '../integration/steps.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

test('D6: a candidate that cannot be judged leaves the last good one deployed, enforced, and not Failed', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('one') },
  });
  await stage.deployed('web', { sync: { retries: { limit: 0 } } });
  const rule = proxy.fail({ verb: 'apply', where: (request) => request.dryRun, fault: { status: 418 } });
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  const held = await stage.until(
    'web',
    ({ status }) => status?.source?.revision === second && status.sync !== 'Syncing',
    'the second revision to be held',
  );
  assert.equal(held.status?.sync, 'Blocked');
  await eventually(() => rule.met >= 2, { describe: 'another try' });
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await eventually(
    async () => (await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}')) === 'one',
    { describe: 'drift to be repaired to the last good one' },
  );
  rule.remove();
  const done = await stage.untilReadyAt('web', second);
  assert.deepEqual(
    environmentOf(done.status)?.history?.map(({ id, outcome }) => `${id} ${outcome}`),
    ['2 Succeeded', '1 Succeeded'],
  );
});

test('D7: a deployment whose status was never written is in the history all the same', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('one') },
  });
  await stage.deployed('web');
  const held = proxy.hold({ verb: 'patch', path: /applications\/web\/status/ });
  await stage.repository.commit({ 'web.yaml': configMap('two') });
  await held.seen;
  const third = await stage.repository.commit({ 'web.yaml': configMap('three') });
  await stage.requestSync('web');
  const done = await stage.untilReadyAt('web', third);
  held.drop();
  assert.deepEqual(
    environmentOf(done.status)?.history?.map(({ id, outcome }) => `${id} ${outcome}`),
    ['3 Succeeded', '2 Succeeded', '1 Succeeded'],
  );
  assert.equal(conditionOf(done, 'Stalled'), undefined);
});

test('A4, D6: after a good candidate and four that failed, the good one is gone back to with Git down and another process', async (t) => {
  const good = chartOf('app', [configMapNamed('web', { message: 'good' })]);
  const stage = await newStage(t, { files: good, flags: fastLease });
  const spec = { source: { path: 'app' }, sync: { retries: { limit: 0 } } };
  const first = await stage.deployed('web', spec);
  for (const number of [1, 2, 3, 4]) {
    const hook = hookJob(`check-${number}`, 'post-upgrade', {}, 'fails');
    const bad = chartOf('app', [configMapNamed('web', { message: `bad ${number}` }), hook]);
    const commit = await stage.repository.commit(bad);
    await stage.until(
      'web',
      ({ status }) => {
        const [last] = environmentOf(status)?.history ?? [];
        return last?.revision === commit && last.outcome === 'Failed';
      },
      `deployment ${number} to fail`,
    );
  }
  await stage.git.stop();
  await stage.restart();
  await stage.application('web', { ...spec, source: { path: 'app', ref: { commit: first } } });
  await stage.untilReadyAt('web', first);
  const message = await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}');
  assert.equal(message, 'good');
});
