import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { untilItLooked } from '../harness/chart-releases.ts';
import { fastLease, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';

interface Stored {
  kind: string;
  metadata: Record<string, unknown> & { name: string; namespace: string };
  status?: unknown;
}

const RANDOM =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: VERSION, random: {{ randAlphaNum 8 }}}\n';
const chart = (version: string) => ({
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/web.yaml': RANDOM.replace('VERSION', version),
});

/** Two deployments by an operator whose records are in a namespace of their own; it is stopped, and all of it backed up. */
async function backedUp(t: Parameters<typeof newStage>[0]) {
  const own = await namespaceFor(t);
  const flags = [...fastLease, `--namespace=${own}`];
  const stage = await newStage(t, { files: chart('one'), flags });
  await stage.deployed('web');
  await stage.untilReadyAt('web', await stage.repository.commit(chart('two')));
  await stage.operator.stop();
  const backup = async (kind: string, namespace: string, ...selector: string[]) => {
    const found = await stage.kubectl(
      'get',
      kind,
      '-n',
      namespace,
      ...selector,
      '-o',
      'json',
      '--show-managed-fields',
    );
    return (JSON.parse(found) as { items: Stored[] }).items;
  };
  return {
    stage,
    own,
    flags,
    history: environmentOf((await stage.get('web')).status)?.history,
    applications: await backup('applications.towpath.dev', stage.namespace),
    records: await backup('secrets', own),
    objects: await backup('configmaps', stage.namespace, '-l', 'towpath.dev/target'),
  };
}

/** Makes objects as a tool for backups does: anew, with another uid; the status by a second write. */
async function restore(stage: Stage, items: readonly Stored[]): Promise<void> {
  for (const item of items) {
    const { uid: _, resourceVersion: __, creationTimestamp: ___, ...metadata } = item.metadata;
    const object = JSON.stringify({ ...item, metadata });
    const created = await stage.cluster.kubectl(['create', '-f', '-'], { input: object });
    assert.equal(created.code, 0, created.stderr);
    if (item.status === undefined) continue;
    const { namespace, name } = item.metadata;
    const patch = JSON.stringify({ status: item.status });
    await stage.kubectl(
      'patch',
      item.kind,
      name,
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      patch,
    );
  }
}

/** Removes what was backed up, without anybody who would act on that. */
async function lose(stage: Stage, items: readonly Stored[]): Promise<void> {
  for (const { kind, metadata } of items) {
    const of = [kind, metadata.name, '-n', metadata.namespace];
    await stage.kubectl('patch', ...of, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await stage.kubectl('delete', ...of);
  }
}

const historyOf = ({ status }: Application) => environmentOf(status)?.history;
const liveWeb = (stage: Stage) => stage.kubectl('get', 'configmap', 'web', '-o', 'json');

test('D7: Applications and records that are restored beside what runs lose no history, and redeploy nothing', async (t) => {
  const { stage, flags, history, applications, records } = await backedUp(t);
  assert.equal(history?.length, 2);
  assert.ok(records.length > 0);
  const before = await liveWeb(stage);
  await lose(stage, [...applications, ...records]);
  await restore(stage, [...records, ...applications]);
  const operator = await startOperator(t, stage.cluster, stage.namespace, { flags });
  await untilItLooked(operator);
  const revision = await stage.repository.revParse('main');
  assert.deepEqual(historyOf(await stage.untilReadyAt('web', revision)), history);
  assert.equal(await liveWeb(stage), before, 'the random value, too: nothing was rendered or written');
  const third = await stage.repository.commit(chart('three'));
  const after = historyOf(await stage.untilReadyAt('web', third));
  assert.deepEqual(after?.slice(1), history, 'it goes on from there');
});

test('D7: an operator in another namespace, with the former installation and a copy of its records, renders and writes nothing anew', async (t) => {
  const { stage, own, history, records } = await backedUp(t);
  const before = await liveWeb(stage);
  const moved = await namespaceFor(t);
  await restore(
    stage,
    records.map((item) => ({ ...item, metadata: { ...item.metadata, namespace: moved } })),
  );
  await lose(stage, records);
  const flags = [...fastLease, `--namespace=${moved}`, `--installation=${own}/towpath`];
  const operator = await startOperator(t, stage.cluster, stage.namespace, { flags });
  await untilItLooked(operator);
  const revision = await stage.repository.revParse('main');
  assert.deepEqual(historyOf(await stage.untilReadyAt('web', revision)), history);
  assert.equal(await liveWeb(stage), before, 'the random value, too');
});

for (const [what, ready] of [
  ['with managedFields', (items: readonly Stored[]) => items],
  ['without managedFields, told to adopt', (items: readonly Stored[]) => items.map(adopting)],
] as const)
  test(`D7: restored into a cluster that has nothing of them, objects ${what}, Applications go on with their history`, async (t) => {
    const { stage, flags, history, applications, records, objects } = await backedUp(t);
    const data = (JSON.parse(await liveWeb(stage)) as { data: object }).data;
    await lose(stage, [...objects, ...records, ...applications]);
    await restore(stage, [...objects, ...records, ...ready(applications)]);
    if (what === 'with managedFields') await restoreManagers(stage, objects);
    const operator = await startOperator(t, stage.cluster, stage.namespace, { flags });
    await untilItLooked(operator);
    const revision = await stage.repository.revParse('main');
    assert.deepEqual(historyOf(await stage.untilReadyAt('web', revision)), history);
    assert.deepEqual((JSON.parse(await liveWeb(stage)) as { data: object }).data, data);
    await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=60s');
    const left = await stage.kubectl('get', 'configmap', 'web', '--ignore-not-found', '-o', 'name');
    assert.equal(left, '', 'it is its own');
  });

function adopting(item: Stored): Stored {
  const annotations = { ...(item.metadata['annotations'] as object), 'towpath.dev/adopt': 'true' };
  return { ...item, metadata: { ...item.metadata, annotations } };
}

/** Some tools put managedFields back, by a write of their own: the API server makes new ones for a new object. */
async function restoreManagers(stage: Stage, items: readonly Stored[]): Promise<void> {
  for (const { kind, metadata } of items) {
    const value = metadata['managedFields'];
    const patch = JSON.stringify([{ op: 'replace', path: '/metadata/managedFields', value }]);
    await stage.kubectl('patch', kind, metadata.name, '--type=json', '-p', patch);
  }
}

test('without the records nothing that runs is lost, and it is deployed anew', async (t) => {
  const { stage, flags, history, applications, records } = await backedUp(t);
  const uid = (JSON.parse(await liveWeb(stage)) as { metadata: { uid: string } }).metadata.uid;
  await lose(stage, [...applications, ...records]);
  await restore(stage, applications);
  await startOperator(t, stage.cluster, stage.namespace, { flags });
  const revision = await stage.repository.revParse('main');
  const restored = await stage.untilReadyAt('web', revision);
  assert.deepEqual(historyOf(restored)?.slice(-2), history?.slice(-2), 'what the status has stays');
  assert.equal((JSON.parse(await liveWeb(stage)) as { metadata: { uid: string } }).metadata.uid, uid);
});
