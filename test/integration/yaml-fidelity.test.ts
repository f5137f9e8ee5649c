import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newSteps } from './steps.ts';

const directory = join(import.meta.dirname, 'testdata/yaml');

interface Fetched {
  kind: string;
  metadata: Record<string, unknown> & {
    name: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [member: string]: unknown;
}

/** What of an object depends on its content alone. */
function content(object: Fetched): unknown {
  const { name, labels = {}, annotations = {} } = object.metadata;
  const own = (entries: Record<string, string>) =>
    Object.fromEntries(
      Object.entries(entries).filter(([key]) => !/^towpath\.dev\/(target|owner)$/.test(key)),
    );
  const { metadata: _metadata, ...rest } = object;
  return { ...rest, metadata: { name, labels: own(labels), annotations: own(annotations) } };
}

test('D10: what Towpath applies from YAML is what kubectl apply --server-side makes of it', async (t) => {
  const { stage, ready, admin } = await newSteps(t);
  const files = readdirSync(directory).sort();
  const texts = new Map(files.map((file) => [file, readFileSync(join(directory, file), 'utf8')]));
  // A custom resource keeps any JSON value, so that nothing is lost to a typed field.
  const definition = texts.get('crd.yaml') ?? '';
  const serviceAccountName = await admin(t);
  const crd = await stage.cluster.kubectl(['apply', '--server-side', '-f', join(directory, 'crd.yaml')]);
  assert.equal(crd.code, 0, crd.stderr);
  t.after(() => stage.cluster.kubectl(['delete', '-f', join(directory, 'crd.yaml'), '--wait=false']));
  assert.notEqual(definition, '');
  await stage.cluster.kubectl(['wait', '--for=condition=Established', 'crd/values.yaml.test.example.com']);
  texts.delete('crd.yaml');

  const reference = `${stage.namespace}-kubectl`;
  await stage.cluster.kubectl(['create', 'namespace', reference]);
  t.after(() => stage.cluster.kubectl(['delete', 'namespace', reference, '--wait=false']));
  for (const file of texts.keys()) {
    const applied = await stage.cluster.kubectl([
      '-n',
      reference,
      'apply',
      '--server-side',
      '-f',
      join(directory, file),
    ]);
    assert.equal(applied.code, 0, `${file}: ${applied.stderr}`);
  }
  const commit = await stage.repository.commit(
    Object.fromEntries([...texts].map(([file, text]) => [`yaml/${file}`, text])),
  );
  await stage.application('yaml', { source: { path: 'yaml' }, serviceAccountName });
  await ready('yaml', commit);

  const kinds = 'configmaps,services,values.yaml.test.example.com';
  const objectsIn = async (namespace: string) => {
    // The text, not parsed numbers: 2^53+1 must not become 2^53 on the way to the comparison.
    const text = await stage.kubectl('-n', namespace, 'get', kinds, '-o', 'json');
    const exact = text.replace(/: (-?\d[\d.eE+-]*)(?=,?\n)/g, ': "number $1"');
    const { items } = JSON.parse(exact) as { items: Fetched[] };
    return new Map(
      items
        .filter(({ metadata }) => metadata.name !== 'kube-root-ca.crt')
        .map((item) => [`${item.kind} ${item.metadata.name}`, content(item)]),
    );
  };
  const expected = await objectsIn(reference);
  const actual = await objectsIn(stage.namespace);
  assert.ok(expected.size >= 12, 'the corpus was applied');
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [key, object] of expected) {
    await t.test(`D10: ${key}`, () => assert.deepEqual(actual.get(key), object));
  }
});
