import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import { conditionOf, fastLease, lookedAt, looks, newStage } from '../harness/operator.ts';
import { inWords, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { always, eventually } from '../harness/wait.ts';
import { configMap, isReady, messageOf } from './message.ts';
import { toldOf } from './steps.ts';

/** Needs a node: with a nodeSelector that none has, it never becomes ready. */
const deployment = (name: string, selector = '') =>
  `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      ${selector === '' ? '' : `nodeSelector: {where: ${selector}}`}
      containers: [{name: main, image: example.com/main:1}]
`;

test('suspend stops all writes; without it, what was pushed meanwhile is deployed', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', 'one') },
  });
  await stage.deployed('web');
  await stage.application('web', { suspend: true });
  const suspended = await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'Suspended');
  assert.equal(conditionOf(suspended, 'Ready')?.reason, 'Suspended');
  assert.equal(conditionOf(suspended, 'Stalled'), undefined);
  proxy.forget();
  const asked = stage.git.requests.length;
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  // Git was asked about the commit, and the Application looked at with the change and a request before it.
  await eventually(() => stage.git.requests.length >= asked + 2, { describe: 'two polls' });
  await lookedAt(stage, 'web');
  assert.equal(await messageOf(stage, 'web'), 'mine');
  const writes = writesOf(proxy).filter(({ path }) => !path.endsWith('/applications/web/status'));
  assert.deepEqual(inWords(writes), []);
  await stage.application('web', { suspend: false });
  await stage.untilReadyAt('web', second);
  assert.equal(await messageOf(stage, 'web'), 'two');
});

test('an Application is not judged by refs that are older than itself', async (t) => {
  const stage = await newStage(t, { files: { 'one/web.yaml': configMap('one', 'one') } });
  await stage.deployed('one', { source: { path: 'one', interval: '1h' } });
  await stage.repository.commit({ 'two/web.yaml': configMap('two', 'two') });
  await stage.deployed('two', { source: { path: 'two', interval: '1h' } });
});

test('in mode Manual differences are reported, and applied when a sync is asked for', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.application('web', { sync: { mode: 'Manual' } });
  const waiting = await stage.until('web', ({ status }) => status?.sync === 'OutOfSync', 'OutOfSync');
  assert.equal(conditionOf(waiting, 'Ready')?.reason, 'AwaitingSync');
  assert.equal(conditionOf(waiting, 'Stalled'), undefined);
  assert.equal((await stage.cluster.kubectl(['-n', stage.namespace, 'get', 'configmap', 'web'])).code, 1);
  const value = await stage.requestSync('web');
  const synced = await stage.until('web', isReady, 'the requested sync');
  assert.equal(synced.status?.handledSyncRequest, value);
  assert.equal(environmentOf(synced.status)?.history?.[0]?.trigger, 'Manual');
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.until(
    'web',
    ({ status }) => status?.sync === 'OutOfSync' && status.source?.revision === second,
    'the difference',
  );
  assert.equal(await messageOf(stage, 'web'), 'one');
  await stage.requestSync('web');
  await stage.untilReadyAt('web', second);
  assert.equal(await messageOf(stage, 'web'), 'two');
});

test('a sync request that is too long for the status is acted on once', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  await stage.application(
    'web',
    { sync: { mode: 'Manual' } },
    { [ANNOTATION_SYNC_REQUESTED]: 'x'.repeat(400) },
  );
  const synced = await stage.until('web', isReady, 'the requested sync');
  assert.match(synced.status?.handledSyncRequest ?? '', /^x+… [0-9a-f]{64}$/);
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.until(
    'web',
    ({ status }) => status?.sync === 'OutOfSync' && status.source?.revision === second,
    'the difference to wait',
  );
  assert.equal(await messageOf(stage, 'web'), 'one');
});

