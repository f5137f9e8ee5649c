import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastLease } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';

const configMap = (message: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`,
});

test('D7, A26: where Promotions cannot be listed after a start nothing new enters, which is told, what runs is looked after, and it goes on by itself', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: configMap('one'), flags: fastLease });
  const first = await stage.deployed('web');
  await stage.operator.stop('SIGKILL');
  // Watches of what was listed go on: an operator that was there before knows.
  const fault = proxy.fail({ method: 'GET', path: /\/promotions(\?|$)/, fault: { status: 503 } });
  const second = await stage.repository.commit(configMap('two'));
  await stage.restart();
  const waits = await stage.until(
    'web',
    ({ status }) => environmentOf(status)?.blockedBy?.[0]?.reason === 'PromotionsUnknown',
    'what is new to wait',
  );
  const entry = environmentOf(waits.status);
  assert.equal(entry?.desiredRevision, second);
  assert.equal(entry.revision, first);
  assert.match(entry.message ?? '', /not known whether a person goes back .*a fault made by the test/);

  // What runs is put back all the same.
  const said = () => stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}');
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await stage.until('web', async () => (await said()) === 'one', 'drift to be repaired');
  assert.ok(fault.met > 0);
  fault.remove();
  await stage.untilReadyAt('web', second);
  assert.equal(await said(), 'two');
});
