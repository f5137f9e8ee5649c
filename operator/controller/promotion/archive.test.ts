import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startFaultProxy } from '../../../test/harness/fault-proxy.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import type { LedgerRecord } from '../../api/v1alpha1/ledger.ts';
import { KubeClient } from '../../kube/client.ts';
import { sha256 } from '../../manifest/digest.ts';
import { Archive } from './archive.ts';

const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const HOUR_MS = 60 * 60_000;

async function newArchive(t: TestContext) {
  const cluster = await useControlPlane();
  const own = await namespaceFor(t, cluster);
  const proxy = await startFaultProxy(cluster);
  const client = KubeClient.fromKubeConfig(proxy.kubeconfigPath);
  t.after(async () => {
    await client.close();
    await proxy.stop();
  });
  const archive = new Archive({ client, namespace: own, most: 40 });
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
