import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, fastLease } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, messageOf, newSteps, reasonOf, type Steps, type TestObject } from './steps.ts';

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

const WAITS = 'The sync that was asked for waits';

/** What comes between the question to the Git server and its answer. */
const BETWEEN: { name: string; interrupt(steps: Steps, application: string): Promise<unknown> }[] = [
  { name: 'nothing', interrupt: async () => undefined },
  {
    name: 'a change of the spec, which breaks the look off',
    interrupt: ({ stage }, name) =>
      stage.application(name, { source: { path: name }, sync: { mode: 'Manual', timeout: '4m' } }),
  },
  { name: 'a kill of the operator', interrupt: ({ stage }) => stage.restart('SIGKILL') },
  { name: 'an orderly restart', interrupt: ({ stage }) => stage.restart('SIGTERM') },
];

test('A4, D7: a sync that was asked for while the Git server is slow or down finds what it was asked for', async (t) => {
  const steps = await newSteps(t, { flags: fastLease });
  const { stage, push, deploy, live } = steps;
  let git = stage.git;
  t.after(() => git.stop());

  for (const [index, { name, interrupt }] of BETWEEN.entries()) {
    await t.test(`in mode Manual, with ${name} in between`, async (t) => {
      const app = `slow-${index}`;
      // With an interval this long nothing but the request asks.
      const source = { path: app, interval: '1h' };
      await deploy(app, [configMap(app, { key: 'one' })], { source });
      await stage.application(app, { source, sync: { mode: 'Manual' } });
      git.hang = true;
      t.after(() => {
        git.hang = false;
      });
      const asked = git.requests.length;
      const commit = await push(app, [configMap(app, { key: 'two' })]);
      const request = await stage.requestSync(app);
      await eventually(() => git.requests.length > asked, { describe: 'the question to the Git server' });
      await interrupt(steps, app);
      const waiting = await stage.until(
        app,
        (one) => conditionOf(one, 'Reconciling')?.message.includes(WAITS),
        'the wait to be told',
      );
      assert.notEqual(waiting.status?.handledSyncRequest, request, 'it is not handled yet');
      assert.equal(conditionOf(waiting, 'Reconciling')?.reason, 'Timeout');
      git.hang = false;
      const done = await stage.untilReadyAt(app, commit);
      assert.equal((await live('configmap', app))?.data?.['key'], 'two');
      const handled = await stage.until(
        app,
        ({ status }) => status?.handledSyncRequest === request,
        'the request to be handled',
      );
      assert.equal(conditionOf(handled, 'Reconciling'), undefined);
      assert.equal(done.status?.environments?.[0]?.history?.[0]?.trigger, 'Manual');
      // It is spent: what comes after it waits for a request of its own.
      await stage.application(app, { source: { path: app }, sync: { mode: 'Manual' } });
      await push(app, [configMap(app, { key: 'three' })]);
      await stage.until(app, (one) => reasonOf(one) === 'AwaitingSync', 'the next commit to wait');
      assert.equal((await live('configmap', app))?.data?.['key'], 'two');
    });
  }

  for (const mode of ['Manual', 'Automatic']) {
    await t.test(`in mode ${mode}, with the Git server down`, async () => {
      const app = `down-${mode.toLowerCase()}`;
      const source = { path: app, interval: '1h' };
      await deploy(app, [configMap(app, { key: 'one' })], { source, sync: { mode: 'Automatic' } });
      await stage.application(app, { source, sync: { mode } });
      const { port } = git;
      await git.stop();
      const commit = await push(app, [configMap(app, { key: 'two' })]);
      const request = await stage.requestSync(app);
      const waiting = await stage.until(
        app,
        (one) => conditionOf(one, 'Reconciling')?.message.includes(WAITS),
        'the wait to be told',
      );
      assert.notEqual(waiting.status?.handledSyncRequest, request, 'it is not handled yet');
      assert.equal(conditionOf(waiting, 'Ready')?.status, 'True', 'what was accepted runs');
      git = await startGitHttp({ root: stage.repository.root, port });
      await stage.untilReadyAt(app, commit);
      await stage.until(app, ({ status }) => status?.handledSyncRequest === request, 'the request');
    });
  }
});
