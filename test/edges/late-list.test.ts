import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { configMap, newProxiedSteps } from '../integration/steps.ts';

test('a list that is answered after the watch told of a deletion leaves no Application waiting for what is gone', async (t) => {
  const { stage, proxy, deploy, live } = await newProxiedSteps(t);
  await deploy('web', [configMap('web')]);
  await deploy('other', [configMap('other')]);
  const target = (await live('configmap', 'web'))?.metadata.labels?.['towpath.dev/target'] ?? '';
  const lists = {
    verb: 'list',
    path: new RegExp(`configmaps\\?.*towpath\\.dev%2Ftarget%3D${target}`),
  } as const;
  const asked = proxy.hold(lists);
  const answered = proxy.hold({ ...lists, at: 'response' });
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  await asked.seen;
  const late = configMap(
    'late',
    {},
    {
      'towpath.dev/owner': `${stage.namespace}/web/default /ConfigMap/${stage.namespace}/late`,
    },
  );
  late.metadata.namespace = stage.namespace;
  late.metadata.labels = { 'towpath.dev/target': target };
  const made = await stage.cluster.kubectl(
    ['apply', '--server-side', `--field-manager=towpath-${target}`, '-f', '-'],
    { input: JSON.stringify(late) },
  );
  assert.equal(made.code, 0, made.stderr);
  asked.release();
  await answered.seen;
  await stage.kubectl('delete', 'configmap', 'late');
  // One watch tells of all: when this is repaired, it told of that.
  await stage.kubectl('patch', 'configmap', 'other', '-p', '{"data":{"key":"mine"}}');
  await eventually(async () => (await live('configmap', 'other'))?.data?.['key'] === 'value', {
    describe: 'what came after it to be seen',
  });
  answered.release();
  await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/web', '--timeout=20s');
});
