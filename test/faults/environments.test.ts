import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf } from '../harness/operator.ts';
import { newLanding, newRemoteEnvironment, poseAs, storeKubeConfig } from '../harness/other-cluster.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';

const FILES = { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' };

test('A6: an Application that names an Environment which does not exist is told so also where Environments could not be listed at first', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: FILES });
  const down = proxy.fail({ path: /\/environments\?/, fault: { status: 503 } });
  await stage.restart();
  await stage.application('web', { environments: [{ name: `nowhere-${stage.namespace}` }] });
  const ready = (reason: string) =>
    stage.until(
      'web',
      (one) => conditionOf(one, 'Ready')?.reason === reason,
      `the Application to say ${reason}`,
    );
  await ready('EnvironmentsUnknown');
  down.remove();
  await ready('EnvironmentNotFound');
});

test('B5: where it cannot be written down in which cluster an Environment is, its Applications say so, and are deployed when it can', async (t) => {
  const { proxy, stage, cluster } = await newProxiedStage(t, { files: FILES });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, cluster, there.namespace);
  const refused = proxy.fail({
    path: new RegExp(`/environments/${there.name}/status`),
    fault: { status: 500 },
  });
  const other = await startFaultProxy(cluster);
  t.after(() => other.stop());
  poseAs(other, '00000000-0000-4000-8000-000000000001');
  await storeKubeConfig(stage, 'there', other.kubeConfigFor(cluster.adminToken));
  const head = await stage.repository.revParse('main');
  await stage.application('web', { environments: [{ name: there.name }] });
  const told = await stage.until(
    'web',
    (one) => conditionOf(one, 'Ready')?.reason === 'EnvironmentsUnknown',
    'the Application to tell of the status',
  );
  const message = environmentOf(told.status, there.name)?.message ?? '';
  assert.match(message, /cannot be written into its status/);
  refused.remove();
  await stage.untilReadyAt('web', head);
});
