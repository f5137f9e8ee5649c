import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { conditionOf } from '../harness/operator.ts';
import { useControlPlane } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';
import { claim, configMap, messageOf, newSteps, reasonOf, volumeFor } from './steps.ts';

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'token' },
  stringData: { key: 's3cret' },
};
test('an Application deletes what it made, and nothing else', async (t) => {
  const { stage, deploy, change, live } = await newSteps(t);

  await t.test('D1: an object that copied our labels and annotations survives', async () => {
    await deploy('copies', [configMap('copies-a'), configMap('copies-b')]);
    const original = await live('configmap', 'copies-a');
    const copy = {
      ...configMap('copies-c'),
      metadata: {
        name: 'copies-c',
        labels: original?.metadata.labels ?? {},
        annotations: original?.metadata.annotations ?? {},
      },
    };
    await stage.apply(copy);
    // One whose annotation names its own identity as well.
    const forged = original?.metadata.annotations?.['towpath.dev/owner']?.replace('copies-a', 'copies-d');
    await stage.apply({
      ...copy,
      metadata: { ...copy.metadata, name: 'copies-d', annotations: { 'towpath.dev/owner': forged ?? '' } },
    });
    const after = await change('copies', [configMap('copies-a')]);
    assert.equal(await live('configmap', 'copies-b'), undefined);
    assert.ok(await live('configmap', 'copies-c'));
    assert.ok(await live('configmap', 'copies-d'));
    const kept = after.status?.kept?.map(({ object }) => object.name).sort();
    assert.deepEqual(kept, ['copies-c', 'copies-d']);
    assert.match(after.status?.kept?.[0]?.reason ?? '', /this target did not apply it/);
    await stage.kubectl('delete', 'applications.towpath.dev', 'copies', '--timeout=20s');
    assert.equal(await live('configmap', 'copies-a'), undefined);
    assert.ok(await live('configmap', 'copies-c'));
    assert.ok(await live('configmap', 'copies-d'));
  });

  await t.test('D4: a PersistentVolumeClaim is kept, and the status says why', async (t) => {
    await volumeFor(t, stage, 'disk');
    await deploy('claims', [configMap('claims'), claim('disk')]);
    const after = await change('claims', [configMap('claims')]);
    assert.ok(await live('pvc', 'disk'));
    assert.deepEqual(after.status?.kept?.[0]?.object.name, 'disk');
    assert.match(after.status?.kept?.[0]?.reason ?? '', /towpath\.dev\/prune: enabled/);
  });

  await t.test('D4: a PersistentVolumeClaim that allows it is pruned', async (t) => {
    await volumeFor(t, stage, 'scratch');
    const allowed = claim('scratch', { 'towpath.dev/prune': 'enabled' });
    await deploy('scratches', [configMap('scratches'), allowed]);
    const after = await change('scratches', [configMap('scratches')]);
    await eventually(async () => (await live('pvc', 'scratch')) === undefined, {
      describe: 'the claim to go',
    });
    assert.equal(after.status?.kept, undefined);
  });

  await t.test('D4: what says disabled, or keep as Helm says it, is kept, also by deletion', async () => {
    const disabled = configMap('keeps-disabled', {}, { 'towpath.dev/prune': 'disabled' });
    const keep = configMap('keeps-helm', {}, { 'helm.sh/resource-policy': 'keep' });
    await deploy('keeps', [configMap('keeps'), disabled, keep]);
    const after = await change('keeps', [configMap('keeps')]);
    const kept = Object.fromEntries((after.status?.kept ?? []).map((one) => [one.object.name, one.reason]));
    assert.match(kept['keeps-disabled'] ?? '', /towpath\.dev\/prune is "disabled"/);
    assert.match(kept['keeps-helm'] ?? '', /helm\.sh\/resource-policy is "keep"/);
    await stage.kubectl('delete', 'applications.towpath.dev', 'keeps', '--timeout=20s');
    assert.equal(await live('configmap', 'keeps'), undefined);
    assert.ok(await live('configmap', 'keeps-disabled'));
    const left = await live('configmap', 'keeps-helm');
    assert.equal(left?.metadata.labels?.['towpath.dev/target'], undefined, 'it belongs to nobody any more');
  });

  await t.test('with spec.sync.prune false nothing is deleted, and the status says so', async () => {
    await deploy('unpruned', [configMap('unpruned-a'), configMap('unpruned-b')], { sync: { prune: false } });
    const after = await change('unpruned', [configMap('unpruned-a')]);
    assert.ok(await live('configmap', 'unpruned-b'));
    assert.match(after.status?.kept?.[0]?.reason ?? '', /spec\.sync\.prune is false/);
  });
});