test('A4: a sync asked for with a value that was used before, and another one since, is acted on', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'one') } });
  const ask = async (value: string) => {
    await stage.requestSync('web', value);
    await stage.until('web', ({ status }) => status?.handledSyncRequest === value, `${value} to be handled`);
  };
  const manual = { sync: { mode: 'Manual' } };
  await stage.application('web', manual);
  await ask('again');
  await stage.until('web', isReady, 'the requested sync');
  await stage.application('web', { sync: { mode: 'Automatic' } });
  await stage.untilReadyAt('web', await stage.repository.commit({ 'web.yaml': configMap('web', 'two') }));
  await stage.application('web', manual);
  await ask('nothing-to-do');
  await stage.repository.commit({ 'web.yaml': configMap('web', 'three') });
  await stage.until('web', ({ status }) => status?.sync === 'OutOfSync', 'the difference to wait');
  await ask('again');
  await eventually(async () => (await messageOf(stage, 'web')) === 'three', { describe: 'the third commit' });
});

test('with drift: Report a change is told with object, field manager and time, and left alone until asked', async (t) => {
  const files = { 'web.yaml': configMap('web', 'one'), 'other.yaml': configMap('other', 'one') };
  const stage = await newStage(t, { files });
  await stage.deployed('web', { sync: { drift: 'Report' } });
  await stage.kubectl(
    'patch',
    'configmap',
    'web',
    '--field-manager=somebody',
    '-p',
    '{"data":{"message":"mine"}}',
  );
  const reported = await stage.until('web', ({ status }) => status?.sync === 'OutOfSync', 'OutOfSync');
  const { drift } = environmentOf(reported.status) ?? {};
  assert.equal(drift?.count, 1);
  assert.equal(drift?.lastBy, 'somebody');
  assert.equal(drift?.lastObject, `ConfigMap ${stage.namespace}/web`);
  assert.ok(Date.parse(drift?.lastAt ?? '') > 0);
  assert.equal(conditionOf(reported, 'Ready')?.reason, 'OutOfSync');
  assert.equal(await messageOf(stage, 'web'), 'mine');
  await stage.kubectl('delete', 'configmap', 'other');
  const both = await stage.until(
    'web',
    ({ status }) => environmentOf(status)?.drift?.count === 2,
    'the deletion to be told',
  );
  const { drift: latest } = environmentOf(both.status) ?? {};
  assert.equal(latest?.lastObject, `ConfigMap ${stage.namespace}/other`);
  assert.equal(latest?.lastBy, undefined);
  assert.match(
    conditionOf(both, 'Ready')?.message ?? '',
    /other was deleted, or lost its label towpath.dev\/target \(1 more object differs\)/,
  );
  await stage.requestSync('web');
  await stage.until('web', isReady, 'the repair');
  assert.equal(await messageOf(stage, 'web'), 'one');
  const reports = (await toldOf(stage, 'web', 'DriftReported', 2)).join('\n');
  assert.match(reports, /^ConfigMap .*web was changed by somebody and is left so/m);
  assert.match(reports, /^ConfigMap .*other was deleted/m);
  const repairs = (await toldOf(stage, 'web', 'DriftRepaired', 2)).join('\n');
  assert.match(repairs, /^ConfigMap .*web was put back to what Git says after a change by somebody\.$/m);
  assert.match(repairs, /^ConfigMap .*other was put back to what Git says\.$/m);
});

test('dependsOn waits for the other to be Ready, and names a cycle', async (t) => {
  const stage = await newStage(t, {
    files: { 'database/db.yaml': configMap('db', 'one'), 'web/web.yaml': configMap('web', 'one') },
  });
  await stage.application('web', { source: { path: 'web' }, dependsOn: [{ name: 'database' }] });
  const blocked = await stage.until('web', ({ status }) => status?.sync === 'Blocked', 'Blocked');
  const [wait] = environmentOf(blocked.status)?.blockedBy ?? [];
  assert.equal(wait?.reason, 'DependencyNotFound');
  assert.ok(wait.since !== undefined && blocked.metadata.creationTimestamp !== undefined);
  assert.ok(wait.since >= blocked.metadata.creationTimestamp, wait.since);
  assert.match(environmentOf(blocked.status)?.message ?? '', /database.*does not exist/);
  assert.equal(conditionOf(blocked, 'Stalled'), undefined);
  await stage.application('database', { source: { path: 'database' } });
  await stage.until('web', isReady, 'web to follow its database', 15_000);

  await stage.application('database', { source: { path: 'database' }, dependsOn: [{ name: 'web' }] });
  const cycle = await stage.until(
    'database',
    (application) => conditionOf(application, 'Stalled')?.status === 'True',
    'the cycle',
    15_000,
  );
  assert.equal(conditionOf(cycle, 'Stalled')?.reason, 'DependencyCycle');
  assert.match(conditionOf(cycle, 'Stalled')?.message ?? '', /database → web → database/);
});

