import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definition } from '../harness/definition.ts';
import { environmentOf } from '../harness/target.ts';
import { type Row, rowsFor, takenOutRows } from '../integration/immutable-fields-cases.ts';
import { messageOf, newSteps, reasonOf, type TestObject } from '../integration/steps.ts';

const rule = (message: object) => ({
  type: 'string',
  'x-kubernetes-validations': [{ rule: 'self == oldSelf', ...message }],
});

function definitionOf(group: string): TestObject {
  const spec = {
    type: 'object',
    properties: { told: rule({ message: 'the mooring stays' }), untold: rule({}) },
  };
  const root = {
    ...{ type: 'object', properties: { spec, root: { type: 'string' } } },
    'x-kubernetes-validations': [{ rule: 'has(self.root) == has(oldSelf.root)', message: 'it stays' }],
  };
  const schema = { openAPIV3Schema: root };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `fixeds.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'fixeds', kind: 'Fixed' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}

function changed({ object, path, value }: Row, annotations: Record<string, string> = {}): TestObject {
  const copy = structuredClone({ ...object, metadata: { ...object.metadata, annotations } });
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  const parent = steps.reduce<unknown>((inner, step) => Reflect.get(Object(inner), step), copy);
  Reflect.set(Object(parent), last, value);
  return copy;
}

/** As many as a status lists. */
const AT_ONCE = 12;
const REPLACE = { 'towpath.dev/replace': 'true' };

test('what cannot change in a live object is told with the field and the way out, and replaced', async (t) => {
  const { stage, push, deploy, change, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `${stage.namespace}.example.com`;
  await stage.apply(definitionOf(group));
  t.after(() => stage.kubectl('delete', 'crd', `fixeds.${group}`, '--wait=false'));
  const rows = rowsFor(stage.namespace, group);
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const some = rows.slice(from, from + AT_ONCE);
    const name = `kinds-${from}`;
    await t.test(`${some.map(({ what }) => what).join(', ')}`, async (t) => {
      // No claim wants these volumes, and no node the daemons: nothing is waited for but the refusal.
      await deploy(
        name,
        some.map(({ object }) => object),
        { serviceAccountName },
      );
      t.after(() => stage.kubectl('delete', 'application', name));
      await push(
        name,
        some.map((one) => changed(one)),
      );
      const told = await stage.until(name, ({ status }) => status?.sync === 'Quarantined', 'the refusal');
      const { errors = [], total } = told.status?.quarantine ?? {};
      assert.equal(total, some.length, JSON.stringify(errors, undefined, 1));
      for (const { what, object, field } of some) {
        const error = errors.find((each) => each.object?.name === object.metadata.name);
        assert.ok(error !== undefined, what);
        assert.ok(error.message.includes(field), `${what}: ${error.message}`);
        assert.match(
          error.message,
          /Put the old value back, or annotate it towpath\.dev\/replace: "true"/,
          what,
        );
      }
      assert.equal(told.status?.quarantine?.errors?.length, some.length);
      await change(
        name,
        some.map((one) => changed(one, REPLACE)),
      );
    });
  }
});

test('what cannot be taken out of a live object is told as that, and never as null', async (t) => {
  const { stage, push, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `${stage.namespace}.example.com`;
  await stage.apply(definitionOf(group));
  t.after(() => stage.kubectl('delete', 'crd', `fixeds.${group}`, '--wait=false'));
  const rows = takenOutRows(stage.namespace, group);
  const of = (kind: (row: Row) => TestObject) => rows.map(kind);
  // What has no health yet need not get any.
  await push(
    'taken',
    of(({ object }) => object),
  );
  await stage.application('taken', { source: { path: 'taken' }, serviceAccountName });
  await stage.until('taken', ({ status }) => environmentOf(status)?.objects === rows.length, 'the objects');
  await push(
    'taken',
    of((row) => changed(row)),
  );
  const told = await stage.until('taken', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
  for (const { what, object, field } of rows) {
    const errors = told.status?.quarantine?.errors ?? [];
    const { message = '' } = errors.find((each) => each.object?.name === object.metadata.name) ?? {};
    assert.ok(message.startsWith(field), `${what}: ${message}`);
    assert.match(message, /Put the old value back, or annotate it towpath\.dev\/replace: "true"/, what);
    assert.doesNotMatch(message, /null|nil/, what);
  }
  await stage.kubectl('delete', 'application', 'taken');
});

test('a definition is told apart: made anew, it would take its objects with it', async (t) => {
  const { stage, push, deploy, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const definition = definitionOf(`${stage.namespace}.example.com`);
  await deploy('fixed', [definition], { serviceAccountName });
  t.after(() => stage.kubectl('delete', 'crd', definition.metadata.name, '--wait=false'));
  for (const [path, value] of [
    ['spec.scope', 'Cluster'],
    ['spec.names.kind', 'Other'],
  ] as const) {
    await push('fixed', [changed({ what: '', object: definition, path, value, field: '' })]);
    const told = await stage.until(
      'fixed',
      ({ status }) => status?.quarantine?.errors?.[0]?.message.startsWith(path) === true,
      'the refusal',
    );
    assert.match(told.status?.quarantine?.errors?.[0]?.message ?? '', /Put the old value back: made anew/);
  }
});

test('Git is right where somebody made an object unchangeable: told so, and made anew when that is gone', async (t) => {
  const { stage, deploy, live } = await newSteps(t);
  await deploy('mine', [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine' }, data: { a: 'git' } },
  ]);
  await stage.kubectl('patch', 'configmap', 'mine', '-p', '{"immutable":true,"data":{"a":"hand"}}');
  const told = await stage.until('mine', ({ status }) => status?.sync === 'Blocked', 'the refusal');
  assert.equal(reasonOf(told), 'ImmutableField');
  assert.match(
    messageOf(told),
    /ConfigMap \S+mine: data\.a: .*Somebody made it so: delete it, or annotate it/,
  );
  assert.ok(!messageOf(told).includes('Put the old value back'));
  await stage.kubectl('delete', 'configmap', 'mine');
  await stage.until('mine', ({ status }) => status?.sync === 'Synced', 'it to be made anew');
  assert.equal((await live('configmap', 'mine'))?.data?.['a'], 'git');
});

test('a version that is still stored is no mistake of Git alone', async (t) => {
  const { stage, push, deploy, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const old = definition('things', `${stage.namespace}.example.com`, 'Thing', { versions: ['v1', 'v2'] });
  await deploy('things', [old], { serviceAccountName });
  t.after(() => stage.kubectl('delete', 'crd', old.metadata.name, '--wait=false'));
  await push('things', [
    definition('things', `${stage.namespace}.example.com`, 'Thing', { versions: ['v2'] }),
  ]);
  const told = await stage.until('things', ({ status }) => status?.sync === 'Blocked', 'the refusal');
  assert.equal(reasonOf(told), 'VersionStored');
  assert.match(messageOf(told), /Keep the version in Git with served: false until its objects are migrated/);
});
