import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { conditionOf, fastLease } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import {
  chartOf,
  configMap as configMapObject,
  endPod,
  hookJob,
  newSteps,
  podOf,
} from '../integration/steps.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

test('D5: of two new Applications with the same objects that are begun at once one gets all of them, and the other writes none', async (t) => {
  const files = { 'a.yaml': configMap('a'), 'b.yaml': configMap('b') };
  const { proxy, stage } = await newProxiedStage(t, { files });
  const begins = proxy.hold({ verb: 'create', path: /\/secrets/ });
  await stage.application('one');
  await begins.seen;
  await stage.application('two');
  const refused = await stage.until(
    'two',
    ({ status }) => environmentOf(status)?.blockedBy?.[0]?.reason === 'NotOwned',
    'the second one to be refused before anything is there',
  );
  const message = environmentOf(refused.status)?.message ?? '';
  assert.match(message, new RegExp(`is being made by Application ${stage.namespace}/one`));
  begins.release();
  await stage.until('one', (one) => conditionOf(one, 'Ready')?.status === 'True', 'the first one');
  const owners = await stage.kubectl(
    ...['get', 'configmaps', 'a', 'b', '-o'],
    'jsonpath={range .items[*]}{.metadata.annotations.towpath\\.dev/owner}{"\\n"}{end}',
  );
  assert.deepEqual(
    owners
      .trim()
      .split('\n')
      .map((owner) => owner.split('/')[1]),
    ['one', 'one'],
  );
});

test('D5: what a deployment that was under way when the operator was killed has not made yet is made by no other Application', async (t) => {
  const { stage, ready } = await newSteps(t, { flags: [...fastLease, '--log-level=info'] });
  const shared = configMapObject('shared');
  const slow = hookJob('slow', 'pre-install', {}, 'runs');
  const commit = await stage.repository.commit({
    ...chartOf('one', [shared, slow]),
    ...chartOf('two', [shared]),
  });
  await stage.application('one', { source: { path: 'one' } });
  const pod = await podOf(stage, 'slow');
  await stage.restart('SIGKILL');
  const isTakenUp = () => readFileSync(stage.operator.logPath, 'utf8').includes('A deployment is taken up.');
  await eventually(isTakenUp, { describe: 'it to be taken up' });
  await stage.application('two', { source: { path: 'two' } });
  const refused = await stage.until(
    'two',
    ({ status }) => environmentOf(status)?.blockedBy?.[0]?.reason === 'NotOwned',
    'the other one to be refused',
  );
  const message = environmentOf(refused.status)?.message ?? '';
  assert.match(message, new RegExp(`is being made by Application ${stage.namespace}/one`));
  await endPod(stage, pod);
  await ready('one', commit);
});
