import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, newStage } from '../harness/operator.ts';
import { configMap, isReady, messageOf } from './message.ts';

test('deletionPolicy Orphan leaves the objects, free for others to adopt', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.deployed('web', { deletionPolicy: 'Orphan' });
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=20s');
  assert.equal(await messageOf(stage, 'web'), 'one');
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.metadata.labels}'), '');
  await stage.application('other');
  const refused = await stage.until('other', ({ status }) => status?.sync === 'Blocked', 'the refusal');
  assert.match(
    conditionOf(refused, 'Ready')?.message ?? '',
    /ConfigMap .*web was applied by another Application, which may be gone\. Take it over with .*adopt/,
  );
  await stage.application('other', {}, { 'towpath.dev/adopt': 'true' });
  await stage.until('other', isReady, 'the other Application to adopt it');
});

test('D11: abandoned, an Application goes at once, and its objects are released', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.deployed('web');
  // Without its rights it cannot prune, and says so with the way out.
  await stage.kubectl('delete', 'rolebinding', 'towpath');
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  const stalled = await stage.until(
    'web',
    (application) => conditionOf(application, 'Stalled')?.reason === 'DeletionFailed',
    'the failed deletion to be told',
  );
  assert.match(conditionOf(stalled, 'Stalled')?.message ?? '', /forbidden.*towpath\.dev\/abandon=default/s);
  // What a release needs, and no deletion.
  await stage.kubectl('create', 'role', 'labels', '--verb=get,list,watch,patch', '--resource=configmaps');
  await stage.kubectl(
    ...['create', 'rolebinding', 'labels', '--role=labels'],
    `--serviceaccount=${stage.namespace}:towpath`,
  );
  await stage.kubectl('annotate', 'applications.towpath.dev', 'web', 'towpath.dev/abandon=default');
  await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/web', '--timeout=20s');
  assert.equal(await messageOf(stage, 'web'), 'one');
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.metadata.labels}'), '');
  assert.equal(await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'name'), '');
});
