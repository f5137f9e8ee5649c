import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { decode, encode } from '../../operator/controller/record/kept-manifest-index.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, isReady } from '../integration/message.ts';

/** The records, and the index of the manifests, of an Application's Secret. */
type Member = 'record' | 'target.default' | 'index';

interface RecordSecret {
  name: string;
  uid: string;
  data: Record<Member, string>;
  /** Of the Application, and of its target. */
  records: Record<'record' | 'target.default', Record<string, unknown>>;
}

/** What stands in the Secrets that keep records, by Application. */
async function recordsIn(stage: Stage): Promise<Map<string, RecordSecret>> {
  const list = await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'json');
  const { items } = JSON.parse(list) as {
    items: { metadata: { name: string; uid: string }; data: Partial<Record<Member, string>> }[];
  };
  const found = new Map<string, RecordSecret>();
  for (const { metadata, data } of items) {
    const [record, target] = await Promise.all([decode(data.record), decode(data['target.default'])]);
    const { application } = record as { application: string };
    const name = application.slice(application.indexOf('/') + 1);
    const records = { record, 'target.default': target } as RecordSecret['records'];
    found.set(name, { ...metadata, data: data as RecordSecret['data'], records });
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

/** What is written in place of members. */
type Change = (
  secret: RecordSecret,
  others: ReadonlyMap<string, RecordSecret>,
) => Partial<Record<Member, unknown>>;

const changes: Record<string, Change> = {
  unversioned: ({ records: { record } }) => ({ record: { ...record, version: undefined } }),
  older: ({ records: { record } }) => ({ record: { ...record, version: 1 } }),
  newer: ({ records: { record } }) => ({ record: { ...record, version: 99, more: true } }),
  'by-twelve-digits': ({ records: { record } }) => ({
    record: {
      ...record,
      candidates: (record['candidates'] as object[]).map((one) => ({ ...one, id: 'c-0123456789ab' })),
    },
  }),
  'of-another-application': (_secret, others) => ({ record: others.get('untouched')?.records.record }),
  'target-unversioned': ({ records: { 'target.default': target } }) => ({
    'target.default': { ...target, version: undefined },
  }),
  'target-older': ({ records: { 'target.default': target } }) => ({
    'target.default': { ...target, version: 1 },
  }),
  'target-newer': ({ records: { 'target.default': target } }) => ({
    'target.default': { ...target, version: 99 },
  }),
  'target-of-another-shape': ({ records: { 'target.default': target } }) => ({
    'target.default': { ...target, applied: { a: target['applied'] } },
  }),
  'of-another-target': (_secret, others) => ({
    'target.default': others.get('untouched')?.records['target.default'],
  }),
  'of-another-index': () => ({ index: { candidates: [], places: {} } }),
};

/** As the operator before this layout kept them: a Secret for each target, with its candidates. */
async function writeFormer(stage: Stage, { name, data, records }: RecordSecret): Promise<string> {
  const { id } = records['target.default']['target'] as { id: string };
  const record = { ...records['target.default'], version: 1, candidates: records.record['candidates'] };
  const former = `towpath-target-${id}`;
  const labels = JSON.parse(
    await stage.kubectl('get', 'secret', name, '-o', 'jsonpath={.metadata.labels}'),
  ) as object;
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'towpath.dev/record',
    metadata: { name: former, labels },
    data: { record: await encode(record), index: data.index },
  });
  await stage.kubectl('delete', 'secret', name);
  return former;
}