test('history: A, B, A are three deployments; one that is overtaken is Superseded', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', 'A') } });
  const a = await stage.deployed('web');
  const b = await stage.repository.commit({ 'web.yaml': configMap('web', 'B') });
  await stage.untilReadyAt('web', b);
  const again = await stage.repository.commit({ 'web.yaml': configMap('web', 'A') });
  await stage.untilReadyAt('web', again);
  const stuck = await stage.repository.commit({ 'stuck.yaml': deployment('stuck', 'nowhere') });
  await stage.until(
    'web',
    ({ status }) => environmentOf(status)?.revision === stuck && status?.sync === 'Syncing',
    'the stuck deployment to run',
  );
  const fix = await stage.repository.commit({ 'stuck.yaml': null });
  const done = await stage.untilReadyAt('web', fix);
  assert.deepEqual(
    environmentOf(done.status)?.history?.map((entry) => [entry.id, entry.revision, entry.outcome]),
    [
      [5, fix, 'Succeeded'],
      [4, stuck, 'Superseded'],
      [3, again, 'Succeeded'],
      [2, b, 'Succeeded'],
      [1, a, 'Succeeded'],
    ],
  );
});

test('a deployment that is not healthy in time has Failed; a later recovery changes the health, not its outcome', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': deployment('web', 'nowhere') } });
  await stage.application('web', { sync: { timeout: '3s' } });
  const failed = await stage.until('web', ({ status }) => status?.sync === 'Failed', 'the time-out');
  assert.equal(conditionOf(failed, 'Stalled')?.reason, 'TimedOut');
  assert.match(conditionOf(failed, 'Stalled')?.message ?? '', /within 3s.*web/);
  assert.equal(environmentOf(failed.status)?.history?.[0]?.outcome, 'Failed');
  await stage.kubectl('scale', 'deployment', 'web', '--replicas=0');
  const recovered = await stage.until('web', isReady, 'the recovery');
  assert.equal(environmentOf(recovered.status)?.history?.[0]?.outcome, 'Failed');
});

test('while the Application is suspended, spec.sync.timeout stands still', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': deployment('web', 'nowhere') }, flags: fastLease });
  const sync = { timeout: '3s' };
  await stage.application('web', { sync });
  const stuck = await stage.until(
    'web',
    ({ status }) => status?.sync === 'Syncing' && (environmentOf(status)?.objects ?? 0) > 0,
    'the deployment to be under way',
  );
  await stage.application('web', { sync, suspend: true });
  await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'Suspended');
  await stage.restart();
  await eventually(async () => (await looks(stage)) > 0, {
    describe: 'the restarted operator to look at it',
  });
  // Longer than the time-out, by the clock of whoever waits for it.
  await always(
    () => stage.get('web'),
    ({ status }) => assert.equal(status?.sync, 'Suspended'),
    3_500,
    { every: 50 },
  );
  await stage.application('web', { sync, suspend: false });
  // It has time left: else it would be told to have failed before anything else.
  const again = await stage.until(
    'web',
    (one) => one.status?.sync === 'Syncing' && conditionOf(one, 'Ready')?.reason === 'Progressing',
    'it to go on waiting',
  );
  assert.deepEqual(environmentOf(again.status)?.history, environmentOf(stuck.status)?.history);
  const failed = await stage.until('web', ({ status }) => status?.sync === 'Failed', 'the time-out', 15_000);
  assert.equal(conditionOf(failed, 'Stalled')?.reason, 'TimedOut');
});
