import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { newLanding, newRemoteEnvironment, poseAs, storeKubeConfig } from '../harness/other-cluster.ts';

const FILES = { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' };

const isReadyIn = (name: string) => (one: Application) =>
  conditionOf(one, 'Ready')?.status === 'True' &&
  one.status?.environments?.map((entry) => entry.name).join() === name;

async function rename(stage: Stage, name: string | undefined): Promise<void> {
  const environments = name === undefined ? null : [{ name }];
  const patch = JSON.stringify({ spec: { environments } });
  await stage.kubectl('patch', 'tapp', 'web', '--type=merge', '-p', patch);
}

async function uidOf({ cluster }: Stage, namespace: string): Promise<string> {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { metadata: { uid: string } }).metadata.uid;
}

/** Environments of which there is a record. */
async function recordedIn(stage: Stage): Promise<string[]> {
  const { items } = JSON.parse(await stage.kubectl('get', 'secrets', '-o', 'json')) as {
    items: { data?: Record<string, string> }[];
  };
  return items
    .flatMap(({ data = {} }) => Object.keys(data))
    .flatMap((member) => (member.startsWith('target.') ? [member.slice('target.'.length)] : []));
}

test('B4, S14: an entry whose Environment does not take the Application any more is renamed to one that does at the same place: the objects are handed over, and nothing of the former one is left', async (t) => {
  const stage = await newStage(t, { files: FILES });
  const here = { namespace: '{namespace}', access: { serviceAccountName: 'towpath' } };
  const blue = await newEnvironment(t, stage, 'blue', here);
  const green = await newEnvironment(t, stage, 'green', here);
  await stage.deployed('web', { environments: [{ name: blue.name }] });
  const uid = await uidOf(stage, stage.namespace);
  const { status, body } = await stage.cluster.request(
    'PATCH',
    `/apis/towpath.dev/v1alpha1/environments/${blue.name}`,
    { body: { spec: { allowedNamespaces: [] } }, contentType: 'application/merge-patch+json' },
  );
  assert.equal(status, 200, body);
  await stage.until(
    'web',
    (one) => environmentOf(one.status, blue.name)?.blockedBy?.[0]?.reason === 'NamespaceNotAllowed',
    'the refusal',
  );
  await rename(stage, green.name);
  await stage.until('web', isReadyIn(green.name), 'the hand-over');
  assert.equal(await uidOf(stage, stage.namespace), uid);
  assert.deepEqual(await recordedIn(stage), [green.name]);
});

test('B4, D11: an Environment whose kubeconfig is gone is replaced by another one in the same cluster, which takes the objects over; what was abandoned there another one takes over when it is told to', async (t) => {
  const stage = await newStage(t, { files: FILES });
  const { cluster, namespace } = stage;
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  poseAs(proxy, '00000000-0000-4000-8000-000000000012');
  const kubeConfig = proxy.kubeConfigFor(cluster.adminToken);
  const landing = `${namespace}-there`;
  const eu = await newRemoteEnvironment(t, stage, 'eu', 'eu', landing);
  const eu2 = await newRemoteEnvironment(t, stage, 'eu2', 'eu2', landing);
  await newLanding(t, cluster, landing);
  await storeKubeConfig(stage, 'eu', kubeConfig);
  await storeKubeConfig(stage, 'eu2', kubeConfig);
  await stage.deployed('web', { environments: [{ name: eu.name }], deletionPolicy: 'Orphan' });
  const uid = await uidOf(stage, landing);
  const lose = async (secret: string) => {
    await stage.kubectl('delete', 'secret', secret);
    await stage.until(
      'web',
      (one) => conditionOf(one, 'Ready')?.reason === 'KubeConfigMissing',
      'the lost kubeconfig to be told',
    );
  };

  await lose('eu');
  await rename(stage, eu2.name);
  await stage.until('web', isReadyIn(eu2.name), 'the hand-over');
  assert.equal(await uidOf(stage, landing), uid);
  assert.deepEqual(await recordedIn(stage), [eu2.name]);

  await lose('eu2');
  await stage.kubectl('annotate', 'tapp', 'web', `towpath.dev/abandon=${eu2.name}`);
  await rename(stage, undefined);
  await stage.until('web', isReadyIn('default'), 'nothing to be told of what was abandoned');
  await storeKubeConfig(stage, 'eu', kubeConfig);
  await rename(stage, eu.name);
  const refused = await stage.until(
    'web',
    (one) => environmentOf(one.status, eu.name)?.blockedBy?.[0]?.reason === 'NotOwned',
    'what was abandoned not to be taken over unasked',
  );
  assert.match(environmentOf(refused.status, eu.name)?.message ?? '', /was left by .*towpath\.dev\/adopt/);
  await stage.kubectl('annotate', 'tapp', 'web', 'towpath.dev/adopt=true');
  await stage.until('web', isReadyIn(eu.name), 'it to be adopted');
  assert.equal(await uidOf(stage, landing), uid);
});
