import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { installCRDs } from '../../../test/harness/operator.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { eventually } from '../../../test/harness/wait.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_RECORDS, LABEL_LEDGER } from '../../api/v1alpha1/names.ts';
import { KubeClient } from '../../kube/client.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { newLogger } from '../../observe/log.ts';
import { Archive } from './archive.ts';
import { LedgerKeeper } from './keeper.ts';
import { PROMOTIONS } from './ledger.ts';

const BEGIN = Date.now() - 60 * 60_000;
const minute = (count: number) => new Date(BEGIN + count * 60_000).toISOString();

/** A keeper of a namespace in which `web` is, with nothing recorded of it but its status. */
async function newKeeper(t: TestContext) {
  const cluster = await useControlPlane();
  await installCRDs(cluster);
  const namespace = await namespaceFor(t, cluster);
  const client = KubeClient.fromKubeConfig(cluster.kubeconfigPath);
  t.after(() => client.close());
  const application = { status: { environments: [{ name: 'prod' }] } } as unknown as Application;
  const keeper = new LedgerKeeper({
    client,
    archive: new Archive({ client, namespace, most: 40 }),
    log: newLogger('error', 'json', () => undefined),
    slices: new Slices(),
    namespace,
    intervalMs: 20,
    keep: 2,
    gone: { promotions: 3, chunks: 40, retentionMs: 24 * 60 * 60_000 },
    ledger: { record: () => undefined, isUnderWay: () => false, found: () => undefined },
    applicationOf: (key) => (key === `${namespace}/web` ? application : undefined),
    recordsOf: () => [],
    keys: () => [`${namespace}/web`],
  });
  return { client, keeper, namespace };
}

async function end(client: KubeClient, namespace: string, name: string, at: number): Promise<void> {
  const application = name.replace(/-\d+$/, '');
  const id = Number(/\d+$/.exec(name));
  const spec = {
    type: 'Promote',
    application,
    environment: 'prod',
    candidate: `sha256:${'0'.repeat(64)}`,
    requestedBy: 'towpath:Commit',
    deployment: { applicationUID: application, id, startedAt: minute(at) },
  };
  const body = { apiVersion: 'towpath.dev/v1alpha1', kind: 'Promotion', metadata: { name, namespace }, spec };
  await client.create({ resource: PROMOTIONS, namespace }, body, {}, {});
  const status = { phase: 'Succeeded', deployment: id, finishedAt: minute(at) };
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
