import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { installCRDs } from '../../../test/harness/operator.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { eventually } from '../../../test/harness/wait.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { LEDGER_KEY } from '../../api/v1alpha1/ledger.ts';
import { ANNOTATION_RECORDS, LABEL_LEDGER } from '../../api/v1alpha1/names.ts';
import type { PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import { KubeClient } from '../../kube/client.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { newLogger } from '../../observe/log.ts';
import { type Deployment, newRecord } from '../record/record.ts';
import { Archive } from './archive.ts';
import { LedgerKeeper } from './keeper.ts';
import { PROMOTIONS } from './ledger.ts';
import type { Recorded } from './promotion-of.ts';

const BEGIN = Date.now() - 60 * 60_000;
const minute = (count: number) => new Date(BEGIN + count * 60_000).toISOString();

/** A keeper of a namespace in which `web` is, with nothing recorded of it but its status. */
async function newKeeper(
  t: TestContext,
  ofTarget: (namespace: string) => Deployment | undefined = () => undefined,
  { isUnderWay = false, before = [] }: { isUnderWay?: boolean; before?: readonly Deployment[] } = {},
) {
  const cluster = await useControlPlane();
  await installCRDs(cluster);
  const namespace = await namespaceFor(t, cluster);
  const client = KubeClient.fromKubeConfig(cluster.kubeconfigPath);
  t.after(() => client.close());
  const application = {
    metadata: { uid: 'uid' },
    status: { environments: [{ name: 'prod' }] },
  } as unknown as Application;
  const deployment = ofTarget(namespace);
  const target = {
    id: 'a',
    name: `${namespace}/web/prod`,
    application: `${namespace}/web`,
    environment: 'prod',
  };
  const records =
    deployment === undefined
      ? []
      : [{ ...newRecord(target), deployment, ended: [...before], lastId: deployment.id }];
  const archive = new Archive({ client, namespace, most: 40 });
  const recorded: Recorded[] = [];
  const found: number[] = [];
  const left: string[] = [];
  const lines: string[] = [];
  const keeper = new LedgerKeeper({
    client,
    archive,
    log: newLogger('warn', 'json', (line) => void lines.push(line)),
    slices: new Slices(),
    namespace,
    intervalMs: 20,
    keep: 2,
    gone: { promotions: 3, chunks: 40, retentionMs: 24 * 60 * 60_000 },
    ledger: {
      record: (one) => void recorded.push(one),
      isUnderWay: () => isUnderWay,
      found: (_, deployments) => void found.push(...deployments.map(({ id }) => id)),
      left: (name) => void left.push(name),
    },
    applicationOf: (key) => (key === `${namespace}/web` ? application : undefined),
    recordsOf: () => records,
    keys: () => [`${namespace}/web`],
  });
  return { client, keeper, namespace, archive, recorded, found, left, lines };
}

async function end(
  client: KubeClient,
  namespace: string,
  name: string,
  at: number,
  { applicationUID, ...more }: Pick<PromotionStatus, 'inPlaceOf'> & { applicationUID?: string } = {},
  phase: PromotionStatus['phase'] = 'Succeeded',
): Promise<void> {
  const application = name.replace(/-\d+$/, '');
  const id = Number(/\d+$/.exec(name));
  const spec = {
    type: 'Promote',
    application,
    environment: 'prod',
    candidate: `sha256:${'0'.repeat(64)}`,
    requestedBy: 'towpath:Commit',
    deployment: { applicationUID: applicationUID ?? application, id, startedAt: minute(at) },
  };
  const body = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Promotion', metadata: { name, namespace }, spec };
  await client.create({ resource: PROMOTIONS, namespace }, body, {}, {});
  const status = { phase, deployment: id, finishedAt: minute(at), ...more };
  const path = { resource: PROMOTIONS, namespace, name, subresource: 'status' };
  await client.mergePatch(path, { status }, {}, {});
}

test('A23: Promotions of Applications that are gone have a bound together, and take nothing from those that are there', async (t) => {
  const { client, keeper, namespace } = await newKeeper(t);
  for (const [index, name] of ['web-1', 'web-2', 'web-3'].entries())
    await end(client, namespace, name, index);
  for (const index of [1, 2, 3, 4, 5]) await end(client, namespace, `pr-${index}-1`, 10 + index);
  const left = async () => {
    const { items } = await client.list({ resource: PROMOTIONS, namespace }, {}, {});
    return items.map(({ metadata: { name } }) => name).sort();
  };
  const expected = ['pr-3-1', 'pr-4-1', 'pr-5-1', 'web-2', 'web-3'];
  keeper.lead();
  const archive = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace };
  const archived = async () => {
    const { items } = await client.list(archive, { labelSelector: LABEL_LEDGER }, {});
    return items[0]?.metadata.annotations?.[ANNOTATION_RECORDS] === '8';
  };
  await eventually(archived, { describe: 'all to be archived' });
  // What a look finds to be missing in the archive goes with the one after it.
  keeper.lead();
  const isTrimmed = async () => (await left()).length <= expected.length;
  await eventually(isTrimmed, { describe: 'the older ones to go' });
  await keeper.follow();
  assert.deepEqual(await left(), expected);
});

