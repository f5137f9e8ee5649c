import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { Environment } from '../../operator/api/v1alpha1/environment.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import {
  ENVIRONMENTS,
  kubeConfigOf,
  makeLanding,
  newRemoteEnvironment,
  storeKubeConfig,
} from '../harness/other-cluster.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { configMap } from '../harness/sync-time.ts';
import { eventually } from '../harness/wait.ts';

/** An Application in another cluster, which goes with the test and is reached as its administrator. */
async function deployedThere(t: TestContext) {
  const other = await startControlPlane({ controllers: false });
  const stage = await newStage(t, {
    files: { 'web.yaml': configMap('web', '1'), 'old.yaml': configMap('old', '1') },
  });
  const there = await newRemoteEnvironment(t, stage, 'there');
  t.after(() => other.stop());
  await makeLanding(other, there.namespace, 'cluster-admin');
  await storeKubeConfig(stage, 'there', kubeConfigOf(other, other.adminToken));
  await stage.deployed('web', { environments: [{ name: there.name }] });
  return { stage, other, there };
}

interface Live {
  uid: string;
  version: string;
}

/** The ConfigMaps of the Application in that namespace, by name. */
async function liveIn(other: ControlPlane, namespace: string): Promise<Record<string, Live>> {
  const { body } = await other.request('GET', `/api/v1/namespaces/${namespace}/configmaps`);
  const { items } = JSON.parse(body) as {
    items: { metadata: { name: string; uid: string }; data?: { version?: string } }[];
  };
  const ours = items.filter(({ data }) => data?.version !== undefined);
  return Object.fromEntries(
    ours.map(({ metadata: { name, uid }, data }) => [name, { uid, version: data?.version ?? '' }]),
  );
}

async function readyOf({ cluster }: Stage, name: string) {
  const { body } = await cluster.request('GET', `${ENVIRONMENTS}/${name}`);
  const { status } = JSON.parse(body) as Environment;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return { uid: status?.cluster?.uid, reason: ready?.reason, message: ready?.message ?? '' };
}

test('B5: a cluster that was restored from a backup is brought to what Git says, and one that was built anew gets nothing before that is confirmed', {
  timeout: 300_000,
}, async (t) => {
  const { stage, other, there } = await deployedThere(t);
  const before = await liveIn(other, there.namespace);
  const { uid } = await readyOf(stage, there.name);
  const backup = join(temporaryDirectory('backup'), 'etcd');
  await other.offline((data) => cpSync(data, backup, { recursive: true }));
  const second = await stage.repository.commit({
    'web.yaml': configMap('web', '2'),
    'late.yaml': configMap('late', '2'),
    'old.yaml': null,
  });
  await stage.untilReadyAt('web', second);
  assert.deepEqual(Object.keys(await liveIn(other, there.namespace)), ['late', 'web']);

  await other.offline((data) => {
    rmSync(data, { recursive: true });
    cpSync(backup, data, { recursive: true });
  });
  const versions = async () =>
    Object.entries(await liveIn(other, there.namespace)).map(([name, { version }]) => `${name} ${version}`);
  await eventually(async () => (await versions()).join() === 'late 2,web 2', {
    describe: `what Git says to be there again; ${await versions()}; ${stage.operator.process.logTail(20)}`,
  });
  await stage.untilReadyAt('web', second);
  assert.equal((await liveIn(other, there.namespace))['web']?.uid, before['web']?.uid, 'it was not deleted');
  const available = await readyOf(stage, there.name);
  assert.deepEqual([available.uid, available.reason], [uid, 'Available']);

  await other.offline((data) => rmSync(data, { recursive: true }));
  const changed = await stage.until(
    'web',
    (one) => conditionOf(one, 'Ready')?.reason === 'ClusterChanged',
    'the Application to tell of another cluster',
  );
  assert.equal(environmentOf(changed.status, there.name)?.sync, 'Blocked');
  assert.equal(environmentOf(changed.status, there.name)?.health, 'Unknown');
  const told = await readyOf(stage, there.name);
  assert.equal(told.reason, 'ClusterChanged');
  assert.equal(told.uid, uid, 'the one that somebody knows');
  const found = /towpath\.dev\/cluster-confirmed=(\S+)/.exec(told.message)?.[1] ?? '';
  // With all that a deployment would need.
  await makeLanding(other, there.namespace, 'cluster-admin');
  const third = await stage.repository.commit({ 'web.yaml': configMap('web', '3') });
  const asked = await stage.requestSync('web');
  await stage.until(
    'web',
    ({ status }) => status?.handledSyncRequest === asked,
    'the request to be answered',
  );
  assert.deepEqual(await versions(), [], 'nothing is written before somebody confirms it');
  await stage.kubectl('annotate', 'environment', there.name, `towpath.dev/cluster-confirmed=${found}`);
  const { status } = await stage.untilReadyAt('web', third);
  assert.deepEqual(await versions(), ['late 2', 'web 3']);
  assert.equal((await readyOf(stage, there.name)).uid, found);
  t.diagnostic(JSON.stringify(environmentOf(status, there.name)?.history));
});
