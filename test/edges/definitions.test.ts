import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { definition } from '../harness/definition.ts';
import { fastLease } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import {
  configMap,
  messageOf,
  newProxiedSteps,
  newSteps,
  reasonOf,
  type TestObject,
} from '../integration/steps.ts';

test('A10: a definition that somebody else installs, removes and installs again is followed', async (t) => {
  const { stage, push, live, admin } = await newSteps(t, { flags: fastLease });
  const serviceAccountName = await admin(t);
  const group = `f${randomBytes(3).toString('hex')}.example.com`;
  const crd = definition('things', group, 'Thing');
  t.after(() => stage.cluster.kubectl(['delete', 'crd', crd.metadata.name, '--ignore-not-found']));
  const thing = { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' }, spec: { a: 'x' } };
  const commit = await push('things', [configMap('things'), thing]);
  await stage.application('things', { source: { path: 'things', interval: '1h' }, serviceAccountName });

  const waiting = await stage.until('things', (one) => reasonOf(one) === 'KindMissing', 'the missing kind');
  assert.match(messageOf(waiting), /does not serve kind Thing .*install its CustomResourceDefinition/);
  // Nobody asks for a sync, and Git has nothing new.
  await stage.apply(crd);
  await stage.untilReadyAt('things', commit, 15_000);
  assert.deepEqual((await live(`things.${group}`, 'one'))?.spec, { a: 'x' });

  await stage.kubectl('delete', 'crd', crd.metadata.name, '--timeout=30s');
  const gone = await stage.until(
    'things',
    (one) => reasonOf(one) === 'KindMissing',
    'the kind that went',
    15_000,
  );
  assert.match(messageOf(gone), /Thing/);
  assert.ok(await live('configmap', 'things'), 'the rest stays');

  await stage.apply(crd);
  await stage.untilReadyAt('things', commit, 15_000);
  assert.deepEqual((await live(`things.${group}`, 'one'))?.spec, { a: 'x' });
});

test('A10: what a changed schema allows is tried again while the API server may still judge by the old one', async (t) => {
  const { stage, proxy, push, admin } = await newProxiedSteps(t, { flags: fastLease });
  const serviceAccountName = await admin(t);
  const group = `f${randomBytes(3).toString('hex')}.example.com`;
  const crd = definition('things', group, 'Thing');
  t.after(() => stage.cluster.kubectl(['delete', 'crd', crd.metadata.name, '--ignore-not-found']));
  await stage.apply(crd);
  await stage.kubectl('wait', '--for=condition=Established', `crd/${crd.metadata.name}`, '--timeout=30s');
  // As it answers until it has taken in the new schema.
  const old = proxy.fail({ path: /\/things\/one\?/, verb: 'apply', fault: { status: 422 } });
  const thing = { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' }, spec: { a: 'x' } };
  const commit = await push('things', [thing]);
  await stage.application('things', { source: { path: 'things', interval: '1h' }, serviceAccountName });
  await stage.until('things', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
  const before = old.met;
  await stage.apply({ ...crd, spec: { ...crd.spec, names: { ...crd.spec.names, shortNames: ['th'] } } });
  await eventually(() => old.met > before, { describe: 'it to be tried after the change' });
  old.remove();
  await stage.untilReadyAt('things', commit);
});

test('a definition that no longer fits what is in Git is refused before anything is written', async (t) => {
  const { stage, push, deploy, live, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `f${randomBytes(3).toString('hex')}.example.com`;
  const crd = definition('things', group, 'Thing');
  t.after(() => stage.cluster.kubectl(['delete', 'crd', crd.metadata.name, '--ignore-not-found']));
  const thing = { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' }, spec: { a: 'x' } };
  await deploy('tighter', [crd, thing], { serviceAccountName });
  const { spec } = crd;
  const [v1] = spec.versions;
  const changed = (version: object, ...more: object[]): TestObject => ({
    ...crd,
    spec: { ...spec, versions: [{ ...v1, ...version }, ...more] },
  });
  const withA = (a: object) => ({
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: { type: 'object', properties: a } },
      },
    },
  });
  const v2 = { ...v1, name: 'v2' };
  for (const [what, definition, message] of [
    ['a field that is gone', changed(withA({})), /\.spec\.a: is no field/],
    ['another type', changed(withA({ a: { type: 'integer' } })), /\.spec\.a: must be of type integer/],
    ['a version that goes', changed({ served: false, storage: false }, v2), /v1 is not served/],
  ] as const) {
    const commit = await push('tighter', [definition, thing]);
    const held = await stage.until(
      'tighter',
      ({ status }) => status?.quarantine?.revision === commit,
      `${what} to be held back`,
    );
    assert.match(held.status?.quarantine?.errors?.[0]?.message ?? '', message);
    assert.deepEqual((await live(`things.${group}`, 'one'))?.spec, { a: 'x' }, what);
  }
});

test('a Namespace or a definition that leaves Git stays while objects in Git need it', async (t) => {
  const { stage, deploy, change, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `f${randomBytes(3).toString('hex')}.example.com`;
  const prunable = { 'towpath.dev/prune': 'enabled' };
  const crd = definition('things', group, 'Thing', { annotations: prunable });
  const other = `${stage.namespace}-other`;
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: other, annotations: prunable } };
  t.after(() => stage.cluster.kubectl(['delete', 'crd', crd.metadata.name, '--ignore-not-found']));
  t.after(() => stage.cluster.kubectl(['delete', 'namespace', other, '--ignore-not-found', '--wait=false']));
  const thing = { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' }, spec: { a: 'x' } };
  const inside = configMap('inside');
  const within = { ...inside, metadata: { ...inside.metadata, namespace: other } };
  await deploy('needed', [crd, namespace, thing, within], {
    serviceAccountName,
    sync: { pruneBudget: '100%' },
  });
  const kept = await change('needed', [thing, within]);
  assert.deepEqual(
    kept.status?.kept?.map(({ object, reason }) => [object.kind, /is still in Git/.test(reason)]).sort(),
    [
      ['CustomResourceDefinition', true],
      ['Namespace', true],
    ],
  );
  const gone = await change('needed', [configMap('needed')]);
  assert.equal(gone.status?.kept, undefined);
  await stage.kubectl(
    'wait',
    '--for=delete',
    `namespace/${other}`,
    `crd/${crd.metadata.name}`,
    '--timeout=20s',
  );
});