test('D1: an object recreated by someone else between plan and delete survives', async (t) => {
  const cluster = await useControlPlane();
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  const { stage, deploy, push, ready, live } = await newSteps(t, { kubeconfigPath: proxy.kubeconfigPath });
  await deploy('races', [configMap('races-a'), configMap('races-b')]);
  const held = proxy.hold({ verb: 'delete', path: /configmaps\/races-b/ });
  const commit = await push('races', [configMap('races-a')]);
  await held.seen;
  await stage.kubectl('delete', 'configmap', 'races-b');
  await stage.apply(configMap('races-b', { whose: 'mine' }));
  held.release();
  await ready('races', commit);
  assert.deepEqual((await live('configmap', 'races-b'))?.data, { whose: 'mine' });

  await t.test('D5: an object that appears between look and apply is refused like any other', async () => {
    const held = proxy.hold({
      verb: 'apply',
      path: /configmaps\/appears/,
      where: ({ dryRun }) => !dryRun,
    });
    await push('appears', [configMap('appears', { whose: 'Git' })]);
    await stage.application('appears', { source: { path: 'appears' } });
    await held.seen;
    await stage.apply(configMap('appears', { whose: 'mine' }));
    held.release();
    await stage.until('appears', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
    assert.deepEqual((await live('configmap', 'appears'))?.data, { whose: 'mine' });
  });
});

test('two Applications never fight over one object', async (t) => {
  const { stage, deploy, push, live } = await newSteps(t);

  for (const [first, second] of [
    ['one', 'other'],
    ['zwei', 'anderer'],
  ] as const) {
    await t.test(
      `D5: ${first} keeps its object, ${second} is refused, and takes it when it is free`,
      async () => {
        const name = `shared-${first}`;
        await deploy(first, [configMap(name, { by: first })]);
        await push(second, [configMap(name, { by: second })]);
        await stage.application(second, { source: { path: second } });
        const refused = await stage.until(second, (one) => reasonOf(one) === 'NotOwned', `${second} refused`);
        assert.match(messageOf(refused), new RegExp(`belongs to Application ${stage.namespace}/${first}`));
        assert.equal((await live('configmap', name))?.data?.['by'], first);
        // A sync asked for, and an annotation that adopts, change nothing: another target's is never taken.
        await stage.kubectl('annotate', 'applications.towpath.dev', second, 'towpath.dev/adopt=true');
        const request = await stage.requestSync(second);
        await stage.until(
          second,
          ({ status }) => status?.handledSyncRequest === request,
          'the request handled',
        );
        assert.equal((await live('configmap', name))?.data?.['by'], first);
        await stage.kubectl('delete', 'applications.towpath.dev', first, '--timeout=20s');
        await stage.requestSync(second);
        await stage.until(second, (one) => reasonOf(one) === 'Synced', `${second} to take it`);
        assert.equal((await live('configmap', name))?.data?.['by'], second);
      },
    );
  }

  await t.test(
    'an object that exists without our identity is refused, though nothing conflicts',
    async () => {
      await stage.apply(configMap('strange', { own: 'x' }));
      await push('strangers', [configMap('strange', { other: 'y' })]);
      await stage.application('strangers', { source: { path: 'strangers' } });
      const refused = await stage.until('strangers', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
      assert.match(messageOf(refused), /towpath\.dev\/adopt/);
      assert.deepEqual((await live('configmap', 'strange'))?.data, { own: 'x' });
    },
  );
});

test('writes are made as the ServiceAccount of the Application', async (t) => {
  const cluster = await useControlPlane();
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  const { stage, deploy, push, live } = await newSteps(t, { kubeconfigPath: proxy.kubeconfigPath });

  await t.test('S1: every write of an object impersonates it', async () => {
    proxy.forget();
    await deploy('writes', [configMap('writes'), secret]);
    const user = `system:serviceaccount:${stage.namespace}:towpath`;
    const writes = proxy.find({
      verb: ['apply', 'create', 'update', 'patch', 'delete'],
      path: /writes|token/,
    });
    const ofObjects = writes.filter(
      ({ path }) => !path.includes('towpath.dev') && !path.includes('towpath-target'),
    );
    assert.ok(ofObjects.length >= 4, 'a dry-run and an apply of each');
    assert.deepEqual([...new Set(ofObjects.map(({ impersonate }) => impersonate))], [user]);
  });

  await t.test(
    "S1: without rights on Secrets an Application with one fails with the API server's words",
    async () => {
      const role = `limited-${randomBytes(3).toString('hex')}`;
      await stage.kubectl('create', 'serviceaccount', 'limited');
      await stage.kubectl('create', 'role', role, '--verb=*', '--resource=configmaps');
      await stage.kubectl(
        ...['create', 'rolebinding', role, `--role=${role}`, `--serviceaccount=${stage.namespace}:limited`],
      );
      proxy.forget();
      await push('limits', [configMap('limits'), { ...secret, metadata: { name: 'limits' } }]);
      await stage.application('limits', { source: { path: 'limits' }, serviceAccountName: 'limited' });
      const refused = await stage.until('limits', (one) => reasonOf(one) === 'Forbidden', 'the refusal');
      assert.match(
        messageOf(refused),
        /secrets is forbidden: User "system:serviceaccount:.*:limited" cannot/,
      );
      assert.equal(conditionOf(refused, 'Ready')?.status, 'False');
      assert.equal(await live('configmap', 'limits'), undefined, 'nothing was written');
      const written = proxy.find({
        where: ({ impersonate, dryRun, method }) => impersonate !== '' && !dryRun && method !== 'GET',
      });
      assert.deepEqual(written, [], 'the rest of the cluster is untouched');
      await stage.kubectl(
        'patch',
        'role',
        role,
        '--type=json',
        '-p',
        JSON.stringify([{ op: 'replace', path: '/rules/0/resources', value: ['configmaps', 'secrets'] }]),
      );
      await stage.requestSync('limits');
      await stage.until('limits', (one) => reasonOf(one) === 'Synced', 'the right to help');
    },
  );

  await t.test(
    'S1: a right that is taken away ends what it allowed, and is told; given back, work goes on',
    async () => {
      await deploy('taken', [configMap('taken', { by: 'git' }), { ...secret, metadata: { name: 'taken' } }]);
      await stage.kubectl('delete', 'rolebinding', 'towpath');
      proxy.forget();
      await stage.kubectl('patch', 'configmap', 'taken', '-p', '{"data":{"by":"somebody"}}');
      const refused = await stage.until('taken', (one) => reasonOf(one) === 'Forbidden', 'the refusal');
      assert.match(messageOf(refused), /User "system:serviceaccount:.*:towpath" cannot/);
      assert.equal((await live('configmap', 'taken'))?.data?.by, 'somebody');
      const answers = proxy.find({ verb: 'apply', path: /taken/ });
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [403]);
      await stage.kubectl(
        ...['create', 'rolebinding', 'towpath', '--clusterrole=edit'],
        `--serviceaccount=${stage.namespace}:towpath`,
      );
      await stage.until('taken', (one) => reasonOf(one) === 'Synced', 'the right to help', 40_000);
      assert.equal((await live('configmap', 'taken'))?.data?.by, 'git');
    },
  );
});
