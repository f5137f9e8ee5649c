import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, newStage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';

const yaml = (...objects: object[]) => objects.map((object) => JSON.stringify(object)).join('\n---\n');
const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const podTemplate = (name: string) => ({
  metadata: { labels: { app: name } },
  spec: { containers: [{ name, image: `example.com/${name}:1`, resources: { requests: { cpu: '10m' } } }] },
});
const jobTemplate = {
  spec: { template: { spec: { ...podTemplate('c').spec, restartPolicy: 'Never' } } },
};

test('a claim that waits for its first Pod holds up no commit, and one that should be bound does', async (t) => {
  const later = `later-${Date.now()}`;
  const claim = (name: string, storageClassName: string) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  const nightly = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly' },
    spec: { schedule: '0 3 * * *', jobTemplate },
  };
  const stage = await newStage(t, {
    files: { 'all.yaml': yaml(claim('dumps', later), nightly, configMap('old')) },
  });
  for (const [name, volumeBindingMode] of [
    [later, 'WaitForFirstConsumer'],
    [`${later}-now`, 'Immediate'],
  ] as const) {
    await stage.apply({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name },
      provisioner: 'example.com/none',
      volumeBindingMode,
    });
    t.after(() => stage.kubectl('delete', 'storageclass', name));
  }
  await stage.deployed('dumps');
  const { status } = await stage.get('dumps');
  assert.equal(status?.health, 'Healthy');
  assert.match(
    environmentOf(status)?.message ?? '',
    /PersistentVolumeClaim \S+dumps: it waits for its first Pod\./,
  );

  const pruned = await stage.repository.commit({ 'all.yaml': yaml(claim('dumps', later), nightly) });
  await stage.untilReadyAt('dumps', pruned);
  assert.equal(await stage.kubectl('get', 'configmap', 'old', '--ignore-not-found', '-o', 'name'), '');

  await stage.repository.commit({ 'all.yaml': yaml(claim('dumps', later), claim('logs', `${later}-now`)) });
  const waiting = await stage.until(
    'dumps',
    (one) => conditionOf(one, 'Ready')?.message.includes('logs: it is not bound yet'),
    'the other claim to be waited for',
  );
  assert.equal(waiting.status?.health, 'Progressing');
});

test('what Git itself suspends is as it should be: Ready, its dependents go on, and the message says so', async (t) => {
  const cronJob = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'on-demand' },
    spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate },
  };
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'by-hand', annotations: { 'towpath.dev/wave': '-1' } },
    spec: { suspend: true, ...jobTemplate.spec },
  };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'paused' },
    spec: { paused: true, selector: { matchLabels: { app: 'paused' } }, template: podTemplate('paused') },
  };
  const stage = await newStage(t, {
    files: {
      'rests/all.yaml': yaml(cronJob, job, deployment),
      'dependent/all.yaml': yaml(configMap('dependent')),
    },
  });
  await stage.application('dependent', { source: { path: 'dependent' }, dependsOn: [{ name: 'rests' }] });
  const revision = await stage.deployed('rests', { source: { path: 'rests' } });
  assert.match(conditionOf(await stage.get('rests'), 'Ready')?.message ?? '', /as Git has it.* And 2 more\./);
  await stage.untilReadyAt('dependent', revision);

  // By another's hand it is drift, and goes.
  await stage.kubectl('patch', 'cronjob', 'on-demand', '-p', '{"spec":{"suspend":false}}');
  await stage.until(
    'rests',
    async () =>
      (await stage.kubectl('get', 'cronjob', 'on-demand', '-o', 'jsonpath={.spec.suspend}')) === 'true',
    'the suspension to be put back',
  );
});

test('what a person suspends, and Git says nothing of, is told as suspended', async (t) => {
  const cronJob = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly' },
    spec: { schedule: '0 0 1 1 *', jobTemplate },
  };
  const stage = await newStage(t, { files: { 'all.yaml': yaml(cronJob) } });
  await stage.deployed('nightly');
  await stage.kubectl('patch', 'cronjob', 'nightly', '-p', '{"spec":{"suspend":true}}');
  const told = await stage.until('nightly', ({ status }) => status?.health === 'Suspended', 'it to be told');
  assert.equal(conditionOf(told, 'Ready')?.status, 'False');
});

test('an autoscaler without metrics holds up no deployment, nor what is pruned after it', async (t) => {
  const mill = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'mill' },
    spec: { selector: { matchLabels: { app: 'mill' } }, template: podTemplate('mill') },
  };
  const autoscaler = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'mill' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'mill' },
      minReplicas: 3,
      maxReplicas: 9,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
        },
      ],
    },
  };
  const stage = await newStage(t, {
    files: { 'all.yaml': yaml(mill, autoscaler, configMap('old-settings')) },
  });
  const revision = await stage.repository.revParse('main');
  await stage.application('mill');
  // The autoscaler's controller looks every 15 s.
  await stage.untilReadyAt('mill', revision);
  await stage.until(
    'mill',
    (one) => conditionOf(one, 'Ready')?.message.includes('cannot compute replicas'),
    'the lack of metrics to be told',
  );
  const pruned = await stage.repository.commit({ 'all.yaml': yaml(mill, autoscaler) });
  await stage.untilReadyAt('mill', pruned);
  assert.equal(
    await stage.kubectl('get', 'configmap', 'old-settings', '--ignore-not-found', '-o', 'name'),
    '',
  );
});
