import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, messageOf, newSteps, reasonOf, type TestObject } from './steps.ts';

const stuck: TestObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'stuck' },
  spec: {
    selector: { matchLabels: { app: 'stuck' } },
    template: {
      metadata: { labels: { app: 'stuck' } },
      spec: {
        nodeSelector: { where: 'nowhere' },
        containers: [{ name: 'main', image: 'example.com/main:1' }],
      },
    },
  },
};

test('mode Manual writes nothing that was not asked for', async (t) => {
  const { stage, push, live } = await newSteps(t);
  const sync = { mode: 'Manual' };
  const ask = async (name: string) => {
    const value = await stage.requestSync(name);
    return stage.until(
      name,
      ({ status }) => status?.handledSyncRequest === value,
      'the request to be handled',
    );
  };
  const begin = async (name: string, objects: readonly TestObject[], more: object = {}) => {
    const commit = await push(name, objects);
    await stage.application(name, { source: { path: name }, sync: { ...sync, ...more } });
    await stage.until(name, (one) => reasonOf(one) === 'AwaitingSync', 'the wait for a request');
    await ask(name);
    return stage.untilReadyAt(name, commit);
  };

  await t.test('a change of spec.sync deletes and sends nothing until it is asked for', async () => {
    await begin('settings', [configMap('settings-a'), configMap('settings-b')], { prune: false });
    const commit = await push('settings', [configMap('settings-a')]);
    await stage.until('settings', (one) => reasonOf(one) === 'AwaitingSync', 'the next commit');
    await ask('settings');
    await stage.untilReadyAt('settings', commit);
    await stage.application('settings', { source: { path: 'settings' }, sync: { ...sync, prune: true } });
    const waiting = await stage.until('settings', (one) => reasonOf(one) === 'AwaitingSync', 'the wait');
    assert.match(messageOf(waiting), /ConfigMap .*settings-b would change/);
    assert.ok(await live('configmap', 'settings-b'), 'it is still there');
    await ask('settings');
    await eventually(async () => (await live('configmap', 'settings-b')) === undefined, {
      describe: 'the requested pruning',
    });
  });

  await t.test('drift is told with what to do in this mode, and left', async () => {
    await begin('drift', [configMap('drift', { by: 'git' })]);
    await stage.kubectl(
      'patch',
      'configmap',
      'drift',
      '--field-manager=somebody',
      '-p',
      '{"data":{"by":"me"}}',
    );
    const waiting = await stage.until('drift', ({ status }) => status?.sync === 'OutOfSync', 'OutOfSync');
    assert.equal(reasonOf(waiting), 'AwaitingSync');
    assert.match(messageOf(waiting), /drift was changed by somebody.*sync-requested/);
    assert.equal((await live('configmap', 'drift'))?.data?.['by'], 'me');
    await ask('drift');
    await eventually(async () => (await live('configmap', 'drift'))?.data?.['by'] === 'git', {
      describe: 'the requested repair',
    });
  });

  await t.test('a deployment under way is told on when the next commit waits', async () => {
    await push('way', [configMap('way'), stuck]);
    await stage.application('way', { source: { path: 'way' }, sync: { ...sync, timeout: '8s' } });
    await stage.until('way', (one) => reasonOf(one) === 'AwaitingSync', 'the wait for a request');
    await stage.requestSync('way');
    await stage.until('way', (one) => reasonOf(one) === 'Progressing', 'the deployment under way');
    const next = await push('way', [configMap('way', { key: 'two' }), stuck]);
    const on = await stage.until('way', ({ status }) => status?.source?.revision === next, 'the next commit');
    assert.equal(on.status?.sync, 'Syncing');
    const failed = await stage.until(
      'way',
      ({ status }) => status?.sync === 'Failed',
      'the time-out',
      20_000,
    );
    assert.equal(conditionOf(failed, 'Stalled')?.reason, 'TimedOut');
    assert.equal((await live('configmap', 'way'))?.data?.['key'], 'value');
  });

  await t.test('a request that met a commit which cannot run is not left for the next one', async () => {
    await begin('spent', [configMap('spent', { key: 'one' })]);
    await stage.repository.commit({ 'spent/objects.yaml': '{ no: yaml' });
    await stage.until('spent', ({ status }) => status?.sync === 'Quarantined', 'the quarantine');
    await ask('spent');
    await push('spent', [configMap('spent', { key: 'two' })]);
    await stage.until(
      'spent',
      (one) => reasonOf(one) === 'AwaitingSync',
      'the wait for a request of its own',
    );
    assert.equal((await live('configmap', 'spent'))?.data?.['key'], 'one');
  });
});
