import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { targetId } from '../../operator/controller/record.ts';
import { useControlPlane } from '../harness/control-plane.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { isReadyAt, newStage } from '../harness/operator.ts';

const configMap = (name: string, message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {message: "${message}"}\n`;

test('D7: target records survive lost answers, leftovers, damage and deletion', {
  timeout: 240_000,
}, async (t) => {
  const cluster = await useControlPlane();
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  const stage = await newStage(t, {
    files: { 'web/web.yaml': configMap('web', 'one') },
    kubeconfigPath: proxy.kubeconfigPath,
  });
  const idOf = (application: string) =>
    targetId(`${stage.namespace}/towpath`, {
      namespace: stage.namespace,
      application,
      environment: 'default',
    });

  await t.test('the first record was written, but its answer was lost', async () => {
    const held = proxy.hold({ verb: 'create', path: /\/secrets/, at: 'response' });
    await stage.application('web', { source: { path: 'web' } });
    await held.seen;
    held.drop();
    const first = await stage.repository.revParse('main');
    await stage.until('web', (application) => isReadyAt(application, first), 'web to be Ready');
  });

  await t.test('somebody deletes the record', async () => {
    await stage.kubectl('delete', 'secret', `towpath-target-${idOf('web')}`);
    const second = await stage.repository.commit({ 'web/web.yaml': configMap('web', 'two') });
    await stage.until('web', (application) => isReadyAt(application, second), 'the second revision');
    await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
    await stage.until(
      'web',
      async () =>
        (await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}')) === 'two',
      'drift to be repaired',
    );
  });

  await t.test('somebody damages it, and the operator starts anew', async () => {
    await stage.kubectl(
      'patch',
      'secret',
      `towpath-target-${idOf('web')}`,
      '-p',
      '{"data":{"record":"bm8="}}',
    );
    await stage.restart('SIGTERM');
    const third = await stage.repository.commit({ 'web/web.yaml': configMap('web', 'three') });
    await stage.until('web', (application) => isReadyAt(application, third), 'the third revision', 60_000);
  });

  await t.test('a chunk was left by a run that died before it was recorded', async () => {
    const chunk = `towpath-target-${idOf('large')}-1`;
    await stage.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: chunk },
      data: { chunk: 'bGVmdA==' },
    });
    const files = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [
        `large/${index}.yaml`,
        configMap(`large-${index}`, randomBytes(60_000).toString('base64')),
      ]),
    );
    const revision = await stage.repository.commit(files);
    await stage.application('large', { source: { path: 'large' } });
    const ready = await stage.until(
      'large',
      (application) => isReadyAt(application, revision),
      'large to be Ready',
    );
    assert.equal(ready.status?.environments?.[0]?.objects, 8);
    await stage.kubectl('delete', 'configmap', 'large-3');
    await stage.until(
      'large',
      async () =>
        (await stage.kubectl('get', 'configmap', 'large-3', '--ignore-not-found', '-o', 'name')) !== '',
      'the deleted object to be back, from its chunk',
    );
    await stage.kubectl('delete', 'applications.towpath.dev', 'large', '--timeout=20s');
    assert.equal(await stage.kubectl('get', 'secret', chunk, '--ignore-not-found', '-o', 'name'), '');
  });
});
