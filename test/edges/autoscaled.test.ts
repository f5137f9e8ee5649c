import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import {
  configMap,
  eventsOf,
  newProxiedSteps,
  newSteps,
  reasonOf,
  type TestObject,
} from '../integration/steps.ts';

function loom(name: string, replicas: number): TestObject {
  const labels = { app: name };
  const resources = { requests: { cpu: '10m' } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'l', image: 'l:1', resources }] } },
    },
  };
}

const autoscaler = (name: string, minReplicas: number): TestObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    minReplicas,
    maxReplicas: 5,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
      },
    ],
  },
});

/** As `kubectl edit` does: through the object itself, so that nothing tells of `scale` any more. */
function edit(stage: Stage, name: string, count: number): Promise<string> {
  return stage.kubectl(
    ...['patch', 'deployment', name, '--field-manager=kubectl-edit', '--type=merge'],
    ...['-p', JSON.stringify({ spec: { replicas: count } })],
  );
}

test('an autoscaler is respected, whether it is in Git or not', async (t) => {
  const { stage, deploy, change, live, push } = await newSteps(t);
  const replicas = async (name: string) => (await live('deployment', name))?.spec?.['replicas'];
  const scaledTo = (name: string, count: number) =>
    eventually(async () => (await replicas(name)) === count, {
      describe: `${count} replicas of ${name}`,
    });

  await t.test('one made by hand: its replicas stand, over a commit and a restart', async () => {
    await deploy('loom', [loom('loom', 1)]);
    await stage.apply(autoscaler('loom', 3));
    await scaledTo('loom', 3);
    await stage.restart();
    await change('loom', [loom('loom', 2), configMap('loom')]);
    const request = await stage.requestSync('loom');
    await stage.until('loom', ({ status }) => status?.handledSyncRequest === request, 'another look');
    assert.equal(await replicas('loom'), 3);
    assert.deepEqual(await eventsOf(stage, 'loom', 'DriftRepaired'), []);
  });

  await t.test('what is edited by hand in between is not put back either', async () => {
    await edit(stage, 'loom', 4);
    // The autoscaler lets stand what is between its bounds.
    const request = await stage.requestSync('loom');
    await stage.until('loom', ({ status }) => status?.handledSyncRequest === request, 'another look');
    assert.equal(await replicas('loom'), 4);
    assert.deepEqual(await eventsOf(stage, 'loom', 'DriftRepaired'), []);
  });

  await t.test("when it goes, Git's replicas count again", async () => {
    await stage.kubectl('delete', 'horizontalpodautoscaler', 'loom');
    await scaledTo('loom', 2);
    await stage.until('loom', (one) => reasonOf(one) === 'Synced', 'loom to be Synced');
  });

  await t.test("one of another Application's Git", async () => {
    await deploy('weft', [loom('weft', 1)]);
    await push('scaling', [autoscaler('weft', 2)]);
    await stage.application('scaling', { source: { path: 'scaling' } });
    await scaledTo('weft', 2);
    await change('weft', [loom('weft', 1), configMap('weft')]);
    assert.equal(await replicas('weft'), 2);
    assert.deepEqual(await eventsOf(stage, 'weft', 'DriftRepaired'), []);
  });
});

test('what an autoscaler scaled before the operator heard of it keeps its replicas', async (t) => {
  const { proxy, stage, deploy, change, live } = await newProxiedSteps(t, { startOperator: false });
  const silence = proxy.fail({
    verb: 'watch',
    path: /\/horizontalpodautoscalers/,
    fault: { until: new Promise(() => undefined) },
  });
  await stage.restart();
  await deploy('woof', [loom('woof', 1)]);
  await eventually(() => silence.met > 0, { describe: 'the watch of autoscalers' });
  await stage.apply(autoscaler('woof', 3));
  const replicas = async () => (await live('deployment', 'woof'))?.spec?.['replicas'];
  await eventually(async () => (await replicas()) === 3, { describe: '3 replicas' });
  await change('woof', [loom('woof', 1), configMap('woof')]);
  const request = await stage.requestSync('woof');
  await stage.until('woof', ({ status }) => status?.handledSyncRequest === request, 'another look');
  assert.equal(await replicas(), 3);
  assert.deepEqual(await eventsOf(stage, 'woof', 'DriftRepaired'), []);
});

test('what is scaled while its replicas are left to its autoscaler stays so', async (t) => {
  const { proxy, stage, deploy, live } = await newProxiedSteps(t);
  await deploy('warp', [loom('warp', 2)]);
  const handing = proxy.hold({
    verb: 'apply',
    path: /\/deployments\/warp\?/,
    where: ({ query }) => query.get('fieldManager')?.endsWith('-ignored') === true,
  });
  // It lets stand what is between its bounds, so that what is put back stays so.
  await stage.apply(autoscaler('warp', 2));
  await handing.seen;
  await stage.kubectl('scale', 'deployment', 'warp', '--replicas=4');
  handing.release();
  const request = await stage.requestSync('warp');
  await stage.until('warp', ({ status }) => status?.handledSyncRequest === request, 'another look');
  assert.equal((await live('deployment', 'warp'))?.spec?.['replicas'], 4);
});

test('an autoscaler that the operator may not see is looked for as the ServiceAccount; else who scaled counts', async (t) => {
  const { proxy, stage, deploy, live } = await newProxiedSteps(t, { startOperator: false });
  const path = /\/horizontalpodautoscalers/;
  const replicas = async (name: string) => (await live('deployment', name))?.spec?.['replicas'];
  const standsAt = async (name: string, count: number) => {
    const request = await stage.requestSync(name);
    await stage.until(name, ({ status }) => status?.handledSyncRequest === request, 'another look');
    assert.equal(await replicas(name), count);
    assert.deepEqual(await eventsOf(stage, name, 'DriftRepaired'), []);
  };
  const operators = proxy.fail({
    path,
    where: ({ impersonate }) => impersonate === '',
    fault: { status: 403 },
  });
  await stage.restart();

  await t.test('S1: as the ServiceAccount', async () => {
    await deploy('seen', [loom('seen', 1)]);
    await stage.apply(autoscaler('seen', 3));
    await eventually(async () => (await replicas('seen')) === 3, { describe: '3 replicas' });
    await edit(stage, 'seen', 4);
    await standsAt('seen', 4);
    assert.ok(operators.met > 0, 'the test must see the operator refused');
  });

  await t.test('what the ServiceAccount may not see either', async () => {
    await stage.operator.stop();
    const accounts = proxy.fail({ path, fault: { status: 403 } });
    await stage.restart();
    await deploy('unseen', [loom('unseen', 1)]);
    await stage.kubectl('scale', 'deployment', 'unseen', '--replicas=2');
    await standsAt('unseen', 2);
    assert.ok(accounts.met > 0, 'the test must see the ServiceAccount refused');
  });
});
