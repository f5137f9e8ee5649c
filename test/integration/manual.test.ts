import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, fastLease } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
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

/** What keeps Git from being looked at, and its end; the request that is there in between waits for it. */
const UNSEEN: {
  name: string;
  reason: string;
  begin(steps: Steps, application: string): Promise<unknown>;
  end(steps: Steps, application: string): Promise<unknown>;
}[] = [
  {
    name: 'a Secret without usable keys',
    reason: 'CredentialInvalid',
    begin: ({ stage }, name) =>
      stage.kubectl('patch', 'secret', name, '--type=merge', '-p', '{"data":{"password":null}}'),
    end: ({ stage }, name) => stage.apply(secret(name, CREDENTIAL)),
  },
  {
    name: 'a password that the server refuses',
    reason: 'AuthenticationFailed',
    begin: ({ stage }, name) => stage.apply(secret(name, { ...CREDENTIAL, password: 'another' })),
    end: ({ stage }, name) => stage.apply(secret(name, CREDENTIAL)),
  },
  {
    name: 'a Secret that is for other hosts',
    reason: 'HostNotListed',
    begin: ({ stage }, name) =>
      stage.kubectl('annotate', 'secret', name, 'towpath.dev/hosts=git.example.com'),
    end: ({ stage }, name) => stage.kubectl('annotate', 'secret', name, 'towpath.dev/hosts-'),
  },
  {
    name: 'a circle of dependsOn',
    reason: 'DependencyCycle',
    begin: async ({ stage }, name) => {
      await stage.application(`${name}-b`, { source: { path: name }, dependsOn: [{ name }] });
      await depend(stage, name, `${name}-b`);
    },
    end: ({ stage }, name) => depend(stage, name),
  },
];

const CREDENTIAL = { username: 'reader', password: randomBytes(12).toString('hex') };

function secret(name: string, stringData: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}

function depend(stage: Steps['stage'], name: string, ...on: string[]) {
  const spec = { dependsOn: on.map((other) => ({ name: other })) };
  return stage.kubectl('patch', 'application', name, '--type=merge', '-p', JSON.stringify({ spec }));
}

test('A4: a sync that was asked for while Git could not be looked at finds what it was asked for', async (t) => {
  const steps = await newSteps(t);
  const { stage, push, live } = steps;
  const git = await startGitHttp({ root: stage.repository.root, basic: CREDENTIAL });
  t.after(() => git.stop());

  for (const [index, { name, reason, begin, end }] of UNSEEN.entries()) {
    await t.test(name, async () => {
      const app = `unseen-${index}`;
      await stage.apply(secret(app, CREDENTIAL));
      const first = await push(app, [configMap(app, { key: 'one' })]);
      const source = {
        repoURL: git.url(stage.repository.name),
        interval: '1h',
        path: app,
        secretRef: { name: app },
      };
      await stage.application(app, { source });
      await stage.untilReadyAt(app, first);
      await stage.application(app, { source, sync: { mode: 'Manual' } });
      await begin(steps, app);
      await stage.until(app, (one) => messageOfAny(one).includes(reason), `${reason} before the request`);
      const second = await push(app, [configMap(app, { key: 'two' })]);
      const request = await stage.requestSync(app);
      const waiting = await stage.until(
        app,
        (one) => messageOfAny(one).includes(WAITS),
        'the wait to be told',
      );
      assert.notEqual(waiting.status?.handledSyncRequest, request, 'it is not handled yet');
      await end(steps, app);
      await stage.untilReadyAt(app, second);
      assert.equal((await live('configmap', app))?.data?.['key'], 'two');
      await stage.until(app, ({ status }) => status?.handledSyncRequest === request, 'the request');
    });
  }
});

/** Reasons and messages of all conditions. */
function messageOfAny({ status }: Application): string {
  return (status?.conditions ?? []).map(({ reason, message }) => `${reason} ${message}`).join('\n');
}

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
      assert.equal(environmentOf(done.status)?.history?.[0]?.trigger, 'Manual');
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
