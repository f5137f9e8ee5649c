import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { decode, encode } from '../../operator/controller/record/index.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, isReady } from './message.ts';

interface RecordSecret {
  name: string;
  uid: string;
  index: string;
  record: Record<string, unknown>;
}

/** What stands in the Secrets that keep records, by Application. */
async function recordsIn(stage: Stage): Promise<Map<string, RecordSecret>> {
  const list = await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'json');
  const { items } = JSON.parse(list) as {
    items: { metadata: { name: string; uid: string }; data: { record: string; index: string } }[];
  };
  const found = new Map<string, RecordSecret>();
  for (const { metadata, data } of items) {
    const record = (await decode(data.record)) as Record<string, unknown>;
    const { application } = record.target as { application: string };
    found.set(application.slice(application.indexOf('/') + 1), { ...metadata, index: data.index, record });
  }
  return found;
}

/** Uids and resourceVersions of all ConfigMaps that carry a message. */
async function configMaps(stage: Stage): Promise<Record<string, string>> {
  const list = await stage.kubectl('get', 'configmaps', '-l', 'towpath.dev/target', '-o', 'json');
  const { items } = JSON.parse(list) as {
    items: { metadata: { name: string; uid: string; resourceVersion: string } }[];
  };
  return Object.fromEntries(
    items.map(({ metadata }) => [metadata.name, `${metadata.uid} ${metadata.resourceVersion}`]),
  );
}

type Change = (secret: RecordSecret, others: ReadonlyMap<string, RecordSecret>) => unknown;

/** What is written in place of the record, or of its index. */
const records: Record<string, Change> = {
  unversioned: ({ record: { version: _, ...record } }) => record,
  older: ({ record }) => ({ ...record, version: 0 }),
  newer: ({ record }) => ({ ...record, version: 2, more: true }),
  'by-twelve-digits': ({ record }) => ({
    ...record,
    candidates: (record.candidates as object[]).map((one) => ({ ...one, id: 'c-0123456789ab' })),
  }),
  'of-another-shape': ({ record }) => ({ ...record, applied: Object.fromEntries([['a', record.applied]]) }),
  'of-another-target': (_secret, others) => others.get('untouched')?.record,
};
const indexes: Record<string, Change> = {
  'of-another-index': () => ({ candidates: [], places: {} }),
};

test('D9: a record of another version or shape is not trusted, and what it described is found again', async (t) => {
  const changed = Object.keys({ ...records, ...indexes });
  const all = [...changed, 'untouched'];
  const files = Object.fromEntries(
    all.flatMap((name) => [
      [`${name}/stays.yaml`, configMap(`${name}-stays`, 'one')],
      [`${name}/goes.yaml`, configMap(`${name}-goes`, 'one')],
    ]),
  );
  const stage = await newStage(t, { files });
  await Promise.all(all.map((name) => stage.deployed(name, { source: { path: name } })));
  await stage.operator.stop('SIGTERM');
  const before = await configMaps(stage);
  assert.equal(Object.keys(before).length, 2 * all.length);
  const written = await recordsIn(stage);
  for (const [member, changes] of [['record', records] as const, ['index', indexes] as const]) {
    for (const [name, change] of Object.entries(changes)) {
      const secret = written.get(name);
      assert.ok(secret, name);
      const data = { [member]: await encode(change(secret, written)) };
      await stage.kubectl('patch', 'secret', secret.name, '-p', JSON.stringify({ data }));
    }
  }
  await stage.restart();

  const shapeOf = ({ record }: RecordSecret) => [record.version, Object.keys(record).sort()];
  const anew = await eventually(
    async () => {
      const now = await recordsIn(stage);
      for (const name of all) {
        const [one, then] = [now.get(name), written.get(name)];
        const isAsBefore = one && then && isDeepStrictEqual(shapeOf(one), shapeOf(then));
        if (!isAsBefore || (changed.includes(name) && one.uid === then.uid)) return false;
      }
      return now;
    },
    { describe: 'records that are written anew, as they were' },
  );
  for (const name of all)
    await stage.until(name, (one) => isReady(one) && one.status?.sync === 'Synced', 'Synced');
  assert.equal(anew.get('untouched')?.uid, written.get('untouched')?.uid);
  assert.deepEqual(await configMaps(stage), before, 'no object was deleted, made anew or written');

  // Nothing was left behind either.
  const revision = await stage.repository.commit(
    Object.fromEntries(all.map((name) => [`${name}/goes.yaml`, null])),
  );
  await Promise.all(all.map((name) => stage.untilReadyAt(name, revision)));
  const left = Object.entries(before).filter(([name]) => name.endsWith('-stays'));
  assert.deepEqual(await configMaps(stage), Object.fromEntries(left));
});
