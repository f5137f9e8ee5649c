import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { deployMany, MANY, many } from './many.ts';

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

test('5,000 objects in one Application are synced, and a change of one is', async (t) => {
  const { stage, objects, synced, readyMs, push } = await deployMany(t);
  t.diagnostic(`5,000 objects: Ready after ${readyMs} ms`);
  assert.equal(environmentOf(synced.status)?.objects, MANY);
  assert.ok(Buffer.byteLength(JSON.stringify(synced.status)) < 256 * 1024);
  const { items } = JSON.parse(await stage.kubectl('get', 'secrets', '-o', 'json')) as {
    items: { type: string; metadata: { name: string }; data: Record<string, string> }[];
  };
  const records = items.filter(({ type }) => type === 'towpath.dev/record');
  assert.ok(records.length > 0);
  for (const { metadata, data } of records) {
    const bytes = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
    t.diagnostic(`${metadata.name}: ${bytes} bytes`);
    assert.ok(bytes < 1024 * 1024, `Secret ${metadata.name} holds ${bytes} bytes`);
  }

  objects[17] = many(17, 'changed');
  const again = performance.now();
  const second = await push();
  await stage.untilReadyAt('many', second, 120_000);
  t.diagnostic(`a change of one: Ready after ${Math.round(performance.now() - again)} ms`);
  assert.equal(await stage.kubectl('get', 'configmap', 'many-17', '-o', 'jsonpath={.data.index}'), 'changed');

  for (let index = 0; index < 401; index += 1) objects[index] = configMap(`Bad-${index}`);
  await push();
  const held = await stage.until(
    'many',
    (one) => conditionOf(one, 'Stalled')?.reason === 'ManifestInvalid',
    'the refusals',
    120_000,
  );
  assert.equal(held.status?.quarantine?.total, 401, 'all refusals are counted');
  assert.equal(held.status?.quarantine?.errors?.length, 20, 'the first are listed');
  assert.equal(environmentOf(held.status)?.revision, second);
  const removing = performance.now();
  await stage.kubectl('delete', 'applications.towpath.dev', 'many', '--timeout=240s');
  t.diagnostic(`all deleted after ${Math.round(performance.now() - removing)} ms`);
});

for (const waves of [100, 1_000]) {
  test(`A15: 5,000 objects in ${waves} waves are synced, looked at and changed, and hold up nobody`, async (t) => {
    const { stage, objects, push } = await deployMany(t, { waves, spec: { deletionPolicy: 'Orphan' } });
    const again = performance.now();
    objects[MANY - 1] = many(MANY - 1, 'changed', waves);
    const second = await push();
    await stage.untilReadyAt('many', second, 120_000);
    t.diagnostic(`a change of one in the last wave: Ready after ${Math.round(performance.now() - again)} ms`);
  });
}
