import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { configMap, eventsOf, newSteps, reasonOf, type TestObject } from './steps.ts';

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

test('an autoscaler is respected, whether it is in Git or not', async (t) => {
  const { stage, deploy, change, live, push } = await newSteps(t);
  const replicas = async (name: string) => (await live('deployment', name))?.spec?.['replicas'];
  const scaledTo = (name: string, count: number) =>
    eventually(async () => (await replicas(name)) === count, {
      describe: `${count} replicas of ${name}`,
      within: 60_000,
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
