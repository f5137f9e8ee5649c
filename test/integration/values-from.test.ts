import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { isReady, messageOf } from './message.ts';
import { toldOf } from './steps.ts';

test('values from ConfigMaps and Secrets are waited for, noticed when they appear and when they change', async (t) => {
  const stage = await newStage(t, {
    files: {
      'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: {{ .Values.message | quote }} }\n',
    },
  });
  await stage.application('web', { helm: { valuesFrom: [{ kind: 'Secret', name: 'shared' }] } });
  const waiting = await stage.until('web', ({ status }) => status?.sync === 'Blocked', 'Blocked');
  assert.equal(conditionOf(waiting, 'Ready')?.reason, 'SecretMissing');
  assert.equal(conditionOf(waiting, 'Stalled'), undefined);
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shared' },
    stringData: { 'values.yaml': 'message: first\n' },
  });
  await stage.until('web', isReady, 'web to be Ready', 10_000);
  assert.equal(await messageOf(stage, 'web'), 'first');
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shared' },
    stringData: { 'values.yaml': 'message: second\n' },
  });
  await stage.until(
    'web',
    async () => (await messageOf(stage, 'web')) === 'second',
    'the changed Secret',
    10_000,
  );
});

test('A14: a chart that renders what it is rendered with does not keep its status from being told', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: {
      'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: circle}\ndata: {values.yaml: "count: {{ add1 (.Values.count | default 0) }}"}\n',
    },
  });
  // Where a look takes long, each breaks off itself by what it changes.
  proxy.fail({ verb: 'patch', path: /\/secrets\//, fault: { latencyMs: 2_500 } });
  proxy.fail({ verb: 'create', path: /\/secrets/, fault: { latencyMs: 2_500 } });
  await stage.application('web', {
    helm: { valuesFrom: [{ kind: 'ConfigMap', name: 'circle', optional: true }] },
  });
  const [told] = await toldOf(stage, 'web', 'RenderWarning');
  assert.match(told ?? '', /ConfigMap .*circle is rendered, and spec\.helm\.valuesFrom reads it/);
  proxy.clear();
  const count = async () =>
    Number(/\d+/.exec(await stage.kubectl('get', 'configmap', 'circle', '-o', 'jsonpath={.data}'))?.[0]);
  await eventually(async () => (await count()) > 8, { describe: 'the first rounds' });
  const isTold = ({ status }: Application) =>
    status?.sync === 'Synced' && (environmentOf(status)?.history?.length ?? 0) > 1;
  await stage.until('web', isTold, 'the status of more than one round');
});