test('D9: a record of another version or shape is not trusted, and what it described is found again', async (t) => {
  const changed = [...Object.keys(changes), 'former'];
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
  const secretOf = (name: string) => {
    const secret = written.get(name);
    assert.ok(secret, name);
    return secret;
  };
  for (const [name, change] of Object.entries(changes)) {
    const secret = secretOf(name);
    const data: Record<string, string> = {};
    for (const [member, text] of Object.entries(change(secret, written))) data[member] = await encode(text);
    await stage.kubectl('patch', 'secret', secret.name, '-p', JSON.stringify({ data }));
  }
  const former = await writeFormer(stage, secretOf('former'));
  await stage.restart();

  const shapeOf = ({ records }: RecordSecret) =>
    Object.values(records).map((record) => [record['version'], Object.keys(record).sort()]);
  const anew = await eventually(
    async () => {
      const list = await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'name');
      if (list.includes(former)) return false;
      const now = await recordsIn(stage).catch(() => undefined);
      for (const name of all) {
        const [one, then] = [now?.get(name), written.get(name)];
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

  // Each that was not trusted is told, once, and no other is.
  const told = stage.operator.process
    .logTail(10_000)
    .split('\n')
    .filter((line) => line.includes('is not trusted'));
  for (const name of [...Object.keys(changes).map((one) => secretOf(one).name), former])
    assert.equal(told.filter((line) => line.includes(`/${name}"`)).length, 1, `${name}: ${told.join('\n')}`);
  assert.equal(told.length, changed.length);

  // Nothing was left behind either.
  const revision = await stage.repository.commit(
    Object.fromEntries(all.map((name) => [`${name}/goes.yaml`, null])),
  );
  await Promise.all(all.map((name) => stage.untilReadyAt(name, revision)));
  const left = Object.entries(before).filter(([name]) => name.endsWith('-stays'));
  assert.deepEqual(await configMaps(stage), Object.fromEntries(left));
});

interface OfTarget {
  secret: string;
  member: string;
  record: Record<string, unknown>;
}

/** The records of targets, in whichever environments they are. */
async function targetsIn(stage: Stage): Promise<OfTarget[]> {
  const list = await stage.kubectl('get', 'secrets', '-l', 'towpath.dev/record', '-o', 'json');
  const { items } = JSON.parse(list) as {
    items: { metadata: { name: string }; data: Record<string, string> }[];
  };
  const members = items.flatMap(({ metadata, data }) =>
    Object.entries(data)
      .filter(([member]) => member.startsWith('target.'))
      .map(([member, text]) => ({ secret: metadata.name, member, text })),
  );
  return Promise.all(
    members.map(async ({ text, ...where }) => ({
      ...where,
      record: (await decode(text)) as Record<string, unknown>,
    })),
  );
}

test('S16: records from before they named the ClusterRole of managed access are gone on with, and one that was narrowed meanwhile is bound', async (t) => {
  const files = { 'web.yaml': configMap('web', 'one') };
  const stage = await newStage(t, { files, flags: [...fastLease, '--managed-cluster-roles=edit,view'] });
  const { cluster, namespace } = stage;
  const landing = `${namespace}-by-towpath`;
  const access = { clusterRole: 'edit' };
  const { name } = await newEnvironment(t, stage, 'managed', { namespace: landing, access });
  t.after(() => cluster.request('DELETE', `/api/v1/namespaces/${landing}`));
  await stage.deployed('web', { environments: [{ name }] });
  const inLanding = async (path: string) => JSON.parse((await cluster.request('GET', path)).body);
  const uid = async () =>
    (await inLanding(`/api/v1/namespaces/${landing}/configmaps/web`)).metadata?.uid as string | undefined;
  const binding = `/apis/rbac.authorization.k8s.io/v1/namespaces/${landing}/rolebindings/towpath-managed`;
  const bound = async () => (await inLanding(binding)).roleRef?.name as string | undefined;
  const noted = async () => (await targetsIn(stage)).map(({ record }) => record['managedRole']);
  const before = await uid();
  for (const role of ['edit', 'view']) {
    await stage.operator.stop('SIGTERM');
    assert.deepEqual(await noted(), ['edit']);
    for (const { secret, member, record } of await targetsIn(stage)) {
      const { managedRole: _, ...older } = record;
      const patch = JSON.stringify({ data: { [member]: await encode(older) } });
      await stage.kubectl('patch', 'secret', secret, '-p', patch);
    }
    const patch = JSON.stringify({ spec: { access: { clusterRole: role } } });
    await stage.kubectl('patch', 'environments.towpath.dev', name, '--type=merge', '-p', patch);
    await stage.restart();
    await eventually(async () => (await noted())[0] === role, { describe: `${role} to be noted` });
    assert.equal(await bound(), role);
    assert.equal(await uid(), before);
    assert.equal(environmentOf((await stage.get('web')).status, name)?.history?.length, 1);
  }
});
