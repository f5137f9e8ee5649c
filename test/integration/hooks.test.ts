import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { conditionOf, fastLease, newStage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';
import {
  chartOf,
  configMap,
  endPod,
  hookJob,
  messageOf,
  newSteps,
  podOf,
  reasonOf,
  toldOf,
} from './steps.ts';

test("Helm's hooks run as Helm runs them", async (t) => {
  const { stage, ready, live, admin } = await newSteps(t, { flags: fastLease });
  const names = async (kind: string, selector: string) =>
    (await stage.kubectl('get', kind, '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');

  await t.test('install hooks before and after the objects, upgrade hooks only at an upgrade', async () => {
    const objects = [
      configMap('life'),
      hookJob('life-late', 'pre-install', { 'helm.sh/hook-weight': '5' }),
      hookJob('life-early', 'pre-install', { 'helm.sh/hook-weight': '-5' }),
      hookJob('life-post', 'post-install'),
      hookJob('life-upgrade', 'pre-upgrade'),
      hookJob('life-gone', 'pre-install', { 'helm.sh/hook-delete-policy': 'hook-succeeded' }),
      hookJob('life-test', 'test'),
    ];
    const first = await stage.repository.commit(chartOf('life', objects));
    await stage.application('life', { source: { path: 'life' } });
    await ready('life', first);
    const times = await Promise.all(
      (['life-early', 'life-late', 'life-post'] as const).map(async (name) => live('job', name)),
    );
    const [early, late, post] = times.map((job) => String(job?.status?.['completionTime']));
    const started = times.map((job) => job?.metadata.creationTimestamp ?? '');
    assert.ok((early ?? '') <= (started[1] ?? ''), 'the next weight begins when the one before completed');
    const object = await live('configmap', 'life');
    assert.ok((late ?? '') <= (object?.metadata.creationTimestamp ?? ''));
    assert.ok((object?.metadata.creationTimestamp ?? '') <= (started[2] ?? ''));
    assert.match(post ?? '', /^20/);
    assert.equal(await live('job', 'life-upgrade'), undefined);
    assert.equal(await live('job', 'life-test'), undefined, 'test hooks never run');
    await eventually(async () => (await live('job', 'life-gone')) === undefined, {
      describe: 'the hook with hook-succeeded to go',
    });

    const second = await stage.repository.commit(
      chartOf('life', [...objects.slice(1), configMap('life', { key: 'changed' })]),
    );
    await ready('life', second);
    assert.ok(await live('job', 'life-upgrade'));
    assert.equal(
      (await live('job', 'life-early'))?.metadata.uid,
      times[0]?.metadata.uid,
      'no install hook again',
    );

    // Drift repair runs no hook.
    const upgrade = (await live('job', 'life-upgrade'))?.metadata.uid;
    await stage.kubectl('delete', 'configmap', 'life');
    await eventually(() => live('configmap', 'life'), { describe: 'the object to be back' });
    assert.equal((await live('job', 'life-upgrade'))?.metadata.uid, upgrade);
    assert.ok((await names('jobs', 'towpath.dev/target')).includes('life-post'), 'hooks are never pruned');
  });

  await t.test(
    'what left Git is pruned before the hooks that come after an upgrade, as Helm does it',
    async () => {
      // The hook goes on only when somebody lets its Pod end.
      const after = hookJob('order-after', 'post-upgrade', {}, 'runs');
      const first = await stage.repository.commit(
        chartOf('order', [configMap('order'), configMap('order-gone'), after]),
      );
      await stage.application('order', { source: { path: 'order' } });
      await ready('order', first);
      const second = await stage.repository.commit(
        chartOf('order', [configMap('order', { key: 'two' }), after]),
      );
      const pod = await eventually(
        () =>
          stage.kubectl(
            ...['get', 'pods', '-l', 'batch.kubernetes.io/job-name=order-after'],
            ...['-o', 'jsonpath={.items[0].metadata.name}'],
          ),
        { describe: 'the Pod of the hook' },
      );
      assert.equal(await live('configmap', 'order-gone'), undefined, 'pruned while the hook runs');
      const status = JSON.stringify({ status: { phase: 'Succeeded' } });
      await stage.kubectl('patch', 'pod', pod, '--subresource=status', '-p', status);
      await ready('order', second);
    },
  );

  await t.test('hooks of one kind and name in two namespaces both run', async (t) => {
    const serviceAccountName = await admin(t);
    const other = await namespaceFor(t, stage.cluster);
    const here = hookJob('pair', 'pre-install');
    const there = { ...here, metadata: { ...here.metadata, namespace: other } };
    const commit = await stage.repository.commit(chartOf('pair', [configMap('pair'), here, there]));
    await stage.application('pair', { source: { path: 'pair' }, serviceAccountName });
    await ready('pair', commit);
    assert.ok(await live('job', 'pair'));
    const found = await stage.cluster.kubectl(['-n', other, 'get', 'job', 'pair', '-o', 'name']);
    assert.equal(found.stdout.trim(), 'job.batch/pair');
  });

  await t.test('a hook for two events of one deployment runs at both', async () => {
    const both = hookJob('twice', 'pre-install,post-install');
    const commit = await stage.repository.commit(chartOf('twice', [configMap('twice'), both]));
    await stage.application('twice', { source: { path: 'twice' } });
    await ready('twice', commit);
    const job = await live('job', 'twice');
    assert.match(job?.metadata.managedFields?.map(({ manager }) => manager).join() ?? '', /post-install/);
  });

  await t.test(
    'a failing hook is tried again as often as spec.sync.retries says, then the deployment failed',
    async () => {
      const failing = hookJob('fails', 'pre-install', {}, 'fails');
      const before = hookJob('fails-before', 'pre-install', { 'helm.sh/hook-weight': '-1' });
      await stage.repository.commit(chartOf('fails', [configMap('fails'), failing, before]));
      const retries = { limit: 1, backoff: '1s', maxBackoff: '1s' };
      await stage.application('fails', { source: { path: 'fails' }, sync: { retries } });
      const uidOf = async (name: string) => (await live('job', name))?.metadata.uid;
      const uid = await eventually(() => uidOf('fails'), { describe: 'the Job' });
      const completed = await uidOf('fails-before');
      const trying = await stage.until(
        'fails',
        ({ status }) => status?.retry?.attempts === 1,
        'the first failure',
      );
      assert.match(messageOf(trying), /The hook Job .*fails failed/);
      const failed = await stage.until(
        'fails',
        ({ status }) => status?.sync === 'Failed',
        'the end of retries',
      );
      assert.equal(reasonOf(failed), 'HookFailed');
      assert.notEqual(await uidOf('fails'), uid, 'it ran again');
      assert.equal(await uidOf('fails-before'), completed, 'one that had completed did not');
      assert.equal(await live('configmap', 'fails'), undefined, 'nothing was applied');
      assert.equal(environmentOf(failed.status)?.history?.[0]?.outcome, 'Failed');
      const fixed = await stage.repository.commit(
        chartOf('fails', [configMap('fails'), hookJob('fails', 'pre-install,pre-upgrade')]),
      );
      await ready('fails', fixed);
    },
  );

  await t.test('a hook that was begun before a restart is waited for, not run again', async () => {
    const slow = hookJob('slow', 'pre-install', {}, 'runs');
    const commit = await stage.repository.commit(chartOf('slow', [configMap('slow'), slow]));
    await stage.application('slow', { source: { path: 'slow' } });
    const job = await eventually(() => live('job', 'slow'), { describe: 'the Job' });
    await stage.restart('SIGKILL');
    const selector = ['-l', 'batch.kubernetes.io/job-name=slow'];
    const pod = await eventually(
      () => stage.kubectl('get', 'pods', ...selector, '-o', 'jsonpath={.items[0].metadata.name}'),
      { describe: 'the Pod' },
    );
    assert.equal(await live('configmap', 'slow'), undefined, 'the hook still runs');
    const status = JSON.stringify({ status: { phase: 'Succeeded' } });
    await stage.kubectl('patch', 'pod', pod, '--subresource=status', '-p', status);
    await ready('slow', commit);
    assert.equal((await live('job', 'slow'))?.metadata.uid, job.metadata.uid);
  });

  await t.test('a hook that takes its time is told at once, also after a suspension', async () => {
    await stage.repository.commit(chartOf('slow', [configMap('slow')]));
    await stage.application('slow', { source: { path: 'slow' } });
    await ready('slow', await stage.repository.revParse('HEAD'));
    await stage.repository.commit(
      chartOf('slow', [configMap('slow', { key: 'two' }), hookJob('slow', 'pre-upgrade', {}, 'runs')]),
    );
    await stage.requestSync('slow');
    // Well before the next time at which any sync that takes long says how far it is.
    const soon = 4_000;
    const waits = (one: Application) =>
      one.status?.sync === 'Syncing' && /Waiting for the hook Job/.test(messageOf(one));
    const told = await stage.until('slow', waits, 'the hook to be told', soon);
    assert.equal(conditionOf(told, 'Reconciling')?.status, 'True');
    await stage.application('slow', { source: { path: 'slow' }, suspend: true });
    await stage.until('slow', ({ status }) => status?.sync === 'Suspended', 'the suspension');
    await stage.application('slow', { source: { path: 'slow' } });
    await stage.until('slow', waits, 'the end of the suspension to be told', soon);
    await endPod(stage, await podOf(stage, 'slow'));
    await ready('slow', await stage.repository.revParse('HEAD'));
  });

  await t.test('D1: a hook never replaces an object that is no hook', async () => {
    await stage.apply({ ...hookJob('dear', 'none'), metadata: { name: 'dear' } });
    const dear = await live('job', 'dear');
    await stage.repository.commit(chartOf('dear', [configMap('dear'), hookJob('dear', 'pre-install')]));
    await stage.application('dear', { source: { path: 'dear' } });
    const refused = await stage.until('dear', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
    assert.match(messageOf(refused), /would replace an object that is not its own/);
    assert.equal((await live('job', 'dear'))?.metadata.uid, dear?.metadata.uid);
  });

  await t.test('a hook that never ends fails at spec.sync.timeout', async () => {
    const endless = hookJob('endless', 'pre-install', {}, 'runs');
    await stage.repository.commit(chartOf('endless', [configMap('endless'), endless]));
    await stage.application('endless', {
      source: { path: 'endless' },
      sync: { timeout: '5s', retries: { limit: 0 } },
    });
    const failed = await stage.until('endless', ({ status }) => status?.sync === 'Failed', 'the timeout');
    assert.match(messageOf(failed), /did not end within spec\.sync\.timeout/);
  });

  await t.test('delete hooks run before and after the objects go', async () => {
    const objects = [
      configMap('bye'),
      hookJob('bye-before', 'pre-delete'),
      hookJob('bye-after', 'post-install,post-delete'),
    ];
    const commit = await stage.repository.commit(chartOf('bye', objects));
    await stage.application('bye', { source: { path: 'bye' } });
    await ready('bye', commit);
    assert.equal(await live('job', 'bye-before'), undefined);
    const installed = (await live('job', 'bye-after'))?.metadata.uid;
    await stage.kubectl('delete', 'applications.towpath.dev', 'bye', '--timeout=30s');
    assert.ok(await live('job', 'bye-before'));
    assert.notEqual((await live('job', 'bye-after'))?.metadata.uid, installed, 'it ran again');
    assert.equal(await live('configmap', 'bye'), undefined);
  });

  await t.test(
    'a hook that the API server refuses quarantines the candidate before the first write',
    async () => {
      const wrong = { ...hookJob('wrong', 'pre-install'), spec: { template: { spec: { nonsense: 1 } } } };
      await stage.repository.commit(chartOf('wrong', [configMap('wrong'), wrong]));
      await stage.application('wrong', { source: { path: 'wrong' } });
      const held = await stage.until(
        'wrong',
        ({ status }) => status?.sync === 'Quarantined',
        'the quarantine',
      );
      assert.match(held.status?.quarantine?.errors?.[0]?.message ?? '', /nonsense/);
      assert.equal(await live('configmap', 'wrong'), undefined);
    },
  );
});

test('what a chart has in a wrong place is told by an event, and the rest is deployed', async (t) => {
  const stage = await newStage(t, {
    files: chartOf('web', [configMap('web'), hookJob('odd', 'pre-instal')]),
  });
  await stage.deployed('web', { source: { path: 'web' } });
  const [told] = await toldOf(stage, 'web', 'RenderWarning');
  assert.match(told ?? '', /Job odd has the unknown hook "pre-instal"/);
});
