import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../manifest/manifest.ts';
import { definitionOf, schemaRefusals } from './crd-schema.ts';

function manifest(
  object: { apiVersion: string; kind: string; metadata: { name: string }; [key: string]: unknown },
  text = JSON.stringify(object),
): Manifest {
  const { apiVersion, kind } = object;
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return {
    group,
    kind,
    namespace: 'shop',
    name: object.metadata.name,
    apiVersion,
    text,
    digest: '',
    annotations: {},
    file: 'a.yaml',
  };
}

const spec = {
  type: 'object',
  required: ['size', 'mode', 'defaulted'],
  properties: {
    size: { type: 'integer' },
    ratio: { type: 'number' },
    on: { type: 'boolean' },
    mode: { type: 'string', enum: ['a', 'b'] },
    defaulted: { type: 'string', default: 'x' },
    perhaps: { type: 'string', nullable: true },
    port: { 'x-kubernetes-int-or-string': true },
    list: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
    map: { type: 'object', additionalProperties: { type: 'integer' } },
    open: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { known: { type: 'string' } },
    },
    template: {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { spec: { type: 'object' } },
    },
  },
};
const crd = manifest({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    names: { kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        schema: { openAPIV3Schema: { type: 'object', required: ['spec'], properties: { spec } } },
      },
    ],
  },
});

function problemsOf(specText: string, apiVersion = 'example.com/v1'): string[] {
  const widget = { apiVersion, kind: 'Widget', metadata: { name: 'w' } };
  const text = `{"apiVersion":"${apiVersion}","kind":"Widget","metadata":{"name":"w","labels":{}}${specText === '' ? '' : `,"spec":${specText}`}}`;
  const definition = definitionOf(crd);
  assert.ok(definition);
  return schemaRefusals(manifest(widget, text), definition).map(
    ({ error }) => error.details[0]?.message ?? '',
  );
}

const specWith = (members: string) => `{"size":1,"mode":"a"${members === '' ? '' : `,${members}`}}`;

for (const members of [
  '',
  '"ratio":0.5,"on":true,"perhaps":null,"port":80',
  '"port":"http","list":[{"name":"x"},{}],"map":{"a":1}',
  '"open":{"anything":[1],"known":"x"}',
  '"template":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{}}',
  '"defaulted":null',
  '"ratio":1e3',
]) {
  test(`a custom resource is taken that has ${members || 'what is required'}`, () => {
    assert.deepEqual(problemsOf(specWith(members)), []);
  });
}

for (const [text, expected] of [
  ['', ['.spec: is required.']],
  ['{"mode":"a"}', ['.spec.size: is required.']],
  [specWith('"nonsense":1'), ['.spec.nonsense: is no field that the CustomResourceDefinition knows.']],
  ['{"size":"1","mode":"a"}', ['.spec.size: must be of type integer.']],
  ['{"size":1.5,"mode":"a"}', ['.spec.size: must be of type integer.']],
  ['{"size":1,"mode":"c"}', ['.spec.mode: must be one of "a", "b".']],
  ['{"size":null,"mode":"a"}', ['.spec.size: must not be null.']],
  [specWith('"list":[{"name":1}]'), ['.spec.list[0].name: must be of type string.']],
  [specWith('"list":{}'), ['.spec.list: must be of type array.']],
  [specWith('"map":{"a":"b"}'), ['.spec.map.a: must be of type integer.']],
  [specWith('"port":true'), ['.spec.port: must be an integer or a string.']],
  [specWith('"open":{"known":1}'), ['.spec.open.known: must be of type string.']],
  ['{"size":true,"mode":1}', ['.spec.size: must be of type integer.', '.spec.mode: must be of type string.']],
] as const) {
  test(`refused, every problem named: ${text || 'no spec'}`, () => {
    assert.deepEqual(problemsOf(text), expected);
  });
}

test('a version that the definition does not serve is refused', () => {
  assert.deepEqual(problemsOf('{}', 'example.com/v2'), [
    'apiVersion: v2 is not served by the CustomResourceDefinition of the same commit.',
  ]);
});

test('S5: a refusal has the identity and the file of the object, nothing of its content', () => {
  const definition = definitionOf(crd);
  assert.ok(definition);
  const widget = manifest({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    spec: { secret: 's3cret' },
  });
  const refusals = schemaRefusals(widget, definition);
  assert.equal(JSON.stringify(refusals.map(({ error }) => error.details)).includes('s3cret'), false);
  assert.equal(refusals[0]?.error.details[0]?.file, 'a.yaml');
});

test('only a CustomResourceDefinition defines a kind', () => {
  assert.equal(
    definitionOf(manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } })),
    undefined,
  );
  assert.deepEqual(definitionOf(crd)?.kind, 'Widget');
});
