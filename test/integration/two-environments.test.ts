import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf, newStage, type Stage } from '../harness/operator.ts';
import { polls } from '../harness/polls.ts';
import { ENVIRONMENTS, startWithTwoEnvironments } from '../harness/two-environments.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { always, eventually } from '../harness/wait.ts';
import { chartOf, configMap, endPod, hookJob, podOf } from './steps.ts';

/** A chart for each environment, with one ConfigMap of its name and what else is given for it. */
function charts(
  version: string,
  more: Partial<Record<'staging' | 'prod', readonly ReturnType<typeof configMap>[]>> = {},
) {
  const chart = (environment: 'staging' | 'prod') =>
    chartOf(environment, [configMap(environment, { version }), ...(more[environment] ?? [])]);
  return { ...chart('staging'), ...chart('prod') };
}

/** The Application `web`, Ready in both environments, and what a test needs to follow it. */
async function newWeb(t: TestContext, files = charts('1')) {
  const stage = await newStage(t, { startOperator: false, files });
  const proxy = await startFaultProxy(stage.cluster);
  t.after(() => proxy.stop());
  const { kubeconfigPath } = proxy;
  const start = () => startWithTwoEnvironments(t, { kubeconfigPath, namespace: stage.namespace });
  const operator = await start();
  await stage.deployed('web');
  return { stage, proxy, operator, start };
}

async function versionOf(stage: Stage, environment: string): Promise<string | undefined> {
  const { status, body } = await stage.cluster.request(
    'GET',
    `/api/v1/namespaces/${stage.namespace}/configmaps/${environment}`,
  );
  return status === 200 ? (JSON.parse(body) as { data: { version: string } }).data.version : undefined;
}

test('A3: a hook that hangs in one environment delays no other of its Application, and the status tells of both', async (t) => {
  const { stage } = await newWeb(t);
  const ready = await stage.get('web');
  assert.deepEqual(
    ready.status?.environments?.map(({ name, sync, health }) => [name, sync, health]),
    [
      ['staging', 'Synced', 'Healthy'],
      ['prod', 'Synced', 'Healthy'],
    ],
  );
  assert.equal(ready.status?.summary?.environments, '2/2');

  const hook = hookJob('migrate', 'pre-upgrade', {}, 'runs');
  const second = await stage.repository.commit(charts('2', { staging: [hook] }));
  const pod = await podOf(stage, 'migrate');
  const waiting = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, 'prod')?.sync === 'Synced' &&
      environmentOf(status, 'prod')?.revision === second &&
      environmentOf(status, 'staging')?.message?.includes('migrate'),
    'prod to be through, and staging to tell of its hook',
  );
  assert.equal(await versionOf(stage, 'prod'), '2');
  assert.equal(await versionOf(stage, 'staging'), '1');
  assert.equal(waiting.status?.sync, 'Syncing', 'the worst of the two');
  assert.equal(waiting.status?.summary?.environments, '1/2');
  assert.equal(conditionOf(waiting, 'Ready')?.status, 'False');
  assert.match(conditionOf(waiting, 'Reconciling')?.message ?? '', /migrate/);

  // What drifts in prod is put back while the hook of staging goes on.
  await stage.kubectl('patch', 'configmap', 'prod', '-p', '{"data":{"version":"mine"}}');
  await eventually(async () => (await versionOf(stage, 'prod')) === '2', { describe: 'the repair' });

  await endPod(stage, pod);
  const through = await stage.untilReadyAt('web', second);
  assert.equal(through.status?.summary?.environments, '2/2');
  for (const environment of ['staging', 'prod'])
    assert.deepEqual(
      environmentOf(through.status, environment)?.history?.map(({ id, outcome }) => [id, outcome]),
      [
        [2, 'Succeeded'],
        [1, 'Succeeded'],
      ],
      environment,
    );
});

test('D2: a prune that is held in one environment holds up no other, and stays told while the other goes on', async (t) => {
  const { stage } = await newWeb(t);
  const empty = { 'prod/templates/all.yaml': '# nothing left\n' };
  const second = await stage.repository.commit({ ...charts('2'), ...empty });
  const held = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, 'prod')?.pendingPrune && environmentOf(status, 'staging')?.revision === second,
    'the held prune of prod beside staging',
  );
  assert.equal(await versionOf(stage, 'staging'), '2');
  assert.equal(await versionOf(stage, 'prod'), '1');
  assert.equal(conditionOf(held, 'Stalled')?.reason, 'PruneHeld', 'what needs a person is told first');

  const third = await stage.repository.commit({ ...charts('3'), ...empty });
  const still = await stage.until(
    'web',
    ({ status }) => environmentOf(status, 'staging')?.revision === third,
    'staging to go on',
  );
  assert.equal(conditionOf(still, 'Stalled')?.reason, 'PruneHeld');
  const digest = environmentOf(still.status, 'prod')?.pendingPrune?.digest;
  assert.equal(digest, environmentOf(held.status, 'prod')?.pendingPrune?.digest);
});

