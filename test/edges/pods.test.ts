import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podAnnotation, podReasonAnnotation } from '../../hack/nodes/pod.ts';
import { conditionOf } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { messageOf, newSteps, type TestObject, toldOf } from '../integration/steps.ts';

function workload(kind: string, name: string, annotations: Record<string, string>): TestObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations },
        spec: { containers: [{ name: 'web', image: 'registry.example.com/web:typo' }] },
      },
    },
  };
}

test('a Pod that cannot start', async (t) => {
  const { stage, push, ready } = await newSteps(t);
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet']) {
    await t.test(`of a ${kind} makes the Application Degraded, with the container's reason`, async () => {
      const name = kind.toLowerCase();
      const annotations = { [podAnnotation]: 'waits', [podReasonAnnotation]: 'ImagePullBackOff' };
      await push(name, [workload(kind, name, annotations)]);
      await stage.application(name, { source: { path: name } });
      const degraded = await stage.until(name, ({ status }) => status?.health === 'Degraded', 'Degraded');
      const environment = environmentOf(degraded.status);
      assert.match(environment?.message ?? '', new RegExp(`${kind} ${stage.namespace}/${name}`));
      assert.match(environment?.message ?? '', /container web: ImagePullBackOff/);
      assert.notEqual(conditionOf(degraded, 'Ready')?.status, 'True');
      const commit = await push(name, [workload(kind, name, {})]);
      if (kind === 'StatefulSet') {
        // Its controller waits for the broken Pod for ever (a known limit of Kubernetes): a person deletes it.
        await stage.until(name, ({ status }) => environmentOf(status)?.desiredRevision === commit, 'the fix');
        // Were it waited for, kubectl could take its successor of the same name for it, and wait for ever.
        await stage.kubectl('delete', 'pod', `${name}-0`, '--wait=false');
      }
      await ready(name, commit);
      // The old Pod says nothing of the new template: what is told of the fix never names it.
      if (kind === 'StatefulSet') return;
      for (const message of await toldOf(stage, name, 'Degraded')) {
        assert.match(message, /ImagePullBackOff/);
        assert.ok(!message.includes(commit.slice(0, 7)), message);
      }
    });
  }
});

test('a Pod that no node takes is named for its Deployment, which goes on waiting', async (t) => {
  const { stage, push } = await newSteps(t);
  const web = workload('Deployment', 'big', {});
  const { template } = web.spec as { template: { spec: object } };
  template.spec = { ...template.spec, nodeSelector: { no: 'such-node' } };
  await push('big', [web]);
  await stage.application('big', { source: { path: 'big' } });
  const told = await stage.until(
    'big',
    ({ status }) => /Unschedulable/.test(environmentOf(status)?.message ?? ''),
    'the reason of the scheduler',
  );
  assert.match(messageOf(told), /Deployment .*big: .*Pod big-.*: Unschedulable: 0\/\d+ nodes are available/);
  assert.equal(told.status?.health, 'Progressing');
});

test('a Pod of its own that failed ends the sync at once, with its exit code', async (t) => {
  const { stage, push } = await newSteps(t);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'once', annotations: { [podAnnotation]: 'fails' } },
    spec: { restartPolicy: 'Never', containers: [{ name: 'web', image: 'registry.example.com/web:1' }] },
  };
  await push('once', [pod]);
  await stage.application('once', { source: { path: 'once' }, sync: { timeout: '1h' } });
  const failed = await stage.until('once', ({ status }) => status?.sync === 'Failed', 'the end');
  assert.match(messageOf(failed), /Pod .*once: it failed: container web: it ended with exit code 1/);
});