/** What Anna asked for, begun then. */
function annas(startedAt: string): Deployment {
  const digest = `sha256:${'0'.repeat(64)}`;
  return {
    id: 5,
    candidate: { id: digest, digest, request: '', revision: 'r', ref: 'refs/heads/main' },
    trigger: 'Promotion',
    generation: 1,
    startedAt,
    clusterStartedAt: startedAt,
    install: false,
    hooks: [],
    deferred: [],
    applied: true,
    promoted: { promotion: 'annas', uid: 'anna-1', by: 'anna' },
  };
}

/** Resolves when all Promotions were looked at: what ended is archived after that. */
async function swept(client: KubeClient, keeper: LedgerKeeper, namespace: string): Promise<string> {
  const archive = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace };
  keeper.lead();
  const chunk = await eventually(
    async () => (await client.list(archive, { labelSelector: LABEL_LEDGER }, {})).items[0],
    { describe: 'what ended to be archived' },
  );
  await keeper.follow();
  const { binaryData } = chunk as unknown as { binaryData: Record<string, string> };
  return gunzipSync(Buffer.from(binaryData[LEDGER_KEY] ?? '', 'base64')).toString();
}

test('S14: a Promotion of a person that is gone is made anew by the record, and told with who it was', async (t) => {
  const { client, keeper, namespace, recorded, lines } = await newKeeper(t, () => annas(minute(20)));
  await end(client, namespace, 'web-1', 0);
  await swept(client, keeper, namespace);
  assert.deepEqual(
    recorded.map(({ id, inPlaceOf }) => `${id} ${inPlaceOf?.promotion} ${inPlaceOf?.by}`),
    ['5 annas anna'],
  );
  const told = lines.filter((line) => line.includes('A Promotion that a person made is gone'));
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /"uid":"anna-1","by":"anna"/);
});

test('D8: what the record has and no Promotion is written down, unless the archive has it: that its record need not keep', async (t) => {
  const { promoted: _, ...deployed } = annas(minute(5));
  const of = (id: number) => ({ ...deployed, id, startedAt: minute(id), finishedAt: minute(id + 1) });
  const before = [1, 2, 3, 4].map((id) => ({ ...of(id), outcome: 'Succeeded' as const }));
  const { client, keeper, namespace, archive, recorded, found } = await newKeeper(t, () => of(5), { before });
  await end(client, namespace, 'web-4', 4, { applicationUID: 'uid' });
  const at = minute(3);
  const record = { uid: 'of-another', promotion: 'web-prod-3', application: 'web', environment: 'prod' };
  const times = { requestedAt: at, startedAt: at, finishedAt: at };
  const archived = {
    ...record,
    ...times,
    type: 'Promote',
    phase: 'Succeeded',
    by: 'towpath:Commit',
  } as const;
  await archive.append(namespace, () => [{ ...archived, deployment: 3 }], AbortSignal.timeout(10_000));
  keeper.lead();
  await eventually(() => found.length > 0, { describe: 'all Promotions to be looked at' });
  await keeper.follow();
  assert.deepEqual(recorded.map(({ id }) => id).sort(), [1, 2, 5]);
  assert.deepEqual(found, [3, 4]);
});

test('D7: what is under way in a target that is not there any more is over', async (t) => {
  const { client, keeper, namespace, recorded, left } = await newKeeper(t, undefined, { isUnderWay: true });
  await end(client, namespace, 'gone-1', 0, {}, 'Deploying');
  keeper.lead();
  await eventually(() => left.length > 0, { describe: 'all Promotions to be looked at' });
  await keeper.follow();
  assert.deepEqual(left, [`${namespace}/gone/prod`]);
  assert.deepEqual(recorded, []);
});

test('what a person asked for while Promotions were listed is not gone', async (t) => {
  const { client, keeper, namespace, recorded } = await newKeeper(t, () => annas(minute(24 * 60)));
  await end(client, namespace, 'web-1', 0);
  await swept(client, keeper, namespace);
  assert.deepEqual(recorded, []);
});

test('what stands in place of a Promotion of a person is archived as that one, once, and goes when the archive has it', async (t) => {
  const { client, keeper, namespace } = await newKeeper(t);
  const inPlaceOf = { promotion: 'annas', uid: 'anna-1', requestedBy: 'anna' };
  await end(client, namespace, 'web-1', 0, { inPlaceOf });
  await end(client, namespace, 'web-2', 1);
  await end(client, namespace, 'web-3', 2);
  const lines = (await swept(client, keeper, namespace)).trim().split('\n');
  const byAnna = lines.filter((line) => line.startsWith('{"uid":"anna-1"') && line.includes('"by":"anna"'));
  assert.equal(lines.length, 3);
  assert.equal(byAnna.length, 1);
  keeper.lead();
  const left = async () => (await client.list({ resource: PROMOTIONS, namespace }, {}, {})).items.length;
  await eventually(async () => (await left()) === 2, { describe: 'the oldest to go' });
});
