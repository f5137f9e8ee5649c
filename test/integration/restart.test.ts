import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastLease, looks, newStage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, messageOf } from './message.ts';

test('a restart neither fetches nor renders nor writes what is unchanged, also with random values', async (t) => {
  const stage = await newStage(t, {
    files: {
      'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'templates/config.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: {{ randAlphaNum 12 }} }\n',
    },
    flags: fastLease,
  });
  await stage.deployed('web');
  const live = async () => {
    const path = `/api/v1/namespaces/${stage.namespace}/configmaps/web`;
    const object: unknown = JSON.parse((await stage.cluster.request('GET', path)).body);
    return object;
  };
  const [before, message] = [await live(), await messageOf(stage, 'web')];
  const { status } = await stage.get('web');
  const asked = stage.git.requests.length;
  await stage.restart();
  await eventually(async () => (await looks(stage)) > 0, {
    describe: 'the restarted operator to look at it',
  });
  await untilPolled(stage, 2);
  assert.deepEqual(await live(), before, 'not even its resourceVersion is another');
  assert.deepEqual((await stage.get('web')).status, status);
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await stage.until(
    'web',
    async () => (await messageOf(stage, 'web')) === message,
    'drift to be repaired with the same random value',
  );
  assert.equal(stage.git.requests.slice(asked).filter((request) => request.method === 'POST').length, 0);
  assert.equal(
    environmentOf((await stage.get('web')).status)?.history?.length,
    environmentOf(status)?.history?.length,
  );
});

test('a commit that changes nothing is told with its own message, also after a restart', async (t) => {
  const stage = await newStage(t, { files: { 'web/web.yaml': configMap('web', 'one') }, flags: fastLease });
  await stage.deployed('web', { source: { path: 'web' } });
  const messages: string[] = [];
  const seen = async (revision: string) => {
    const { status } = await stage.until('web', (one) => one.status?.source?.revision === revision, revision);
    messages.push(status?.source?.message ?? '');
  };
  await seen(await stage.repository.commit({ 'docs/a.md': 'a' }, 'Only docs'));
  await stage.restart();
  await stage.requestSync('web');
  await stage.until('web', ({ status }) => status?.handledSyncRequest !== undefined, 'the request');
  messages.push((await stage.get('web')).status?.source?.message ?? '');
  await seen(await stage.repository.commit({ 'docs/a.md': 'b' }, 'More docs'));
  assert.deepEqual(messages, ['Only docs', 'Only docs', 'More docs']);
});
