import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { definition } from '../harness/definition.ts';
import { fastLease } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';

const files = (group: string) => ({
  'Chart.yaml': 'apiVersion: v2\nname: asking\nversion: 1.0.0\n',
  'templates/asking.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: asking}
data: {has: '{{ .Capabilities.APIVersions.Has "${group}/v1/Thing" }}'}
`,
});

test('A10: a definition is noticed soon after the API server answers what it serves again', async (t) => {
  const group = `f${randomBytes(3).toString('hex')}.example.com`;
  const { proxy, stage } = await newProxiedStage(t, { files: files(group), flags: fastLease });
  await stage.deployed('asking', { source: { interval: '1h' } });
  const has = () => stage.kubectl('get', 'configmap', 'asking', '-o', 'jsonpath={.data.has}');
  assert.equal(await has(), 'false');
  const down = proxy.fail({ path: /^\/apis(\?|$)/, fault: { status: 503 } });
  const crd = definition('things', group, 'Thing');
  t.after(() => stage.cluster.kubectl(['delete', 'crd', crd.metadata.name, '--ignore-not-found']));
  await stage.apply(crd);
  // As often as it is asked soon after a change.
  await eventually(() => down.met >= 3, { describe: 'the questions that get no answer' });
  down.remove();
  await eventually(async () => (await has()) === 'true', {
    within: 12_000,
    describe: `the render with the new kind; ${stage.operator.process.logTail(5)}`,
  });
});
