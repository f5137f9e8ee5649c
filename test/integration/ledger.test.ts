import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LedgerRecord } from '../../operator/api/v1alpha1/ledger.ts';
import { CHART } from '../harness/chart.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { helm } from '../harness/helm.ts';
import { archived, archiveOf, promotionsOf } from '../harness/ledger.ts';
import { fastLease, newStage, type Stage, timesLogged } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { isOfLedger, newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

/** As which an operator of the tests works. */
const OPERATOR = 'towpath-operator';
const FLAGS = [...fastLease, '--archive-interval=300ms', '--promotion-history=2'];

const configMap = (version: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {version: "${version}"}\n`,
});

const idsOf = (records: readonly LedgerRecord[]) => records.map(({ deployment }) => deployment);

/** Approvals of what is no more that were used one after the other, and one that was not. */
async function useApprovals({ cluster, namespace }: Stage, count: number): Promise<void> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/approvals`;
  const digest = `sha256:${'0'.repeat(64)}`;
  const spec = { application: 'web', environment: 'prod', digest, decision: 'Approve', by: 'anna' };
  for (let index = 0; index <= count; index += 1) {
    const metadata = { name: `approval-${count - index}` };
    const body = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Approval', metadata, spec };
    assert.equal((await cluster.request('POST', path, { body })).status, 201);
    if (index === count) return;
    const status = { enteredAt: `2026-11-29T12:00:0${index}Z` };
    const contentType = 'application/merge-patch+json';
    await cluster.request('PATCH', `${path}/${metadata.name}/status`, { body: { status }, contentType });
  }
}

/** Pushes a version and waits until it runs. */
async function deploy(stage: Stage, version: string): Promise<string> {
  const revision = await stage.repository.commit(configMap(version));
  await stage.untilReadyAt('web', revision);
  return revision;
}

test('each deployment is a Promotion, the last ones stay, and all are in the archive once, whatever restarts', async (t) => {
  const stage = await newStage(t, { files: configMap('1'), flags: [...FLAGS, '--gone-promotions=2'] });
  const revision = await stage.deployed('web');
  await archived(stage, 1);
  const [first] = await promotionsOf(stage);
  assert.equal(first?.metadata.name, 'web-default-1');
  const { spec, status = {} } = first;
  assert.equal(spec.requestedBy, 'towpath:Commit');
  assert.equal(spec.deployment?.id, 1);
  assert.equal(status.phase, 'Succeeded');
  assert.equal(status.revision, revision);
  assert.match(status.digest ?? '', /^sha256:/);
  assert.equal(status.summary?.revision, `main@${revision.slice(0, 7)}`);
  const times = [status.requestedAt, status.startedAt, status.deployedAt, status.finishedAt];
  assert.deepEqual(times, [...times].sort(), 'requested, started, deployed, finished');

  await t.test('kubectl shows it', async () => {
    const { stdout } = await stage.cluster.kubectl(['get', 'promotions', '-n', stage.namespace]);
    assert.match(stdout, /^NAME +APPLICATION +ENVIRONMENT +REVISION +PHASE +BY +STARTED +FINISHED\n/);
    assert.match(stdout, /web-default-1 +web +default +main@\w{7} +Succeeded +towpath:Commit +\d\w+ +\d\w+/);
  });

  await useApprovals(stage, 4);
  await t.test('D7, D8: killed while one is under way, it is recorded once and to its end', async () => {
    await stage.operator.stop('SIGKILL');
    const pushed = await stage.repository.commit(configMap('2'));
    await stage.restart();
    await stage.untilReadyAt('web', pushed);
    await stage.operator.stop('SIGKILL');
    await stage.restart();
    const records = await archived(stage, 2);
    assert.deepEqual(idsOf(records), [1, 2]);
    assert.equal(records[1]?.previous?.revision, revision);
  });

  await t.test('A23: of used Approvals the last ones stay, and all that were not used', async () => {
    const left = async () =>
      (await stage.kubectl('get', 'approvals', '-o', 'name')).trim().split('\n').sort().join(' ');
    const kept = [0, 1, 2].map((index) => `approval.towpath.dev/approval-${index}`).join(' ');
    await eventually(async () => (await left()) === kept, { describe: 'the older Approvals to go' });
  });

  await t.test('A23: of each target the last ones stay, and what went is in the archive', async () => {
    for (const version of ['3', '4', '5']) await deploy(stage, version);
    const records = await archived(stage, 5);
    assert.deepEqual(idsOf(records), [1, 2, 3, 4, 5]);
    const left = await eventually(
      async () => {
        const promotions = await promotionsOf(stage);
        return promotions.length === 2 ? promotions : undefined;
      },
      { describe: 'the older Promotions to go' },
    );
    assert.deepEqual(
      left.map(({ status }) => status?.deployment),
      [4, 5],
    );
    assert.equal(new Set(records.map(({ uid }) => uid)).size, 5);
  });

  await t.test(
    'history counts, and at lists each change, from Promotions and archive together',
    async (t) => {
      const { towpath } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
      const from = `--operator-namespace=${stage.namespace}`;
      const rates = await towpath('history', 'web', '--rates', from, '-o', 'json');
      assert.deepEqual(JSON.parse(rates.stdout), [
        { environment: 'default', deployments: 5, failed: 0, failureRate: 0, complete: true },
      ]);
      const changes = await towpath('at', 'web', '--time=1h..', from);
      assert.equal(changes.code, 0, changes.stderr);
      const rows = changes.stdout.trimEnd().split('\n').slice(1);
      assert.match(rows[0] ?? '', /nothing yet/);
      assert.equal(rows.filter((row) => row.includes('Succeeded')).length, 5);
      assert.equal((await towpath('at', 'web', '--time=yesterday', from)).code, 2);
    },
  );
});

/** The chart's policy that keeps Promotions, for the namespace of a stage alone; gone at the test's end. */
async function keepPromotions(t: TestContext, { cluster, namespace }: Stage, own: string): Promise<void> {
  const values = [`watchNamespace=${namespace}`, `serviceAccount.name=${OPERATOR}`];
  const { code, stdout, stderr } = await helm(
    'template',
    'ledger',
    CHART,
    `--namespace=${own}`,
    '--show-only=templates/promotions-deletion.yaml',
    ...values.map((value) => `--set=${value}`),
  );
  assert.equal(code, 0, stderr);
  const applied = await cluster.kubectl(['apply', '-n', own, '-f', '-'], { input: stdout });
  assert.equal(applied.code, 0, applied.stderr);
  t.after(() => cluster.kubectl(['delete', '-n', own, '--wait=false', '-f', '-'], { input: stdout }));
}

test('A1: nobody takes a Promotion out of the ledger; a namespace goes with fifty, and at answers for it', async (t) => {
  const own = await namespaceFor(t);
  const flags = [...FLAGS, `--namespace=${own}`, '--promotion-history=99'];
  const stage = await newStage(t, { files: configMap('1'), flags });
  const { cluster, namespace } = stage;
  const revision = await stage.deployed('web');
  await archived(stage, 1, own);
  await stage.operator.stop();
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/promotions`;
  const begin = Date.now() - 2 * 60 * 60_000;
  const at = (second: number) => new Date(begin + second * 1_000).toISOString();
  await Promise.all(
    Array.from({ length: 49 }, async (_, index) => {
      const name = `other-prod-${index + 1}`;
      const deployment = { applicationUID: 'other', id: index + 1, startedAt: at(index * 60) };
      const spec = {
        type: 'Promote',
        application: 'other',
        environment: 'prod',
        candidate: `sha256:${'0'.repeat(64)}`,
        requestedBy: 'towpath:Commit',
        deployment,
      };
      const body = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Promotion', metadata: { name }, spec };
      assert.equal((await cluster.request('POST', path, { body })).status, 201);
      const status = { phase: 'Succeeded', finishedAt: at(index * 60 + 30), revision: `${index + 1}` };
      const contentType = 'application/merge-patch+json';
      const written = await cluster.request('PATCH', `${path}/${name}/status`, {
        body: { status },
        contentType,
      });
      assert.equal(written.status, 200, written.body);
    }),
  );
  await keepPromotions(t, stage, own);
  await eventually(
    async () => {
      const { status, body } = await cluster.request('DELETE', `${path}/other-prod-1?dryRun=All`);
      return status === 422 && /A Promotion is the record of a deployment/.test(body);
    },
    { describe: 'the deletion to be refused' },
  );
  const feigned = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: { name: 'feigned' },
    spec: { type: 'Promote', application: 'web', environment: 'prod', historyID: 1, requestedBy: 'anna' },
  };
  const operator = { user: `system:serviceaccount:${own}:${OPERATOR}`, groups: ['system:masters'] };
  const asOperator = await cluster.request('POST', `${path}?dryRun=All`, { body: feigned, as: operator });
  assert.equal(asOperator.status, 422, asOperator.body);
  assert.match(asOperator.body, /in the name of a person/);
  await stage.restart();
  await archived(stage, 50, own);
  // The operator's rights here go with the namespace, and could not take a finalizer away.
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=30s');
  await archived(stage, 51, own);
  const { code, stderr } = await cluster.kubectl(['delete', 'namespace', namespace, '--timeout=60s']);
  assert.equal(code, 0, stderr);
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const ask = (...args: string[]) => towpath('at', `--operator-namespace=${own}`, ...args);
  const [record] = (await archiveOf(stage, own)).filter(({ application }) => application === 'web');
  const ran = await ask('web', `--time=${record?.finishedAt}`);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(
    ran.stdout,
    new RegExp(`web +default +main@${revision.slice(0, 7)} .*Succeeded +towpath:Commit`),
  );
  assert.match((await ask('web')).stdout, /web +default +removed/);
  const then = await ask('other', 'prod', `--time=${at(3 * 60 + 10)}`, '-o', 'json');
  assert.equal(then.code, 0, then.stderr);
  const [answer] = JSON.parse(then.stdout) as [{ phase: string; record: LedgerRecord }];
  assert.equal(answer.record.revision, '4');
  assert.equal(answer.phase, 'Deploying');
  const before = await ask('other', 'prod', `--time=${at(-60)}`);
  assert.match(before.stdout, /nothing yet/);
});

/** As who may write the status of an Application does: one more between those that ran, and one after them. */
async function feign({ cluster, namespace, get }: Stage): Promise<void> {
  const { status } = await get('web');
  const entry = environmentOf(status);
  const [newest, ...before] = entry?.history ?? [];
  assert.ok(entry !== undefined && newest !== undefined && before.length > 0);
  const feigned = { ...newest, revision: 'f'.repeat(40), id: 99 };
  const others = before.filter(({ id }) => id !== 2);
  const history = [feigned, newest, ...others, { ...feigned, id: 2, startedAt: before.at(-1)?.startedAt }];
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/applications/web/status`;
  const body = { status: { environments: [{ ...entry, history }] } };
  const contentType = 'application/merge-patch+json';
  assert.equal((await cluster.request('PATCH', path, { body, contentType })).status, 200);
}

test('D8, S14: no deployment waits for its record: what cannot be written is told, and written when it can be, by what the operator knows', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: configMap('1'), flags: FLAGS });
  await stage.deployed('web');
  await archived(stage, 1);
  const refused = proxy.fail({ method: 'POST', path: /\/promotions$/, fault: { status: 503 } });
  const revisions: string[] = [];
  for (const version of ['2', '3', '4']) revisions.push(await deploy(stage, version));
  assert.equal((await promotionsOf(stage)).length, 1);
  const told = /A deployment cannot be written down as a Promotion; it goes on all the same/;
  await eventually(() => timesLogged(stage.operator, told) > 0, { describe: 'the fault to be told' });
  await stage.operator.stop('SIGKILL');
  await feign(stage);
  refused.remove();
  proxy.forget();
  await stage.restart();
  await archived(stage, 4);
  const fifth = await deploy(stage, '5');
  const records = await archived(stage, 5);
  const known = records.map(({ deployment, revision }) => [deployment, revision]).sort();
  assert.deepEqual(
    known.slice(1),
    [...revisions, fifth].map((revision, index) => [index + 2, revision]),
  );
  const made = proxy.find({ method: 'POST', path: /\/promotions$/ }).filter(({ status }) => status === 201);
  assert.equal(made.length, 4, 'each once');
  const history = environmentOf((await stage.get('web')).status)?.history ?? [];
  assert.deepEqual(
    history.map(({ id }) => id),
    [5, 4, 3, 2, 1],
  );
});

