import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedRequest } from '../harness/fault-proxy.ts';
import { promotionsOf } from '../harness/ledger.ts';
import type { Stage } from '../harness/operator.ts';
import { inWords } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { newTwoClusters } from '../harness/two-clusters.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap, hookJob, reasonOf, type TestObject } from '../integration/steps.ts';

const HOUR_MS = 3_600_000;
const clocks = [
  { name: 'an hour ahead of', homeAheadMs: HOUR_MS },
  { name: 'an hour behind', homeAheadMs: -HOUR_MS },
];

/** Its Pods find no node, and its own controller gives it up after a second. */
const givenUp: TestObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    progressDeadlineSeconds: 1,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { nodeSelector: { no: 'such-node' }, containers: [{ name: 'web', image: 'web' }] },
    },
  },
};

/** The Application's last deployment, when it ended; how long it took in seconds, by the history. */
async function endOf(stage: Stage, outcome: string, past = 0) {
  const application = await stage.until(
    'web',
    ({ status }) => {
      const [last] = environmentOf(status)?.history ?? [];
      return last !== undefined && last.id > past && last.outcome === outcome;
    },
    `a deployment that ${outcome}`,
  );
  const [last] = environmentOf(application.status)?.history ?? [];
  assert.ok(last?.finishedAt);
  const seconds = (Date.parse(last.finishedAt) - Date.parse(last.startedAt)) / 1_000;
  return { id: last.id, seconds, reason: reasonOf(application), message: last.message };
}

/** Of each Promotion when it was asked for, begun, deployed, and ended: by the clock at home, one after the other. */
async function areInOrder(stage: Stage, count: number, homeAheadMs: number): Promise<void> {
  const statuses = await eventually(
    async () => {
      const all = (await promotionsOf(stage)).map(({ status = {} }) => status);
      return all.length === count && all.every(({ finishedAt }) => finishedAt !== undefined)
        ? all
        : undefined;
    },
    { describe: `${count} Promotions that ended` },
  );
  assert.ok(statuses.some(({ deployedAt }) => deployedAt !== undefined));
  for (const { requestedAt, startedAt, deployedAt, finishedAt } of statuses) {
    const times = [requestedAt, startedAt, deployedAt, finishedAt].flatMap((time) => time ?? []);
    assert.deepEqual(times, [...times].sort(), 'A22: requested, started, deployed, finished');
    for (const time of times) {
      const off = Math.abs(Date.parse(time) - Date.now() - homeAheadMs);
      assert.ok(off < HOUR_MS / 2, `${time} is by the clock at home`);
    }
  }
}

/** Applications and what the operator keeps and tells of them. */
function isOfHome({ path }: RecordedRequest): boolean {
  return /\/(applications|events|secrets|leases)\b/.test(path);
}

/** What targets have, and what is served where they are. */
function isOfTargets({ path }: RecordedRequest): boolean {
  return /\/(configmaps|jobs|pods|horizontalpodautoscalers|storageclasses)\b|^\/apis?(\?|$)/.test(path);
}

const source = { path: 'chart' };
const chart = (...objects: TestObject[]) => chartOf('chart', objects);

test('a target is deployed, repaired and deleted in its cluster; Application, record and events stay at home', async (t) => {
  const { stage, home, other } = await newTwoClusters(t, {
    files: chart(configMap('settings', { key: 'git' }), hookJob('migrate', 'pre-install')),
  });
  await stage.deployed('web', { source });
  await stage.kubectl('patch', 'configmap', 'settings', '-p', '{"data":{"key":"hand"}}');
  const value = () => stage.kubectl('get', 'configmap', 'settings', '-o', 'jsonpath={.data.key}');
  await eventually(async () => (await value()) === 'git', { describe: 'the repair' });
  await stage.kubectl('delete', 'tapp', 'web', '--wait=false');
  const left = () => stage.kubectl('get', 'tapp,configmaps', '-o', 'name');
  await eventually(async () => !/web|settings/.test(await left()), {
    describe: 'the Application and its objects to be gone',
  });
  assert.deepEqual(inWords(home.find({ where: isOfTargets })), []);
  assert.deepEqual(inWords(other.find({ where: isOfHome })), []);
  for (const path of [/\/applications\/web\/status/, /\/secrets\b/, /\/events\b/])
    assert.notDeepEqual(home.find({ path }), [], `nothing at home of ${path}`);
});

for (const { name, homeAheadMs } of clocks) {
  test(`A13: with the clock at home ${name} that of the cluster, what was given up since a deployment began fails it, and what was before does not`, async (t) => {
    const { stage } = await newTwoClusters(t, { homeAheadMs, files: chart(givenUp) });
    await stage.application('web', { source });
    const failed = await endOf(stage, 'Failed');
    // By the history: the Deployment may have got on since, and Ready says so then.
    assert.match(failed.message ?? '', /^Deployment .*has timed out progressing/);
    const since = 'jsonpath={.status.conditions[?(@.type=="Progressing")].lastTransitionTime}';
    const failedAt = Date.parse(await stage.kubectl('get', 'deployment', 'web', '-o', since));
    // Times have whole seconds.
    await eventually(() => Date.now() > failedAt + 2_000);
    await stage.application('web', { source, sync: { timeout: '5s' } });
    const again = await endOf(stage, 'Failed', failed.id);
    assert.match(again.message ?? '', /^Not healthy in time: /);
    assert.ok(again.seconds >= 4 && again.seconds < 600, `after ${again.seconds} s`);
    await stage.repository.commit(chart(configMap('settings')));
    await endOf(stage, 'Succeeded', again.id);
    await areInOrder(stage, again.id + 1, homeAheadMs);
  });

  test(`A13: with the clock at home ${name} that of the cluster, a hook under way is taken up, and has its time`, async (t) => {
    const { stage, other } = await newTwoClusters(t, {
      homeAheadMs,
      files: chart(configMap('settings'), hookJob('migrate', 'pre-install', {}, 'runs')),
    });
    await stage.application('web', { source });
    const uid = () => stage.kubectl('get', 'job', 'migrate', '-o', 'jsonpath={.metadata.uid}');
    const first = await eventually(uid, { describe: 'the hook' });
    other.forget();
    await stage.requestSync('web');
    await eventually(() => other.find({ verb: 'watch', path: /\/jobs\?.*metadata\.name/ }).length > 0, {
      describe: 'the hook to be waited for again',
    });
    assert.equal(await uid(), first);
    await stage.application('web', { source, sync: { timeout: '5s', retries: { limit: 0 } } });
    const { reason, seconds, message } = await endOf(stage, 'Failed');
    assert.equal(reason, 'HookFailed', message);
    assert.match(message ?? '', /did not end within spec\.sync\.timeout/);
    assert.ok(seconds >= 4 && seconds < 600, `after ${seconds} s`);
  });
}
