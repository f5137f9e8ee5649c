import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useControlPlane } from '../harness/control-plane.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, isReadyAt, newStage, type Stage, startOperator } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

async function holder(stage: Stage): Promise<string> {
  return stage.kubectl('get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
}

async function message(stage: Stage): Promise<string> {
  return stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}');
}

test('D8: a leader that was stopped and lost its Lease writes nothing more; a write it had under way does not last', {
  timeout: 120_000,
}, async (t) => {
  const cluster = await useControlPlane();
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  const stage = await newStage(t, {
    files: { 'web.yaml': configMap('one') },
    kubeconfigPath: proxy.kubeconfigPath,
    flags: fastLease,
  });
  await stage.application('web');
  const first = await stage.repository.revParse('main');
  await stage.until('web', (application) => isReadyAt(application, first), 'the first revision');
  const former = await holder(stage);

  const held = proxy.hold({ verb: 'apply', where: (request) => !request.dryRun });
  await stage.repository.commit({ 'web.yaml': configMap('two') });
  await stage.requestSync('web');
  const stale = await held.seen;
  stage.operator.process.pause();
  await startOperator(t, cluster, stage.namespace, { flags: fastLease });
  await eventually(async () => (await holder(stage)) !== former, { describe: 'another to lead' });
  const third = await stage.repository.commit({ 'web.yaml': configMap('three') });
  await stage.until('web', (application) => isReadyAt(application, third), 'the successor to sync');

  proxy.forget();
  held.release();
  await eventually(() => stale.status !== undefined, { describe: "the former leader's write to land" });
  stage.operator.process.resume();
  await eventually(() => proxy.find({ path: /leases/ }).length > 0, {
    describe: 'the former leader to go on',
  });
  await eventually(async () => (await message(stage)) === 'three', {
    describe: "the successor's outcome",
  });
  const writes = proxy
    .find({ verb: ['create', 'update', 'patch', 'apply', 'delete'] })
    .filter((request) => !/\/(leases|events)/.test(request.path));
  assert.deepEqual(
    writes.map((request) => `${request.verb} ${request.path}`),
    [],
  );
  await stage.until('web', (application) => isReadyAt(application, third), 'the successor to be Ready');
});

test('A7: SIGTERM ends with exit code 0 within 10 s, and a successor acts within 2 s of that', {
  timeout: 120_000,
}, async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') } });
  await stage.application('web');
  const first = await stage.repository.revParse('main');
  await stage.until('web', (application) => isReadyAt(application, first), 'the first revision');
  const former = await holder(stage);
  const successor = await startOperator(t, stage.cluster, stage.namespace);
  await successor.probeUrl();
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  const started = performance.now();
  const leader = stage.operator.process;
  const stopped = leader.stop('SIGTERM');
  const how = await leader.ended;
  const took = performance.now() - started;
  await eventually(async () => ![former, ''].includes(await holder(stage)), {
    within: 2_000,
    describe: 'the successor to lead',
    every: 20,
  });
  await stopped;
  t.diagnostic(`stopped in ${Math.round(took)} ms: ${how}`);
  assert.ok(took < 10_000, `it took ${took} ms`);
  assert.match(how, /code 0/);
  await stage.until('web', (application) => isReadyAt(application, second), 'the successor to sync');
});