test('A3, D9: an environment that hangs and has told nothing since a start keeps its entry, and delays no other', async (t) => {
  const { stage, proxy, operator, start } = await newWeb(t);
  const before = environmentOf((await stage.get('web')).status, 'staging');
  assert.equal(before?.sync, 'Synced');
  await operator.stop();
  const held = proxy.hold({ path: /\/configmaps\/staging/ });
  const second = await stage.repository.commit(charts('2'));
  await start();
  const other = await stage.until(
    'web',
    ({ status }) => environmentOf(status, 'prod')?.revision === second,
    'prod to be through',
  );
  await held.seen;
  assert.equal(await versionOf(stage, 'prod'), '2');
  // Where it hangs for long, what it wants by now is told of it.
  const entry = environmentOf(other.status, 'staging');
  assert.deepEqual({ ...entry, desiredRevision: before.desiredRevision }, before);
  held.release();
  await stage.untilReadyAt('web', second);
});

test('A14: a look at one environment that finds nothing new writes no status, whatever the other one told', async (t) => {
  const { stage, proxy } = await newWeb(t);
  const statuses = { verb: 'patch', path: /\/applications\/web\/status/ } as const;
  const ready = await stage.get('web');
  for (const environment of ['staging', 'prod'])
    await stage.kubectl('annotate', 'configmap', environment, `example.com/of=${environment}`);
  const before = proxy.find(statuses).length;
  await always(
    () => proxy.find(statuses).length,
    (count) => assert.equal(count, before, JSON.stringify(proxy.find(statuses).slice(before))),
    3_000,
  );
  assert.deepEqual(await stage.get('web'), ready);
});

test('D11: what hangs in one environment keeps no other from being deleted, and the Application goes with the last', async (t) => {
  const hook = hookJob('goodbye', 'pre-delete', {}, 'runs');
  const { stage } = await newWeb(t, charts('1', { staging: [hook] }));
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  const pod = await podOf(stage, 'goodbye');
  await eventually(async () => (await versionOf(stage, 'prod')) === undefined, {
    describe: 'prod to be gone',
  });
  assert.equal(await versionOf(stage, 'staging'), '1');
  await stage.until(
    'web',
    (application) => conditionOf(application, 'Ready')?.message.includes('goodbye'),
    'the status to tell of the hook',
  );
  await endPod(stage, pod);
  await eventually(
    async () =>
      (await stage.kubectl('get', 'applications.towpath.dev', '--ignore-not-found', '-o', 'name')) === '',
    { describe: 'the Application to be gone' },
  );
  assert.equal(await versionOf(stage, 'staging'), undefined);
});

