import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newEnvironment } from '../harness/environments.ts';
import { polls } from '../harness/polls.ts';
import { isWrite, newProxiedStage } from '../harness/proxied-stage.ts';
import { always } from '../harness/wait.ts';
import { chartOf, configMap } from '../integration/steps.ts';

const ENVIRONMENTS = 10;

const chart = (version: string) => chartOf('web', [configMap('web', { version })]);

test('A14: with many environments the status is written at most once a second, and at rest nothing is sent at all', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: chart('1') });
  const environments: { name: string }[] = [];
  for (let index = 0; index < ENVIRONMENTS; index += 1) {
    const { name } = await newEnvironment(t, stage, `e${index}`);
    environments.push({ name });
  }
  await stage.application('web', { source: { path: 'web', interval: '2s' }, environments });
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  const second = await stage.repository.commit(chart('2'));
  const ready = await stage.untilReadyAt('web', second);
  assert.equal(ready.status?.summary?.environments, `${ENVIRONMENTS}/${ENVIRONMENTS}`);
  const statuses = { verb: 'patch', path: /\/applications\/web\/status/ } as const;
  const times = proxy.find(statuses).map(({ at }) => at);
  for (const [index, time] of times.entries()) {
    const before = times[index - 1];
    if (before !== undefined) assert.ok(time - before > 950, `${Math.round(time - before)} ms apart`);
  }
  assert.ok(times.length < ENVIRONMENTS, `${times.length} patches for two deployments`);

  // One question to the Git server each interval, however many environments; and none about an object.
  const from = proxy.find({}).length;
  const asked = polls(stage);
  await always(
    () =>
      proxy
        .find({})
        .slice(from)
        .filter((request) => isWrite(request) || request.impersonate !== ''),
    (sent) =>
      assert.deepEqual(
        sent.map(({ verb, path }) => `${verb} ${path}`),
        [],
      ),
    6_000,
  );
  const polled = polls(stage) - asked;
  assert.ok(polled >= 2 && polled <= 4, `${polled} questions in 6 s`);
});
