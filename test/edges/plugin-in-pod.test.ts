import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newStage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { without } from '../harness/programs.ts';

test('in a Pod, where no kubeconfig is, kubectl towpath works in the namespace of the Pod, as kubectl does', {
  skip: without('unshare'),
}, async (t) => {
  const files = { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' };
  const stage = await newStage(t, { files });
  await stage.deployed('web');
  const { cluster, namespace } = stage;
  await stage.kubectl('create', 'serviceaccount', 'pipeline');
  await stage.kubectl(
    'create',
    'role',
    'pipeline',
    '--verb=get,list,watch',
    '--resource=applications.towpath.dev,promotions.towpath.dev',
  );
  await stage.kubectl(
    'create',
    'rolebinding',
    'pipeline',
    '--role=pipeline',
    `--serviceaccount=${namespace}:pipeline`,
  );
  const token = (await stage.kubectl('create', 'token', 'pipeline')).trim();
  const { inPod } = await newPluginShell(t, cluster, { namespace });
  const ofPod = { namespace: `${namespace}\n`, token, 'ca.crt': cluster.ca };
  const { code, stderr } = await inPod(ofPod, 'at', 'wbe');
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^There is no Application wbe in namespace ${namespace}, nor a record of one; .*: web\\.`),
  );
});
