import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { newReleases, type Releases } from '../harness/chart-releases.ts';
import { newEnvironment } from '../harness/environments.ts';
import { installCRDs, newStage, type Stage } from '../harness/operator.ts';
import { letGo, ORDERS, remove, removeLeftovers } from '../harness/removal.ts';
import { eventually } from '../harness/wait.ts';

// Definitions go here, which other test files would notice.
let on: Releases;
before(async () => {
  on = await newReleases();
});

const FILES = {
  'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: there}\n',
};

for (const order of ORDERS)
  test(`I2, I3: removed in the order ${order.join(', ')} it ends, leaves nothing behind, and deletes nothing that it deployed`, async (t) => {
    const { stage, operator, towpath } = await installed(t);
    const uninstall = () => on.release('uninstall', towpath);
    const removal = { cluster: on.cluster, kubectl: on.kubectl, uninstall };
    const uid = await uidOf(stage);
    for (const step of order) {
      const gone = order.slice(0, order.indexOf(step));
      // No node runs its Pods here, which would go with what is removed.
      if (step !== 'definitions') await operator.stop();
      await remove(step, gone, removal);
      assert.equal(await uidOf(stage), uid, `after ${step}`);
    }
    const admission = await on.kubectl(
      ...['api-resources', '--api-group=admissionregistration.k8s.io', '-o', 'name'],
    );
    const kinds = [
      'crd',
      'namespaces',
      'clusterroles',
      'clusterrolebindings',
      ...admission.trim().split('\n'),
    ];
    const names = await on.kubectl('get', kinds.join(','), '-o', 'name');
    assert.doesNotMatch(names, /towpath/);
    const data = await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data}');
    assert.deepEqual(JSON.parse(data), { is: 'there' });
  });

test('I2: a namespace with release and Applications ends, too, when no operator runs any more', async (t) => {
  const { stage, operator, towpath } = await installed(t);
  await operator.stop();
  await on.release('uninstall', towpath);
  await on.kubectl('delete', 'namespace', stage.namespace, '--wait=false');
  await letGo(on.cluster);
  await on.kubectl('wait', '--for=delete', `namespace/${stage.namespace}`, '--timeout=120s');
});

test('I2: what is left of a release is removed, and nothing of another of its name', async (t) => {
  await installCRDs(on.cluster);
  const other = { name: 'towpath', namespace: await on.newNamespace(t, 'platform') };
  const towpath = { name: 'towpath', namespace: await on.newNamespace(t, 'towpath-system') };
  for (const one of [other, towpath])
    await on.release('install', { ...one, values: { watchNamespace: one.namespace } });
  const roles = async () => {
    const names = await on.kubectl('get', 'clusterroles,clusterrolebindings', '-o', 'name');
    return names.split('\n').filter((name) => name.includes(':towpath'));
  };
  const before = await roles();
  await on.kubectl('delete', 'namespace', towpath.namespace, '--timeout=120s');
  await removeLeftovers(on.cluster);
  const kept = before.filter((name) => name.includes('/platform:'));
  assert.deepEqual(await roles(), kept);
  assert.equal(kept.length, before.length / 2);
  await on.release('uninstall', other);
});

/** A release with its operator, and an Application that is Ready, held by our finalizer. */
async function installed(t: TestContext) {
  await installCRDs(on.cluster);
  const towpath = { name: 'towpath', namespace: 'towpath-system' };
  // In one command, as the README has it.
  const values = { impersonate: ['towpath', 'deployer'] };
  await on.release('install', { ...towpath, values }, '--create-namespace');
  const stage = await newStage(t, { cluster: on.cluster, files: FILES, startOperator: false });
  const operator = await on.run(t, towpath);
  await stage.deployed('web');
  assert.ok((await stage.get('web')).metadata.finalizers.length > 0);
  const staging = await newEnvironment(t, stage, 'staging');
  await stage.deployed('away', { environments: [{ name: staging.name }] });
  const held = ['get', 'environment', staging.name, '-o', 'jsonpath={.metadata.finalizers}'];
  await eventually(async () => (await on.kubectl(...held)) !== '', {
    describe: 'the Environment to be held',
  });
  t.after(async () => {
    await operator.stop();
    await on.cluster.kubectl(['delete', 'namespace', towpath.namespace, '--ignore-not-found']);
  });
  return { stage, operator, towpath };
}

function uidOf(stage: Stage): Promise<string> {
  return stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.metadata.uid}');
}
