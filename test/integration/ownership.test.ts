import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerAnnotation } from '../../operator/manifest/live.ts';
import { isReadyAt } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { claim, configMap, messageOf, newProxiedSteps, newSteps, reasonOf, volumeFor } from './steps.ts';

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'token' },
  stringData: { key: 's3cret' },
};
test('an Application deletes what it made, and nothing else', async (t) => {
  const { stage, deploy, change, live, push, ready } = await newSteps(t);

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

  await t.test('D1: an object of ours whose managedFields somebody cleared is repaired', async () => {
    await deploy('cleared', [configMap('cleared', { a: '1', b: '1' })]);
    const clear = JSON.stringify({ metadata: { managedFields: [{}] }, data: { a: 'mine' } });
    await stage.kubectl('patch', 'configmap', 'cleared', '--type=merge', '-p', clear);
    const value = () => stage.kubectl('get', 'configmap', 'cleared', '-o', 'jsonpath={.data.a}');
    await eventually(async () => (await value()) === '1', { describe: 'the repair' });
    await ready('cleared', await push('cleared', [configMap('cleared', { a: '2' })]));
    assert.equal(await value(), '2');
    assert.deepEqual((await live('configmap', 'cleared'))?.data, { a: '2' }, 'D13: what left Git goes');
  });

  await t.test(
    'D5: what another id of the installation applied for the same Application is taken over when told to',
    async () => {
      const { namespace } = stage;
      const id = '0123456789abcdef0123';
      const owner = `${namespace}/returned/default`;
      const object = { group: '', kind: 'ConfigMap', namespace, name: 'returned' };
      const path = `/api/v1/namespaces/${namespace}/configmaps/returned`;
      const applied = await stage.cluster.request('PATCH', `${path}?fieldManager=towpath-${id}`, {
        body: {
          ...configMap('returned', { key: 'former', gone: 'soon' }),
          metadata: {
            name: 'returned',
            labels: { 'towpath.dev/target': id },
            annotations: { 'towpath.dev/owner': ownerAnnotation(owner, object) },
          },
        },
        contentType: 'application/apply-patch+yaml',
      });
      assert.equal(applied.status, 201, applied.body);
      const before = (await live('configmap', 'returned'))?.metadata.uid;
      const commit = await push('returned', [configMap('returned')]);
      await stage.application('returned', { source: { path: 'returned' } });
      const refused = await stage.until('returned', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
      assert.match(
        messageOf(refused),
        /was applied for this Application by an installation with another id\./,
      );
      await stage.kubectl('annotate', 'applications.towpath.dev', 'returned', 'towpath.dev/adopt=true');
      await ready('returned', commit);
      const after = await live('configmap', 'returned');
      assert.equal(after?.metadata.uid, before);
      assert.deepEqual(after?.data, { key: 'value' }, 'what the other id applied besides went');
      await stage.kubectl('delete', 'applications.towpath.dev', 'returned', '--timeout=20s');
      assert.equal(await live('configmap', 'returned'), undefined, 'it is its own');
    },
  );

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
    const asHelm = configMap('keeps-as-helm', {}, { 'helm.sh/resource-policy': ' Keep' });
    await deploy('keeps', [configMap('keeps'), disabled, keep, asHelm]);
    // By hand: in Git such a value is refused.
    await stage.kubectl('annotate', '--overwrite', 'configmap', 'keeps-as-helm', 'towpath.dev/prune=disable');
    const after = await change('keeps', [configMap('keeps')]);
    const kept = Object.fromEntries((after.status?.kept ?? []).map((one) => [one.object.name, one.reason]));
    assert.match(kept['keeps-disabled'] ?? '', /towpath\.dev\/prune is "disabled"/);
    assert.match(kept['keeps-helm'] ?? '', /helm\.sh\/resource-policy is "keep"/);
    assert.match(kept['keeps-as-helm'] ?? '', /towpath\.dev\/prune is "disable"/);
    await stage.kubectl('annotate', 'configmap', 'keeps-as-helm', 'towpath.dev/prune-');
    await stage.kubectl('delete', 'applications.towpath.dev', 'keeps', '--timeout=20s');
    assert.equal(await live('configmap', 'keeps'), undefined);
    assert.ok(await live('configmap', 'keeps-disabled'));
    assert.ok(await live('configmap', 'keeps-as-helm'));
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
  const { proxy, stage, deploy, push, ready, live } = await newProxiedSteps(t);
  await deploy('races', [configMap('races-a'), configMap('races-b')]);
  const held = proxy.hold({ verb: 'delete', path: /configmaps\/races-b/ });
  const commit = await push('races', [configMap('races-a')]);
  await held.seen;
  await stage.kubectl('delete', 'configmap', 'races-b');
  await stage.apply(configMap('races-b', { whose: 'mine' }));
  held.release();
  await ready('races', commit);
  assert.deepEqual((await live('configmap', 'races-b'))?.data, { whose: 'mine' });

  await t.test(
    'D1: an object that came to say prune: disabled between plan and delete survives',
    async () => {
      await deploy('spared', [configMap('spared-a'), configMap('spared-b')]);
      const held = proxy.hold({ verb: 'delete', path: /configmaps\/spared-b/ });
      const commit = await push('spared', [configMap('spared-a')]);
      const deletion = await held.seen;
      await stage.kubectl('annotate', 'configmap', 'spared-b', 'towpath.dev/prune=disabled');
      held.release();
      const after = await stage.until(
        'spared',
        (one) => isReadyAt(one, commit) && one.status?.kept !== undefined,
        'the status to tell what was kept',
      );
      assert.equal(deletion.status, 409, 'the resourceVersion is a precondition');
      assert.match(after.status?.kept?.[0]?.reason ?? '', /towpath\.dev\/prune is "disabled"/);
      assert.ok(await live('configmap', 'spared-b'));
    },
  );

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
  const { stage, deploy, change, push, live } = await newSteps(t);

  await t.test(
    'D5: the first keeps its object, the second is refused, and takes it when it is free',
    async () => {
      await deploy('one', [configMap('shared', { by: 'one' })]);
      await push('other', [configMap('shared', { by: 'other' })]);
      await stage.application('other', { source: { path: 'other' } });
      const refused = await stage.until('other', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
      assert.match(messageOf(refused), new RegExp(`belongs to Application ${stage.namespace}/one`));
      assert.equal((await live('configmap', 'shared'))?.data?.['by'], 'one');
      // A sync asked for, and an annotation that adopts, change nothing: another target's is never taken.
      await stage.kubectl('annotate', 'applications.towpath.dev', 'other', 'towpath.dev/adopt=true');
      const request = await stage.requestSync('other');
      await stage.until(
        'other',
        ({ status }) => status?.handledSyncRequest === request,
        'the request handled',
      );
      assert.equal((await live('configmap', 'shared'))?.data?.['by'], 'one');
      await stage.kubectl('delete', 'applications.towpath.dev', 'one', '--timeout=20s');
      await stage.requestSync('other');
      await stage.until('other', (one) => reasonOf(one) === 'Synced', 'the other to take it');
      assert.equal((await live('configmap', 'shared'))?.data?.['by'], 'other');
    },
  );

  await t.test('D5: what one applied first is not its own again where the next lost its marks', async () => {
    await deploy('giver', [configMap('given', { by: 'giver' })], { suspend: false });
    await stage.application('giver', { source: { path: 'giver' }, suspend: true });
    await stage.until('giver', ({ status }) => status?.sync === 'Suspended', 'the giver to rest');
    await stage.kubectl('label', 'configmap', 'given', 'towpath.dev/target-');
    await stage.kubectl('annotate', 'configmap', 'given', 'towpath.dev/owner-');
    const adopt = { 'towpath.dev/adopt': 'true' };
    await deploy('taker', [configMap('given', { by: 'taker' })], { sync: { drift: 'Report' } }, adopt);
    await stage.kubectl(
      'patch',
      'configmap',
      'given',
      '--type=merge',
      '-p',
      '{"metadata":{"managedFields":[{}]}}',
    );
    await stage.application('giver', { source: { path: 'giver' }, suspend: false });
    const refused = await stage.until('giver', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
    assert.match(messageOf(refused), /ConfigMap .*given /);
    assert.equal((await live('configmap', 'given'))?.data?.['by'], 'taker');
  });

  await t.test(
    'D5: who came first as an Application does not matter, but who had the object first',
    async () => {
      await deploy('elder', [configMap('elder')]);
      await deploy('younger', [configMap('younger'), configMap('late', { by: 'younger' })]);
      await push('elder', [configMap('elder'), configMap('late', { by: 'elder' })]);
      const refused = await stage.until('elder', (one) => reasonOf(one) === 'NotOwned', 'the elder refused');
      assert.match(messageOf(refused), new RegExp(`belongs to Application ${stage.namespace}/younger`));
      assert.equal((await live('configmap', 'late'))?.data?.['by'], 'younger');
      await stage.kubectl('delete', 'applications.towpath.dev', 'younger', '--timeout=20s');
      await stage.requestSync('elder');
      await stage.until('elder', (one) => reasonOf(one) === 'Synced', 'the elder to take it');
      assert.equal((await live('configmap', 'late'))?.data?.['by'], 'elder');
    },
  );

  await t.test(
    'D5: of two Applications made at once exactly one has the object, and the other is told',
    async () => {
      const pairs = [0, 1, 2, 3].map((pair) => [`left-${pair}`, `right-${pair}`]);
      for (const [pair, names] of pairs.entries())
        for (const name of names) await push(name, [configMap(`both-${pair}`, { by: name })]);
      const items = pairs.flat().map((name) => ({
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace: stage.namespace },
        spec: { source: { repoURL: stage.repoURL, interval: '1s', path: name } },
      }));
      await stage.apply({ apiVersion: 'v1', kind: 'List', items });
      for (const [pair, names] of pairs.entries()) {
        const reasons: Record<string, string> = {};
        const messages: string[] = [];
        for (const name of names) {
          const judged = await stage.until(
            name,
            (one) => ['Synced', 'NotOwned'].includes(reasonOf(one)),
            `${name} to be judged`,
          );
          reasons[reasonOf(judged)] = name;
          if (reasonOf(judged) === 'NotOwned') messages.push(messageOf(judged));
        }
        const owner = reasons['Synced'];
        assert.deepEqual(Object.keys(reasons).sort(), ['NotOwned', 'Synced'], JSON.stringify(reasons));
        const told = `(belongs to|is being made by) Application ${stage.namespace}/${owner},`;
        assert.match(messages[0] ?? '', new RegExp(told));
        assert.equal((await live('configmap', `both-${pair}`))?.data?.['by'], owner);
      }
    },
  );

  await t.test("D1: Applications with objects of one name never prune what is the other's", async () => {
    const twinSecret = { ...secret, metadata: { name: 'twin' } };
    await deploy('twin-a', [configMap('twin-a'), configMap('twin', { by: 'a' })]);
    const uid = (await live('configmap', 'twin'))?.metadata.uid;
    // One kind and name: refused, and then no longer wanted.
    await push('twin-b', [configMap('twin-b'), configMap('twin', { by: 'b' })]);
    await stage.application('twin-b', { source: { path: 'twin-b' } });
    await stage.until('twin-b', (one) => reasonOf(one) === 'NotOwned', 'the refusal');
    await change('twin-b', [configMap('twin-b')]);
    assert.equal((await live('configmap', 'twin'))?.metadata.uid, uid);
    // One name, another kind.
    await change('twin-b', [configMap('twin-b'), twinSecret]);
    await change('twin-b', [configMap('twin-b')]);
    assert.equal(await live('secret', 'twin'), undefined);
    assert.equal((await live('configmap', 'twin'))?.metadata.uid, uid);
    await stage.kubectl('delete', 'applications.towpath.dev', 'twin-b', '--timeout=20s');
    assert.equal((await live('configmap', 'twin'))?.metadata.uid, uid);
    assert.equal((await live('configmap', 'twin'))?.data?.['by'], 'a');
  });

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

test('an Application among its own manifests is refused, and can be deleted where it came about before', async (t) => {
  const { stage, deploy, push } = await newSteps(t);
  await deploy('self', [configMap('self')]);
  const itself = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'self', annotations: { 'towpath.dev/adopt': 'true' } },
    spec: { source: { repoURL: stage.repoURL, path: 'self' } },
  };
  await push('self', [configMap('self'), itself]);
  const held = await stage.until('self', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
  assert.equal(reasonOf(held), 'ManifestInvalid');
  assert.match(messageOf(held), /is among its own manifests: remove it there/);
  // An Application that deploys another has the operator watch this kind, and see the mark that follows.
  const inner = { ...itself, metadata: { name: 'inner' } };
  await push('outer', [{ ...inner, spec: { source: { repoURL: stage.repoURL, path: 'inner' } } }]);
  await push('inner', [configMap('inner')]);
  await stage.kubectl('create', 'role', 'outer', '--verb=*', '--resource=applications.towpath.dev');
  const account = `--serviceaccount=${stage.namespace}:towpath`;
  await stage.kubectl('create', 'rolebinding', 'outer', '--role=outer', account);
  await stage.deployed('outer', { source: { path: 'outer' } });
  const { metadata } = JSON.parse(await stage.kubectl('get', 'configmap', 'self', '-o', 'json')) as {
    metadata: { labels: Record<string, string>; annotations: Record<string, string> };
  };
  const owner = metadata.annotations['towpath.dev/owner']?.replace('/ConfigMap/', 'towpath.dev/Application/');
  const annotations = { ...itself.metadata.annotations, 'towpath.dev/owner': owner };
  const marked = { ...itself, metadata: { name: 'self', labels: metadata.labels, annotations } };
  const manager = `--field-manager=towpath-${metadata.labels['towpath.dev/target']}`;
  const sent = await stage.cluster.kubectl(
    ['-n', stage.namespace, 'apply', '--server-side', '--force-conflicts', manager, '-f', '-'],
    { input: JSON.stringify(marked) },
  );
  assert.equal(sent.code, 0, sent.stderr);
  // It left Git, marked as what this Application deployed, and stays all the same.
  await stage.untilReadyAt('self', await push('self', [configMap('self', { key: 'new' })]));
  const kept = /It is the Application that deploys this target/;
  await stage.until('self', ({ status }) => kept.test(JSON.stringify(status)), 'it to be told as kept');
  await stage.kubectl('delete', 'applications.towpath.dev', 'self', '--timeout=20s');
  assert.equal(await stage.kubectl('get', 'configmap', 'self', '--ignore-not-found', '-o', 'name'), '');
});
