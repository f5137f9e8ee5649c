import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startFaultProxy } from '../../../test/harness/fault-proxy.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import type { LedgerRecord } from '../../api/v1alpha1/ledger.ts';
import { LABEL_LEDGER } from '../../api/v1alpha1/names.ts';
import { KubeClient } from '../../kube/client.ts';
import { sha256 } from '../../manifest/digest.ts';
import { Archive } from './archive.ts';

const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const HOUR_MS = 60 * 60_000;

async function newArchive(t: TestContext, most = 40) {
  const cluster = await useControlPlane();
  const own = await namespaceFor(t, cluster);
  const proxy = await startFaultProxy(cluster);
  const client = KubeClient.fromKubeConfig(proxy.kubeconfigPath);
  t.after(async () => {
    await client.close();
    await proxy.stop();
  });
  const archive = new Archive({ client, namespace: own, most });
  return { archive, proxy, client, own, signal: AbortSignal.timeout(60_000) };
}

/** One an hour; their digests do not compress. */
function recordsOf(count: number, application = 'web', begin = BEGIN): LedgerRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const at = new Date(begin + index * HOUR_MS).toISOString();
    const digest = (what: string) => `sha256:${sha256(`${application} ${what} ${begin} ${index}`)}`;
    return {
      uid: digest('uid').slice(7, 43),
      promotion: `${application}-prod-${index + 1}`,
      application,
      environment: 'prod',
      type: 'Promote',
      phase: 'Succeeded',
      by: 'towpath:Commit',
      deployment: index + 1,
      candidate: digest('candidate'),
      digest: digest('digest'),
      revision: digest('revision').slice(7, 47),
      requestedAt: at,
      startedAt: at,
      finishedAt: at,
    };
  });
}

test('A23: whether the archive has a record costs one read, however many ConfigMaps it has', async (t) => {
  const { archive, proxy, signal } = await newArchive(t);
  const records = recordsOf(1_200);
  await archive.append('shop', () => records, signal);
  const chunks = proxy.find({ method: 'POST', path: /\/configmaps$/ }).length;
  assert.ok(chunks >= 4, `${chunks} ConfigMaps`);
  for (const record of [records[0], records[500], records.at(-1)]) {
    assert.ok(record);
    proxy.forget();
    assert.deepEqual(await archive.missing('shop', [record], signal), []);
    assert.equal(proxy.find({ method: 'GET' }).length, 1);
    const other = { ...record, uid: 'another' };
    assert.deepEqual(await archive.missing('shop', [other], signal), [other]);
  }
  const later = recordsOf(1, 'web', BEGIN + 10_000 * HOUR_MS);
  proxy.forget();
  assert.deepEqual(await archive.missing('shop', later, signal), later);
  assert.deepEqual(proxy.find({ method: 'GET' }), [], 'none is of its time');
});

test('D8: whether the archive has a deployment is known by what that is, whatever the uid of its record, in all ConfigMaps that may have it', async (t) => {
  const { archive, signal } = await newArchive(t);
  const records = recordsOf(600);
  const [first, second] = records;
  assert.ok(first && second);
  // It ended long after it began.
  const late = { ...first, uid: 'late', deployment: 700, finishedAt: records.at(-1)?.finishedAt ?? '' };
  await archive.append('shop', () => [...records, late], signal);
  const deployment = (id: number, startedAt = '', application = 'web') => ({
    target: `shop/${application}/prod`,
    id,
    startedAt,
  });
  const there = [deployment(1, first.startedAt), deployment(700, first.startedAt)];
  const others = [
    deployment(1, second.startedAt),
    deployment(601, first.startedAt),
    deployment(2, second.startedAt, 'api'),
  ];
  assert.deepEqual(await archive.lacking('shop', [...there, ...others], signal), others);
  assert.deepEqual(await archive.lacking('shop', there, signal), []);
  assert.deepEqual(await archive.lacking('another', there, signal), there);
});

test('A23: what the archive has of namespaces that are gone is bounded by itself, the oldest first, and nothing else goes', async (t) => {
  const { archive, client, own, signal } = await newArchive(t);
  const rows: [namespace: string, begin: number][] = [
    ['older', BEGIN],
    ['newer', BEGIN + 1_000 * HOUR_MS],
    ['newest', BEGIN + 2_000 * HOUR_MS],
    ['in-use', BEGIN],
  ];
  for (const [namespace, begin] of rows)
    await archive.append(namespace, () => recordsOf(1, namespace, begin), signal);
  const left = async () => {
    const path = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace: own };
    const { items } = await client.list(path, { labelSelector: LABEL_LEDGER }, { signal });
    return items.map(({ metadata: { name } }) => name.replace('towpath-ledger', '')).sort();
  };
  const isInUse = (namespace: string) => namespace === 'in-use';
  const retire = (bounds: { most: number; since: number }, of?: string) =>
    archive.retire(isInUse, { bounds, of }, signal);
  await retire({ most: 3, since: BEGIN });
  assert.deepEqual(await left(), ['.in-use.000001', '.newer.000001', '.newest.000001', '.older.000001']);
  await retire({ most: 0, since: BEGIN }, 'another');
  await retire({ most: 2, since: BEGIN });
  assert.deepEqual(await left(), ['', '.in-use.000001', '.newer.000001', '.newest.000001'], 'too many');
  await retire({ most: 2, since: BEGIN + 1_500 * HOUR_MS });
  assert.deepEqual(await left(), ['', '.in-use.000001', '.newest.000001'], 'too old');
  // One of its name does not look as if nothing had been before it.
  await archive.append('older', () => recordsOf(1, 'older', BEGIN + 3_000 * HOUR_MS), signal);
  assert.ok((await left()).includes('.older.000002'));
});
