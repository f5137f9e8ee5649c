import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '../harness/operator.ts';
import { podAnnotation, podReasonAnnotation } from '../harness/stages.ts';
import { newSteps, type TestObject } from './steps.ts';

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
      const environment = degraded.status?.environments?.[0];
      assert.match(environment?.message ?? '', new RegExp(`${kind} ${stage.namespace}/${name}`));
      assert.match(environment?.message ?? '', /container web: ImagePullBackOff/);
      assert.notEqual(conditionOf(degraded, 'Ready')?.status, 'True');
      const commit = await push(name, [workload(kind, name, {})]);
      if (kind === 'StatefulSet') {
        // Its controller waits for the broken Pod for ever (a known limit of Kubernetes): a person deletes it.
        await stage.until(
          name,
          ({ status }) => status?.environments?.[0]?.desiredRevision === commit,
          'the fix',
        );
        await stage.kubectl('delete', 'pod', `${name}-0`);
      }
      await ready(name, commit);
    });
  }
});