const isMade = { method: 'POST', path: /\/promotions$/ };

test('D8: none is lost that a quota refused from the first one on, of more than wait in memory, and none is written twice', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: configMap('1'), flags: FLAGS });
  const { cluster, namespace } = stage;
  const spec = { hard: { 'count/promotions.towpath.dev': '0' } };
  await stage.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec });
  await stage.deployed('web');
  for (let version = 2; version <= 12; version += 1) await deploy(stage, `${version}`);
  assert.deepEqual(await promotionsOf(stage), []);
  assert.match(await stage.operator.metrics(), /^towpath_unrecorded_deployments 10$/m);
  await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/resourcequotas/none`);
  const idsThere = async (count: number) =>
    idsOf(await archived(stage, count)).sort((one = 0, other = 0) => one - other);
  assert.deepEqual(await idsThere(10), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  await stage.restart();
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  assert.deepEqual(await idsThere(12), all);
  // What the record has still the archive has by now, and none of it is among the last ones.
  await stage.operator.stop();
  proxy.forget();
  await stage.restart();
  await eventually(() => proxy.find({ verb: 'get', path: /\/configmaps\/towpath-ledger\./ }).length > 0, {
    describe: 'the archive to be asked',
  });
  await deploy(stage, '13');
  assert.deepEqual(await idsThere(13), [...all, 13]);
  assert.equal(proxy.find(isMade).length, 1, 'of those before none is made again');
});

test('D8: what is deployed while the definition of Promotions is missing is counted for as long, and recorded when that is back', async (t) => {
  // One of its own: the definition goes for everybody.
  const cluster = await startControlPlane();
  const { stage, proxy } = await newProxiedStage(t, { cluster, files: configMap('1'), flags: FLAGS });
  t.after(() => cluster.stop());
  await stage.deployed('web');
  await archived(stage, 1);
  await stage.kubectl('delete', 'crd', 'promotions.towpath.dev', '--timeout=40s');
  proxy.forget();
  await deploy(stage, '2');
  // In a namespace that is missing it is given up by then.
  await eventually(() => proxy.find(isMade).filter(({ status }) => status === 404).length >= 5, {
    describe: 'it to be tried again and again',
  });
  assert.match(await stage.operator.metrics(), /^towpath_unrecorded_deployments 1$/m);
  const { code, stderr } = await cluster.kubectl(['apply', '--server-side', '-f', 'crds']);
  assert.equal(code, 0, stderr);
  await archived(stage, 2);
  assert.match(await stage.operator.metrics(), /^towpath_unrecorded_deployments 0$/m);
});

test('D7: what is under way of an Application that goes without the operator ends in the ledger, once', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: configMap('1'), flags: FLAGS });
  const held = proxy.hold({
    at: 'request',
    where: ({ path, verb, dryRun }) => verb === 'apply' && !dryRun && path.endsWith('/configmaps/web'),
  });
  await stage.application('web');
  await held.seen;
  const phases = async () => (await promotionsOf(stage)).map(({ status }) => status?.phase);
  await eventually(async () => (await phases())[0] === 'Deploying', { describe: 'it to be under way' });
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications/web`;
  await stage.cluster.request('DELETE', path);
  const contentType = 'application/merge-patch+json';
  await stage.cluster.request('PATCH', path, { body: { metadata: { finalizers: null } }, contentType });
  const records = await archived(stage, 1);
  assert.deepEqual(
    records.map(({ deployment, phase }) => [deployment, phase]),
    [[1, 'Superseded']],
  );
  assert.deepEqual(await phases(), ['Superseded']);
  held.release();
});

test('a deployment takes two writes of a Promotion, and none besides at rest', async (t) => {
  const flags = [...fastLease, '--archive-interval=300ms'];
  const { stage, proxy } = await newProxiedStage(t, { files: configMap('1'), flags });
  await stage.deployed('web');
  await archived(stage, 1);
  proxy.forget();
  await deploy(stage, '2');
  await archived(stage, 2);
  const writes = proxy.find({ where: (one) => isOfLedger(one) && one.method !== 'GET' });
  assert.deepEqual(
    writes.map(({ method, path }) => `${method} ${path.split('/').slice(6).join('/')}`),
    [
      'POST promotions',
      'PATCH promotions/web-default-2/status',
      `PATCH towpath-ledger.${stage.namespace}.000001`,
    ],
  );
});
