import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Family, parseExposition, sumOf } from '../harness/exposition.ts';
import { fastLease, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;
const broken = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken}\nno: {such: field}\n';

const documented = new Map(
  readFileSync(join(import.meta.dirname, '../../docs/reference/metrics.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
    .map(([, name = '', type = '', labels = '']) => [name, { type, labels: labels.split(', ') }]),
);

async function read(stage: Pick<Stage, 'operator'>): Promise<Map<string, Family>> {
  return parseExposition(await stage.operator.metrics());
}

/** Waits for a sum of samples; what it says comes with or after what a status says. */
async function untilSum(
  stage: Pick<Stage, 'operator'>,
  [name, labels = {}]: readonly [string, Record<string, string>?],
  is: (sum: number) => boolean,
): Promise<void> {
  let sum = Number.NaN;
  await eventually(
    async () => {
      sum = sumOf(await read(stage), name, labels);
      return is(sum);
    },
    { describe: `${name} ${JSON.stringify(labels)} to be right` },
  ).catch((error: Error) => assert.fail(`${error.message}; it is ${sum}`));
}

/** Labels of the one series that an Application has. */
async function infoOf(stage: Pick<Stage, 'operator'>, name: string) {
  const { samples = [] } = (await read(stage)).get('towpath_application_info') ?? {};
  const [sample, ...more] = samples.filter(({ labels }) => labels['application'] === name);
  assert.deepEqual(more, [], 'one series each');
  return sample?.labels;
}

test('what is done is counted, by the names that the ecosystem has for it and those of the reference', async (t) => {
  const stage = await newStage(t, { files: { 'web/web.yaml': configMap('one'), 'broken/a.yaml': broken } });
  await stage.deployed('web', { source: { path: 'web' } });
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"drift"}}');
  await untilSum(stage, ['towpath_drift_repaired_objects_total'], (sum) => sum === 1);
  await stage.application('broken', { source: { path: 'broken' } });
  await untilSum(stage, ['towpath_quarantines_total'], (sum) => sum === 1);
  await stage.repository.commit({
    'web/web.yaml': null,
    'web/other.yaml': configMap('x').replace('web', 'other'),
  });
  await untilSum(stage, ['towpath_pruned_objects_total'], (sum) => sum === 1);
  await untilSum(stage, ['towpath_deployments_total', { outcome: 'Succeeded' }], (sum) => sum === 2);

  const families = await read(stage);
  for (const [name, { type, samples }] of families) {
    assert.equal(documented.get(name)?.type, type, `${name} in docs/reference/metrics.md`);
    for (const { labels } of samples)
      for (const label of Object.keys(labels))
        assert.ok(label === 'le' || documented.get(name)?.labels.includes(label), `${name}: ${label}`);
  }
  assert.deepEqual(
    [...documented.keys()].filter((name) => !families.has(name)),
    [],
  );

  const controller = 'towpath-application';
  const queue = { name: controller, controller };
  const above = (name: string, labels = {}) => assert.ok(sumOf(families, name, labels) > 0, name);
  above('workqueue_adds_total', queue);
  above('controller_runtime_reconcile_total', { controller, result: 'success' });
  above('controller_runtime_max_concurrent_reconciles', { controller });
  const { host } = new URL(stage.cluster.serverUrl);
  for (const method of ['GET', 'PATCH']) above('rest_client_requests_total', { method, host, code: '200' });
  above('towpath_writes_total', { verb: 'apply', resource: 'configmaps', dry_run: 'true', code: '201' });
  above('towpath_writes_total', { verb: 'apply', resource: 'configmaps', dry_run: 'false', code: '200' });
  above('towpath_writes_total', { verb: 'delete', resource: 'configmaps', code: '200' });
  for (const what of ['git_polls', 'git_fetches', 'renders'])
    above(`towpath_${what}_total`, { outcome: 'Success' });
  above('towpath_engine_processes', { state: 'idle' });
  const [all, own] = ['towpath_resident_memory_bytes', 'process_resident_memory_bytes'].map((name) =>
    sumOf(families, name),
  );
  // An engine that has rendered has more than this.
  assert.ok(
    all !== undefined && own !== undefined && all - own > 8 * 1024 ** 2,
    `${all} with engines, ${own} without`,
  );
  assert.equal(sumOf(families, 'leader_election_master_status', { name: 'towpath' }), 1);
  const looks = sumOf(families, 'controller_runtime_reconcile_total');
  const { samples = [] } = families.get('controller_runtime_reconcile_time_seconds') ?? {};
  assert.equal(samples.find(({ name }) => name.endsWith('_count'))?.value, looks, 'each look is measured');
});

test('an Application has two series, that say its state and since when, from the leader alone, and takes them with it', async (t) => {
  const stage = await newStage(t, { files: { 'web/web.yaml': configMap('one') }, flags: [...fastLease] });
  await stage.deployed('web', { source: { path: 'web' } });
  await stage.application('lost', { source: { path: 'nowhere' } });
  const { namespace } = stage;
  const key = (application: string) => ({ application_namespace: namespace, application });
  await eventually(async () => (await infoOf(stage, 'lost'))?.['reason'] === 'PathNotFound', {
    describe: 'the reason',
  });
  const good = { sync: 'Synced', health: 'Healthy', ready: 'True', reason: 'Synced' };
  assert.deepEqual(await infoOf(stage, 'web'), { ...key('web'), ...good });
  const { status } = await stage.get('lost');
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const since = 'towpath_application_ready_transition_timestamp_seconds';
  await untilSum(
    stage,
    [since, key('lost')],
    (sum) => sum === Date.parse(ready?.lastTransitionTime ?? '') / 1_000,
  );
  await untilSum(stage, ['towpath_applications', { sync: 'Synced', health: 'Healthy' }], (sum) => sum === 1);
  await untilSum(stage, ['towpath_applications'], (sum) => sum === 2);

  const follower = { operator: await startOperator(t, stage.cluster, namespace, { flags: [...fastLease] }) };
  await follower.operator.url('metrics');
  assert.deepEqual((await read(follower)).get('towpath_application_info')?.samples, []);
  await stage.kubectl('delete', 'applications.towpath.dev', 'lost', '--timeout=60s');
  await untilSum(stage, ['towpath_application_info', key('lost')], (sum) => sum === 0);
  assert.equal(sumOf(await read(stage), since, key('lost')), 0);

  await stage.operator.stop();
  await eventually(async () => (await infoOf(follower, 'web'))?.['ready'] === 'True', {
    describe: 'its successor',
  });
  assert.equal(await infoOf(follower, 'lost'), undefined);
});

test('the series of single Applications can be switched off; how many are in which state stays', async (t) => {
  const files = { 'web.yaml': configMap('one') };
  const stage = await newStage(t, { files, flags: ['--omit-application-metrics'] });
  await stage.deployed('web');
  await untilSum(stage, ['towpath_applications', { sync: 'Synced', health: 'Healthy' }], (sum) => sum === 1);
  assert.doesNotMatch(await stage.operator.metrics(), /towpath_application_/);
});
