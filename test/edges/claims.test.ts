import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { configMap, eventsOf, messageOf, newSteps, type TestObject } from '../integration/steps.ts';

test('a claim that was grown by hand', async (t) => {
  const { stage, push, deploy, change, live, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const storageClass = `grows-${stage.namespace}`;
  const cellar = (storage: string, annotations: Record<string, string> = {}): TestObject => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'cellar', annotations },
    spec: {
      storageClassName: storageClass,
      volumeName: storageClass,
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage } },
    },
  });
  await stage.apply({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: storageClass },
    provisioner: 'example.com/none',
    allowVolumeExpansion: true,
  });
  await stage.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: storageClass },
    spec: {
      capacity: { storage: '20Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: storageClass,
      hostPath: { path: '/nowhere' },
      persistentVolumeReclaimPolicy: 'Retain',
    },
  });
  t.after(() => stage.kubectl('delete', 'pv', storageClass, '--wait=false'));
  t.after(() => stage.kubectl('delete', 'storageclass', storageClass));
  const size = async () => {
    const { spec = {} } = (await live('pvc', 'cellar')) ?? {};
    return (spec['resources'] as { requests: { storage: string } }).requests.storage;
  };
  const grow = (storage: string) =>
    stage.kubectl(
      'patch',
      'pvc',
      'cellar',
      '-p',
      JSON.stringify({ spec: { resources: { requests: { storage } } } }),
    );
  const told = () =>
    stage.until(
      'cellar',
      (now) => messageOf(now).includes('a claim never shrinks') && now.status?.sync === 'Synced',
      'the sizes',
    );

  await deploy('cellar', [cellar('5Gi')], { serviceAccountName });
  const { uid } = (await live('pvc', 'cellar'))?.metadata ?? {};

  await t.test('both sizes are told, and both ways out; it is Ready and left as it is', async () => {
    await grow('12Gi');
    const message = messageOf(await told());
    assert.match(message, /Claim cellar has 12Gi, Git 5Gi, and a claim never shrinks: write 12Gi in Git, or/);
    assert.match(
      message,
      /annotate it there towpath\.dev\/replace: "true" to make it anew without its data\.$/,
    );
    assert.equal(await size(), '12Gi');
    assert.deepEqual(await eventsOf(stage, 'cellar', 'DriftRepaired'), []);
  });

  await t.test('another commit goes through, and it is still told', async () => {
    await change('cellar', [cellar('5Gi'), configMap('later')]);
    assert.ok(await live('configmap', 'later'));
    await told();
  });

  await t.test('what else changes of the claim is applied, and it grows with Git', async () => {
    await change('cellar', [cellar('5Gi', { 'example.com/a': '1' }), configMap('later')]);
    assert.equal((await live('pvc', 'cellar'))?.metadata.annotations?.['example.com/a'], '1');
    assert.equal(await size(), '12Gi');
    const grown = await change('cellar', [cellar('14Gi'), configMap('later')]);
    assert.equal(await size(), '14Gi');
    assert.ok(!messageOf(grown).includes('never shrinks'));
  });

  await t.test('a smaller size in Git is told alike', async () => {
    await change('cellar', [cellar('6Gi'), configMap('later')]);
    assert.match(messageOf(await told()), /has 14Gi, Git 6Gi/);
    assert.equal((await live('pvc', 'cellar'))?.metadata.uid, uid);
  });

  await t.test('annotated, it is made anew; what somebody changes later never loses its data', async () => {
    const replace = { 'towpath.dev/replace': 'true' };
    await push('cellar', [cellar('3Gi', replace), configMap('later')]);
    const anew = await eventually(async () => {
      const found = await live('pvc', 'cellar');
      return found !== undefined && found.metadata.uid !== uid ? found : undefined;
    });
    // The volume was kept for the claim before.
    await stage.kubectl(
      'patch',
      'pv',
      storageClass,
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/spec/claimRef"}]',
    );
    await stage.until('cellar', ({ status }) => status?.health === 'Healthy', 'the new claim');
    await grow('9Gi');
    await told();
    assert.equal((await live('pvc', 'cellar'))?.metadata.uid, anew.metadata.uid);
  });
});
