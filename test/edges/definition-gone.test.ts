import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../harness/control-plane.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const configMap = `apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {message: one}
`;

test('D11: with our own CustomResourceDefinition deleted everything is orphaned, and the operator goes on', async (t) => {
  // One of its own: the definition goes for everybody.
  const cluster = await startControlPlane();
  const stage = await newStage(t, { cluster, files: { 'web.yaml': configMap }, flags: fastLease });
  // After what the stage still asks of it.
  t.after(() => cluster.stop());
  const revision = await stage.deployed('web');
  const { pid } = stage.operator.process;

  await stage.kubectl('delete', 'crd', 'applications.towpath.dev', '--timeout=40s');
  const left = JSON.parse(await stage.kubectl('get', 'configmap', 'web', '-o', 'json')) as {
    data: { message: string };
    metadata: { labels?: object };
  };
  assert.equal(left.data.message, 'one', 'nothing was pruned');
  assert.equal(left.metadata.labels, undefined, 'it is free for others');
  assert.equal(stage.operator.process.pid, pid);
  assert.ok(stage.operator.process.running, stage.operator.process.logTail(40));

  const installed = await cluster.kubectl(['apply', '--server-side', '-f', 'crds']);
  assert.equal(installed.code, 0, installed.stderr);
  await eventually(() => stage.application('web', {}, { 'towpath.dev/adopt': 'true' }).then(() => true), {
    describe: 'the definition to be served again',
  });
  await stage.untilReadyAt('web', revision);
});
