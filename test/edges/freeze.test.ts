import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { DAYS } from '../../operator/api/v1alpha1/gates.ts';
import { newEnvironment } from '../harness/environments.ts';
import { newStage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

/** A Job that ends when somebody says so, and in the next wave what says which version it is of. */
function waves(version: string) {
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `first-${version}` },
    spec: {
      template: {
        metadata: { annotations: { [podAnnotation]: 'runs' } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'first', image: 'example.com/first:1' }] },
      },
    },
  };
  const annotations = { 'towpath.dev/wave': '1' };
  const second = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'second', annotations } };
  return {
    'web/job.yaml': JSON.stringify(job),
    'web/second.yaml': JSON.stringify({ ...second, data: { version } }),
  };
}

test('A8: what has its first write goes on through its waves when a freeze begins between two of them', async (t) => {
  const stage = await newStage(t, { files: waves('1') });
  const prod = await newEnvironment(t, stage, 'prod');
  await stage.application('web', {
    source: { path: 'web', interval: '1s' },
    environments: [{ name: prod.name }],
  });
  const where = ['-n', prod.namespace];
  const pods = ['get', 'pods', '-l', 'batch.kubernetes.io/job-name=first-1', '-o', 'name'];
  const pod = await eventually(() => stage.kubectl(...where, ...pods), {
    describe: 'the Pod of the first wave',
  });
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const spec = JSON.stringify({ spec: { freezes: [{ from: '2026-01-01T00:00:00Z', until }] } });
  await stage.kubectl('patch', 'environment', prod.name, '--type=merge', '-p', spec);
  await eventually(
    () => stage.kubectl('get', 'environment', prod.name, '-o', 'jsonpath={.status.frozenUntil}'),
    { describe: 'the freeze to be known' },
  );
  const state = { terminated: { exitCode: 0, reason: 'Completed' } };
  const container = { name: 'first', state, ready: false, restartCount: 0, image: 'x', imageID: '' };
  const ended = JSON.stringify({ status: { phase: 'Succeeded', containerStatuses: [container] } });
  await stage.kubectl(...where, 'patch', pod.trim(), '--subresource=status', '-p', ended);
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  const version = ['get', 'configmap', 'second', '-o', 'jsonpath={.data.version}'];
  assert.equal(await stage.kubectl(...where, ...version), '1');

  const next = await stage.repository.commit(waves('2'));
  await stage.until(
    'web',
    ({ status }) => {
      const entry = environmentOf(status, prod.name);
      return entry?.desiredRevision === next && entry.blockedBy?.[0]?.reason === 'Frozen';
    },
    'what is new to wait',
  );
});

test('A30: what waits for its window says so when a planned freeze begins, whatever else happens', async (t) => {
  const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' } };
  const stage = await newStage(t, { files: { 'web.yaml': JSON.stringify(configMap) } });
  // Not the one of today, nor one that is about to begin.
  const day = DAYS[(new Date().getUTCDay() + 2) % 7] ?? 'Mon';
  const windows = [{ days: [day], from: '00:00', until: '01:00', timeZone: 'UTC' }];
  const prod = await newEnvironment(t, stage, 'prod', { gates: { windows } });
  await stage.application('web', { environments: [{ name: prod.name }] });
  const waitsFor = (reasons: string, why: string) =>
    stage.until(
      'web',
      ({ status }) => {
        const { blockedBy = [] } = environmentOf(status, prod.name) ?? {};
        return blockedBy.map(({ reason }) => reason).join() === reasons;
      },
      why,
    );
  await waitsFor('OutsideWindow', 'what is new to wait for its window');
  const from = new Date(Date.now() + 3_000).toISOString();
  const spec = JSON.stringify({ spec: { freezes: [{ from }] } });
  await stage.kubectl('patch', 'environment', prod.name, '--type=merge', '-p', spec);
  await waitsFor('Frozen,OutsideWindow', 'the freeze to be told');
});
