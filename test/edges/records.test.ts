import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HeldRequest } from '../harness/fault-proxy.ts';
import { conditionOf } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf, recordSecretOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (name: string, message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {message: "${message}"}\n`;

const secret = (name: string, key = 'dmFsdWU=') =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\ndata: {key: "${key}"}\n`;

test('D7: target records survive lost answers, leftovers, damage and deletion', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web/web.yaml': configMap('web', 'one') },
  });
  const secretOf = (application: string) => recordSecretOf(stage, application);

  await t.test('the first record was written, but its answer was lost', async () => {
    const held = proxy.hold({ verb: 'create', path: /\/secrets/, at: 'response' });
    await stage.application('web', { source: { path: 'web' } });
    await held.seen;
    held.drop();
    const first = await stage.repository.revParse('main');
    await stage.untilReadyAt('web', first);
  });

  await t.test('somebody deletes the record', async () => {
    await stage.kubectl('delete', 'secret', secretOf('web'));
    const second = await stage.repository.commit({ 'web/web.yaml': configMap('web', 'two') });
    await stage.untilReadyAt('web', second);
    await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
    await stage.until(
      'web',
      async () =>
        (await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}')) === 'two',
      'drift to be repaired',
    );
  });

  await t.test('somebody damages it, and the operator starts anew', async () => {
    await stage.kubectl('patch', 'secret', secretOf('web'), '-p', '{"data":{"record":"bm8="}}');
    await stage.restart('SIGTERM');
    const third = await stage.repository.commit({ 'web/web.yaml': configMap('web', 'three') });
    await stage.untilReadyAt('web', third);
  });

  await t.test(
    'the record of an Application is lost, and so are what left Git and the Application itself',
    async () => {
      const two = { 'two/a.yaml': configMap('two-a', 'one'), 'two/secret.yaml': secret('two-b') };
      const revision = await stage.repository.commit(two);
      await stage.application('two', { source: { path: 'two' } });
      await stage.untilReadyAt('two', revision);
      await stage.operator.stop('SIGTERM');
      await stage.kubectl('delete', 'secret', secretOf('two'));
      // The commit that comes first has none of the kind that leaves.
      const less = await stage.repository.commit({ 'two/secret.yaml': null });
      await stage.restart();
      const ready = await stage.untilReadyAt('two', less);
      assert.equal(await stage.kubectl('get', 'secret', 'two-b', '--ignore-not-found', '-o', 'name'), '');
      assert.deepEqual(
        environmentOf(ready.status)?.history?.map(({ id }) => id),
        [2, 1],
      );

      await stage.operator.stop('SIGTERM');
      await stage.kubectl('delete', 'secret', secretOf('two'));
      await stage.kubectl('delete', 'applications.towpath.dev', 'two', '--wait=false');
      await stage.restart();
      await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/two', '--timeout=20s');
      assert.equal(await stage.kubectl('get', 'configmap', 'two-a', '--ignore-not-found', '-o', 'name'), '');
    },
  );

  await t.test(
    'the record is lost, and the account may not look for what is there: the deletion waits, and ends when it may, also where the operator is killed on its way',
    async () => {
      const three = { 'three/a.yaml': configMap('three-a', 'one'), 'three/secret.yaml': secret('three-b') };
      const revision = await stage.repository.commit(three);
      await stage.application('three', { source: { path: 'three' } });
      await stage.untilReadyAt('three', revision);
      await stage.operator.stop('SIGTERM');
      await stage.kubectl('delete', 'secret', secretOf('three'));
      await stage.kubectl('delete', 'rolebinding', 'towpath');
      await stage.restart();
      const blocked = await stage.until(
        'three',
        ({ status }) => environmentOf(status)?.sync === 'Blocked',
        'it to be told that the account may do nothing',
      );
      assert.equal(environmentOf(blocked.status)?.objects, 2, 'they are there still');
      await stage.kubectl('delete', 'applications.towpath.dev', 'three', '--wait=false');
      const told = await stage.until(
        'three',
        (application) => conditionOf(application, 'Ready')?.reason === 'DeletionFailed',
        'the deletion to say what it cannot look for',
      );
      const message = conditionOf(told, 'Ready')?.message ?? '';
      assert.match(
        message,
        /record is lost; of 2 objects 1 can be found, and \d+ kinds cannot be listed: list Secret/,
      );
      assert.match(message, /annotate towpath\.dev\/abandon=default/);
      const left = () =>
        stage.kubectl('get', 'configmap/three-a', 'secret/three-b', '--ignore-not-found', '-o', 'name');
      assert.equal((await left()).trim().split('\n').length, 2, 'nothing of it is deleted before');

      const held = proxy.hold({ verb: 'delete', path: /\/configmaps\/three-a/, at: 'response' });
      const account = `--serviceaccount=${stage.namespace}:towpath`;
      await stage.kubectl('create', 'rolebinding', 'towpath', '--clusterrole=edit', account);
      await held.seen;
      await stage.operator.stop('SIGKILL');
      held.drop();
      held.release();
      await stage.restart();
      await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/three', '--timeout=60s');
      assert.equal(await left(), '');
    },
  );

  await t.test('the API server refuses the record: nothing is applied, and the status says why', async () => {
    const rule = proxy.fail({ verb: ['create', 'patch'], path: /\/secrets/, fault: { status: 403 } });
    const revision = await stage.repository.commit({ 'kept/kept.yaml': configMap('kept', 'one') });
    await stage.application('kept', { source: { path: 'kept' } });
    const told = await stage.until(
      'kept',
      (application) => conditionOf(application, 'Ready')?.reason === 'RecordNotSaved',
      'the refusal to be told',
    );
    assert.match(conditionOf(told, 'Ready')?.message ?? '', /cannot write Secret .*towpath-application-/);
    assert.equal(conditionOf(told, 'Reconciling')?.status, 'True');
    assert.equal(await stage.kubectl('get', 'configmap', 'kept', '--ignore-not-found', '-o', 'name'), '');
    rule.remove();
    await stage.untilReadyAt('kept', revision);
  });

  await t.test('an object that no Secret could keep whole, because it does not shrink', async () => {
    // The largest Secret that Kubernetes takes has 1 MiB.
    const data = randomBytes(1_040_000).toString('base64');
    const revision = await stage.repository.commit({ 'huge/huge.yaml': secret('huge', data) });
    await stage.application('huge', { source: { path: 'huge' } });
    await stage.untilReadyAt('huge', revision);
    await stage.restart('SIGTERM');
    await stage.kubectl('delete', 'secret', 'huge');
    await stage.until(
      'huge',
      async () =>
        (await stage.kubectl('get', 'secret', 'huge', '--ignore-not-found', '-o', 'jsonpath={.data.key}')) ===
        data,
      'it to be back, from what was kept',
    );
  });

  await t.test('manifests that fill several Secrets, and go with their Application', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [
        `large/${index}.yaml`,
        configMap(`large-${index}`, randomBytes(60_000).toString('base64')),
      ]),
    );
    const revision = await stage.repository.commit(files);
    await stage.application('large', { source: { path: 'large' } });
    const ready = await stage.untilReadyAt('large', revision);
    assert.equal(environmentOf(ready.status)?.objects, 8);

    const path = new RegExp(`/secrets/${secretOf('large')}$`);
    const secrets = async () =>
      (await stage.kubectl('get', 'secrets', '-o', 'name')).trim().split('\n').length;
    // Of a write that the API server failed to answer the manifests may be of use, but only those of the last try.
    for (const [status, most] of [
      [403, 0],
      [500, 1],
    ] as const) {
      const before = await secrets();
      const refusal = proxy.fail({ verb: 'patch', path, fault: { status } });
      const changed = configMap('large-0', randomBytes(600_000).toString('base64'));
      const next = await stage.repository.commit({ 'large/0.yaml': changed });
      await eventually(() => refusal.met >= 3, { describe: 'three tries to write the record' });
      await eventually(async () => (await secrets()) <= before + most, {
        describe: `at most ${most} Secrets to be left of the tries that were answered with ${status}`,
      });
      refusal.remove();
      await stage.untilReadyAt('large', next);
    }
    await stage.kubectl('delete', 'configmap', 'large-3');
    await stage.until(
      'large',
      async () =>
        (await stage.kubectl('get', 'configmap', 'large-3', '--ignore-not-found', '-o', 'name')) !== '',
      'the deleted object to be back, from its chunk',
    );

    await stage.kubectl('delete', 'applications.towpath.dev', 'large', '--timeout=20s');
    const left = await stage.kubectl('get', 'secrets', '-o', 'jsonpath={.items[*].metadata.name}');
    assert.ok(!left.includes(secretOf('large')), left);
  });

  // Both writes were carried out: one the API server failed to answer, and one has no answer at all.
  for (const [how, end] of [
    ['answered with 500', (held: HeldRequest) => held.answer(500)],
    ['without an answer', (held: HeldRequest) => held.drop()],
  ] as const) {
    const name = `kept-${how.split(' ').at(-1)}`;
    await t.test(`manifests that fill several Secrets, whose write was carried out and ${how}`, async () => {
      const push = (key: string, bytes: number) => {
        const data = randomBytes(bytes).toString('base64');
        return stage.repository.commit({ [`${name}/${key}.yaml`]: configMap(`${name}-${key}`, data) });
      };
      await push('large', 600_000);
      await stage.application(name, { source: { path: name } });
      await stage.untilReadyAt(name, await push('large', 600_000));
      const path = new RegExp(`/secrets/${secretOf(name)}$`);
      const held = proxy.hold({ verb: 'patch', path, at: 'response' });
      await push('large', 600_000);
      await held.seen;
      // What is accepted next must not take for useless what the write before it kept.
      const next = await push('small', 10);
      end(held);
      await stage.untilReadyAt(name, next);
      const message = () =>
        stage.kubectl(
          'get',
          'configmap',
          `${name}-large`,
          '--ignore-not-found',
          '-o',
          'jsonpath={.data.message}',
        );
      const before = await message();

      const repository = join(stage.repository.root, stage.repository.name);
      await rename(repository, `${repository}.away`);
      await stage.restart('SIGTERM');
      await stage.kubectl('delete', 'configmap', `${name}-large`);
      await stage.until(name, async () => (await message()) === before, 'it to be back, from what was kept');
      await rename(`${repository}.away`, repository);
    });
  }
});
