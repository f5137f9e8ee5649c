import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startControlPlane } from '../harness/control-plane.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { configMap, versionOf } from '../harness/sync-time.ts';
import { eventually } from '../harness/wait.ts';

test('A1: after etcd was restored from a backup what the cluster has is followed, without a restart', {
  timeout: 300_000,
}, async (t) => {
  const cluster = await startControlPlane();
  const stage = await newStage(t, {
    cluster,
    files: { 'web/web.yaml': configMap('web', '1'), 'late/late.yaml': configMap('late', '1') },
    flags: fastLease,
  });
  t.after(() => cluster.stop());
  const has = (version: string, what: string) =>
    eventually(async () => (await versionOf(stage, 'web')) === version, {
      every: 200,
      within: 60_000,
      describe: `${what}; ${stage.operator.process.logTail(20)}`,
    });
  await stage.deployed('web', { source: { path: 'web' } });
  const backup = join(temporaryDirectory('backup'), 'etcd');
  await cluster.offline((data) => cpSync(data, backup, { recursive: true }));

  // What comes after the backup, some of it often, so that every version that is remembered is far ahead.
  for (const version of ['2', '3']) {
    const revision = await stage.repository.commit({ 'web/web.yaml': configMap('web', version) });
    await stage.untilReadyAt('web', revision);
  }
  for (let count = 0; count < 300; count += 1)
    await cluster.request('PATCH', `/api/v1/namespaces/${stage.namespace}`, {
      body: { metadata: { labels: { count: String(count) } } },
      contentType: 'application/merge-patch+json',
    });
  await stage.deployed('late', { source: { path: 'late' } });
  const began = performance.now();
  await cluster.offline((data) => {
    rmSync(data, { recursive: true });
    cpSync(backup, data, { recursive: true });
  });
  await has('3', 'what Git wants to be there again');
  t.diagnostic(`after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  const head = await stage.repository.revParse('main');
  await stage.untilReadyAt('web', head);

  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"version":"drift"}}');
  await has('3', 'drift to be repaired');
  await stage.application('web', { source: { path: 'web' }, suspend: true });
  await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'the change of its spec');
  await stage.application('web', { source: { path: 'web' } });
  await stage.untilReadyAt('web', head);
  const metrics = await stage.operator.metrics();
  assert.match(
    metrics,
    /^towpath_applications\{sync="Synced",health="Healthy"\} 1$/m,
    'the one that came after the backup is gone',
  );
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=60s');
  assert.equal(await versionOf(stage, 'web'), undefined);
});
