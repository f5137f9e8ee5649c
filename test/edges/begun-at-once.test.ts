import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';

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
