import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, newStage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';

const chart = {
  'chart/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: "9"\n',
  'chart/values.yaml': 'message: hello\n',
  'chart/templates/config.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  message: {{ .Values.message | quote }}\n',
};

test('a chart goes from Git to the API server, a push changes it, and the status tells', async (t) => {
  const stage = await newStage(t, { files: chart });
  await stage.application('web', { source: { path: 'chart' } });
  const first = await stage.repository.revParse('main');
  const synced = await stage.untilReadyAt('web', first);
  assert.equal(synced.status?.sync, 'Synced');
  assert.equal(synced.status?.health, 'Healthy');
  assert.equal(synced.status?.summary?.revision, `main@${first.slice(0, 7)}`);
  assert.equal(environmentOf(synced.status)?.chart, 'web-1.2.3');
  assert.equal(environmentOf(synced.status)?.history?.length, 1);
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'hello');

  const second = await stage.repository.commit({ 'chart/values.yaml': 'message: changed\n' });
  const changed = await stage.untilReadyAt('web', second);
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'changed');
  assert.deepEqual(
    environmentOf(changed.status)?.history?.map(({ id, revision, outcome, trigger }) => ({
      id,
      revision,
      outcome,
      trigger,
    })),
    [
      { id: 2, revision: second, outcome: 'Succeeded', trigger: 'Commit' },
      { id: 1, revision: first, outcome: 'Succeeded', trigger: 'Commit' },
    ],
  );
  assert.equal(conditionOf(changed, 'Reconciling'), undefined);
});

test('drift is repaired, and the status says who did it', async (t) => {
  const stage = await newStage(t, { files: chart });
  await stage.deployed('web', { source: { path: 'chart' } });
  await stage.kubectl(
    'patch',
    'configmap',
    'web',
    '--field-manager=somebody',
    '-p',
    '{"data":{"message":"mine"}}',
  );
  const repaired = await stage.until(
    'web',
    (application) => environmentOf(application.status)?.drift?.lastBy,
    'drift in the status',
  );
  assert.equal(environmentOf(repaired.status)?.drift?.lastBy, 'somebody');
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'hello');
  await stage.kubectl('delete', 'configmap', 'web');
  await stage.until(
    'web',
    async () => (await stage.cluster.kubectl(['-n', stage.namespace, 'get', 'configmap', 'web'])).code === 0,
    'the deleted object to be back',
  );
});

test('a broken commit is quarantined with its errors while the last good one runs', async (t) => {
  const stage = await newStage(t, { files: chart });
  const first = await stage.deployed('web', { source: { path: 'chart' } });
  const broken = await stage.repository.commit({
    'chart/templates/config.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata: {{ .Values.nothing.there }}\n',
  });
  const held = await stage.until(
    'web',
    (application) => application.status?.sync === 'Quarantined',
    'the quarantine',
  );
  assert.equal(held.status?.quarantine?.revision, broken);
  assert.equal(conditionOf(held, 'Stalled')?.status, 'True');
  assert.equal(environmentOf(held.status)?.revision, first);
  assert.match(held.status?.quarantine?.errors?.[0]?.message ?? '', /nothing/);
});

test('deleting the Application deletes its objects', async (t) => {
  const stage = await newStage(t, { files: chart });
  await stage.deployed('web', { source: { path: 'chart' } });
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=20s');
  assert.notEqual((await stage.cluster.kubectl(['-n', stage.namespace, 'get', 'configmap', 'web'])).code, 0);
  assert.equal(await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'name'), '');
});