test('one commit is the same candidate in each environment, whose manifests have a digest of their own', async (t) => {
  const chart = chartOf('app', [configMap('place', { namespace: '{{ .Release.Namespace }}' })]);
  const stage = await newStage(t, { startOperator: false, files: chart });
  const { namespace } = stage;
  const other = await namespaceFor(t, stage.cluster);
  const subject = `--serviceaccount=${namespace}:towpath`;
  await stage.kubectl('-n', other, 'create', 'rolebinding', 'towpath', '--clusterrole=admin', subject);
  const { kubeconfigPath } = stage.cluster;
  const places = { staging: { path: 'app' }, prod: { path: 'app', namespace: other } };
  await startWithTwoEnvironments(t, { kubeconfigPath, namespace, places });
  await stage.deployed('web', { source: { path: 'app' } });
  const { status } = await stage.get('web');
  const [staging, prod] = ENVIRONMENTS.map((name) => environmentOf(status, name)?.history?.[0]);
  assert.match(staging?.candidate ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.equal(prod?.candidate, staging?.candidate);
  assert.equal(status?.source?.candidate, staging?.candidate);
  assert.notEqual(prod?.digest, staging?.digest);
  const placed = await stage.kubectl(
    '-n',
    other,
    'get',
    'configmap',
    'place',
    '-o',
    'jsonpath={.data.namespace}',
  );
  assert.equal(placed, other);
});

test('where an environment is to have another folder, it gets that at the same commit', async (t) => {
  const folder = chartOf('other', [configMap('from-other', { version: '1' })]);
  const stage = await newStage(t, { startOperator: false, files: { ...charts('1'), ...folder } });
  const { kubeconfigPath } = stage.cluster;
  const { namespace } = stage;
  const first = await startWithTwoEnvironments(t, { kubeconfigPath, namespace });
  await stage.deployed('web');
  await first.stop();
  await startWithTwoEnvironments(t, { kubeconfigPath, namespace, places: { staging: { path: 'other' } } });
  await eventually(async () => (await versionOf(stage, 'from-other')) === '1', {
    describe: 'the other folder',
  });
  await eventually(async () => (await versionOf(stage, 'staging')) === undefined, {
    describe: 'what the former one had to be pruned',
  });
});

test('what fails of an Application as a whole is told of each of its environments, and over with that', async (t) => {
  const stage = await newStage(t, { startOperator: false, files: charts('1') });
  const proxy = await startFaultProxy(stage.cluster);
  t.after(() => proxy.stop());
  // Nothing is deployed before it has its finalizer.
  const fault = proxy.fail({ method: 'PATCH', path: /\/applications\/web(\?|$)/, fault: { status: 500 } });
  const { kubeconfigPath } = proxy;
  await startWithTwoEnvironments(t, { kubeconfigPath, namespace: stage.namespace });
  await stage.application('web', {});
  const failing = await stage.until('web', ({ status }) => status?.sync === 'Blocked', 'the failure');
  for (const name of ENVIRONMENTS) {
    const entry = environmentOf(failing.status, name);
    assert.equal(entry?.sync, 'Blocked', name);
    assert.equal(entry.blockedBy?.[0]?.reason, conditionOf(failing, 'Ready')?.reason, name);
  }
  fault.remove();
  await stage.untilReadyAt('web', await stage.repository.revParse('main'));
});

test('what a ref names, and what its commit holds, is asked of the Git server once for all environments', async (t) => {
  const stage = await newStage(t, { startOperator: false, files: charts('1') });
  const { kubeconfigPath } = stage.cluster;
  await startWithTwoEnvironments(t, { kubeconfigPath, namespace: stage.namespace });
  await stage.deployed('web', { source: { interval: '1h' } });
  const packs = () =>
    stage.git.requests.filter(({ method, url }) => method === 'POST' && url.includes('git-upload-pack'))
      .length;
  const asked = () => ({ refs: polls(stage), packs: packs() });
  const first = asked();
  assert.equal(first.packs, 1, 'what nothing was known of');
  const second = await stage.repository.commit(charts('2'));
  await stage.requestSync('web');
  await stage.untilReadyAt('web', second);
  assert.deepEqual(asked(), { refs: first.refs + 1, packs: 2 }, 'where a sync was asked for');
});

test('A4: a sync asked for one environment is done once, and not again when it is asked for another, too', async (t) => {
  const { stage } = await newWeb(t);
  await stage.application('web', { sync: { mode: 'Manual' } });
  const handled = (value: string) =>
    stage.until('web', ({ status }) => status?.handledSyncRequest === value, `${value} to be handled`);
  await stage.repository.commit(charts('2'));
  await stage.requestSync('web', 'staging=1');
  await handled('staging=1');
  assert.deepEqual(
    [await versionOf(stage, 'staging'), await versionOf(stage, 'prod')],
    ['2', '1'],
    'asked of staging only',
  );
  await stage.repository.commit(charts('3'));
  await stage.requestSync('web', 'staging=1,prod=1');
  const both = await handled('staging=1,prod=1');
  assert.deepEqual(
    [await versionOf(stage, 'staging'), await versionOf(stage, 'prod')],
    ['2', '3'],
    'nothing new was asked of staging',
  );
  assert.equal(environmentOf(both.status, 'staging')?.sync, 'OutOfSync');
});

test('A4, D7: what one environment did for a sync request it does not do again after a change of leader, while another is not through', async (t) => {
  const { stage, proxy, operator, start } = await newWeb(t);
  await stage.application('web', { sync: { mode: 'Manual' } });
  const fault = proxy.fail({ method: 'PATCH', path: /\/configmaps\/prod/, fault: { status: 503 } });
  // Nothing of staging changes: no deployment of its is begun for the request.
  const chart = charts('2');
  delete chart['staging/templates/all.yaml'];
  const second = await stage.repository.commit(chart);
  const many = Array.from({ length: 12 }, (_, index) => `cluster-${index}=2026-11-29T10:00:00Z`).join(',');
  const value = `${many},staging=one,prod=one`;
  const records = { method: 'PATCH', path: /\/secrets\/towpath-application-/ } as const;
  const before = proxy.find(records).length;
  await stage.requestSync('web', value);
  await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, 'staging')?.desiredRevision === second &&
      environmentOf(status, 'staging')?.sync === 'Synced' &&
      environmentOf(status, 'prod')?.sync === 'Blocked',
    'staging to be through, and prod not',
  );
  await eventually(() => proxy.find(records).length > before, { describe: 'that to be written down' });
  assert.equal((await stage.get('web')).status?.handledSyncRequest, undefined);
  await operator.stop();
  const third = await stage.repository.commit(charts('3'));
  await start();
  await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, 'staging')?.desiredRevision === third &&
      environmentOf(status, 'staging')?.sync === 'OutOfSync',
    'staging to see the third revision, and to wait: it was asked for the second one',
  );
  fault.remove();
  await eventually(async () => (await versionOf(stage, 'prod')) === '3', { describe: 'prod to be through' });
  assert.equal(await versionOf(stage, 'staging'), '1');
  const done = await stage.until(
    'web',
    ({ status }) => status?.handledSyncRequest,
    'the request to be handled',
  );
  assert.equal(environmentOf(done.status, 'staging')?.sync, 'OutOfSync');
  // More of the annotation, however long it is, asks nothing new of staging.
  await stage.requestSync('web', value.replace('prod=one', 'prod=two'));
  const { status } = await stage.until(
    'web',
    (application) => application.status?.handledSyncRequest !== done.status?.handledSyncRequest,
    'the second request to be handled',
  );
  assert.equal(environmentOf(status, 'staging')?.sync, 'OutOfSync');
  assert.equal(await versionOf(stage, 'staging'), '1');
});
