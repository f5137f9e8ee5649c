import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pointerSteps } from '../manifest/exact-json.ts';
import {
  commonFields,
  type FieldSet,
  fieldsAt,
  foreignItems,
  isInsideAtomic,
  leftItems,
  mergeFields,
  namedIn,
  namesAnyOf,
  valuesAt,
  withKeys,
  withoutFields,
} from './field-set.ts';

const http = 'k:{"containerPort":80,"protocol":"TCP"}';
const fields: FieldSet = {
  'f:metadata': {
    'f:annotations': { '.': {}, 'f:example.com/a': {} },
    'f:finalizers': { '.': {}, 'v:"f"': {} },
  },
  'f:spec': {
    'f:replicas': {},
    'f:template': {
      'f:containers': {
        'k:{"name":"web"}': {
          '.': {},
          'f:name': {},
          'f:image': {},
          'f:ports': { '.': {}, [http]: { 'f:name': {} } },
        },
      },
    },
  },
};
const live = {
  metadata: { annotations: { 'example.com/a': '1', other: '2' }, finalizers: ['f', 'g'] },
  spec: {
    replicas: 3,
    template: {
      containers: [
        { name: 'side', image: 'side:1' },
        {
          name: 'web',
          image: 'web:1',
          ports: [{ containerPort: 80, protocol: 'TCP', name: 'http' }],
          tty: true,
        },
      ],
    },
  },
};
/** As Git has it: other order, defaults left out. */
const document = {
  spec: {
    replicas: 1,
    template: { containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80, name: 'http' }] }] },
  },
};

for (const [pointer, expected] of [
  ['/spec/replicas', { 'f:spec': { 'f:replicas': {} } }],
  ['/spec/paused', undefined],
  ['/metadata/annotations/example.com~1a', { 'f:metadata': { 'f:annotations': { 'f:example.com/a': {} } } }],
  [
    '/spec/template/containers/0/image',
    { 'f:spec': { 'f:template': { 'f:containers': { 'k:{"name":"web"}': { 'f:image': {} } } } } },
  ],
  [
    '/spec/template/containers/0/ports/0/name',
    {
      'f:spec': {
        'f:template': { 'f:containers': { 'k:{"name":"web"}': { 'f:ports': { [http]: { 'f:name': {} } } } } },
      },
    },
  ],
  ['/spec/template/containers/1/image', undefined],
  ['/spec/replicas/deeper', undefined],
] as const) {
  test(`of the set, at ${pointer}: ${expected === undefined ? 'nothing' : 'its part'}`, () => {
    assert.deepEqual(fieldsAt(fields, pointerSteps(pointer), document), expected);
  });
}

test('the part at a path is a copy', () => {
  const part = fieldsAt(fields, ['spec'], document);
  mergeFields(part ?? {}, { 'f:spec': { 'f:new': {} } });
  assert.equal(fields['f:spec']?.['f:new'], undefined);
});

test('the values of a set are those fields of the live object and the keys of their list items', () => {
  assert.deepEqual(valuesAt(fields, live), {
    metadata: { annotations: { 'example.com/a': '1' }, finalizers: ['f'] },
    spec: {
      replicas: 3,
      template: {
        containers: [
          { name: 'web', image: 'web:1', ports: [{ containerPort: 80, protocol: 'TCP', name: 'http' }] },
        ],
      },
    },
  });
});

test('what the live object no longer has is left out', () => {
  assert.deepEqual(valuesAt(fields, { metadata: {}, spec: { template: { containers: [] } } }), {
    metadata: {},
    spec: { template: { containers: [] } },
  });
});

test('a whole value is taken as it is', () => {
  assert.deepEqual(valuesAt({ 'f:data': {} }, { data: { a: ['1', null] } }), { data: { a: ['1', null] } });
});

test('a path leads into an atomic value where the set knows only the whole of it', () => {
  const atomic: FieldSet = { 'f:spec': { 'f:http': {}, 'f:hosts': {}, 'f:replicas': {} } };
  const document = { spec: { http: [{ route: [{ weight: 1 }] }], hosts: ['a'], replicas: 1 } };
  const inside = (fields: FieldSet, path: string) => isInsideAtomic(fields, pointerSteps(path), document);
  assert.equal(inside(atomic, '/spec/http/0/route/0/weight'), true);
  assert.equal(inside(atomic, '/spec/hosts/0'), true);
  assert.equal(inside(atomic, '/spec/http'), false, 'the whole can be left out');
  assert.equal(inside(atomic, '/spec/replicas'), false);
  assert.equal(inside(atomic, '/spec/other/a'), false, 'nobody has it');
  assert.equal(inside({}, '/spec/http/0'), false);
});

test('a manager that owns only what the document leaves out owns nothing of it', () => {
  const document = {
    metadata: { labels: { app: 'web' } },
    spec: { replicas: 2, containers: [{ name: 'web', image: 'web:1' }], finalizers: ['a'] },
  };
  const named = (fields: FieldSet) => namesAnyOf(document, fields);
  assert.equal(named({ 'f:metadata': { 'f:labels': { '.': {}, 'f:mine': {} } } }), false);
  assert.equal(named({ 'f:metadata': { 'f:labels': { 'f:app': {} } } }), true);
  assert.equal(named({ 'f:spec': { 'f:replicas': {} } }), true);
  assert.equal(named({ 'f:spec': {} }), true, 'the whole of it');
  const container = (name: string, fields: FieldSet): FieldSet => ({
    'f:spec': { 'f:containers': { [`k:{"name":"${name}"}`]: { '.': {}, ...fields } } },
  });
  assert.equal(named(container('web', { 'f:image': {} })), true);
  assert.equal(named(container('web', { 'f:env': {} })), false);
  assert.equal(named(container('sidecar', { 'f:image': {} })), false);
  assert.equal(named({ 'f:spec': { 'f:finalizers': { 'v:"b"': {} } } }), false);
  assert.equal(named({ 'f:spec': { 'f:finalizers': { 'v:"a"': {} } } }), true);
});

const env = (...names: string[]): FieldSet => ({
  'f:spec': {
    'f:env': Object.fromEntries(names.map((name) => [`k:{"name":"${name}"}`, { '.': {}, 'f:value': {} }])),
  },
});

test('what two sets share is taken from one of them leaf by leaf', () => {
  const both = commonFields(env('A', 'B'), env('B', 'C')) ?? {};
  assert.deepEqual(both, env('B'));
  assert.deepEqual(withoutFields(env('A', 'B'), both), env('A'));
  assert.equal(withoutFields(env('B'), both), undefined);
  assert.equal(commonFields(env('A'), env('B')), undefined);
  assert.equal(commonFields({ 'f:spec': {} }, env('A')), undefined, 'the whole, and a part of it');
});

test('the named part of a set is what a document has a value for', () => {
  const document = { spec: { env: [{ name: 'A', value: '1' }, { name: 'B' }] } };
  assert.deepEqual(namedIn(document, env('A', 'B', 'C')), {
    'f:spec': {
      'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:value': {} }, 'k:{"name":"B"}': { '.': {} } },
    },
  });
  assert.equal(namedIn({ spec: { env: null } }, env('A')), undefined);
});

test('list items that a document does not have: those that were ours, and those beside its own', () => {
  const document = { spec: { env: [{ name: 'A', value: '1' }] } };
  assert.deepEqual(leftItems(document, env('A', 'B', 'C'), env('B')), env('B'));
  assert.deepEqual(foreignItems(document, env('A', 'B', 'C'), env('B')), env('B', 'C'));
  assert.deepEqual(foreignItems({ spec: {} }, env('B', 'C'), env('B')), env('B'), 'the list is not Git’s');
  const finalizers = { 'f:metadata': { 'f:finalizers': { 'v:"a"': {} } } };
  assert.equal(foreignItems({ metadata: { finalizers: ['b'] } }, finalizers, {}), undefined);
});

test('a list item that leaves out its protocol is that of TCP, and no other', () => {
  const udp = { 'k:{"port":53,"protocol":"UDP"}': { 'f:port': {}, 'f:protocol': {} } };
  const tcp = { 'k:{"port":53,"protocol":"TCP"}': { 'f:port': {} } };
  const ports = { 'f:ports': { ...udp, ...tcp } };
  const document = { ports: [{ port: 53, name: 'dns' }] };
  assert.deepEqual(namedIn(document, ports), { 'f:ports': tcp });
  assert.deepEqual(foreignItems(document, ports, {}), { 'f:ports': udp });
  assert.deepEqual(namedIn({ ports: [{ port: 53, protocol: 'UDP' }] }, ports), { 'f:ports': udp });
});

test('a list item that leaves out a key field is that of the default that its own set tells', () => {
  const inA = { 'k:{"name":"x","zone":"a"}': { 'f:name': {}, 'f:size': {} } };
  const inB = { 'k:{"name":"x","zone":"b"}': { 'f:name': {}, 'f:size': {}, 'f:zone': {} } };
  const document = { rows: [{ name: 'x', size: 1 }] };
  const whole = withKeys(document, { 'f:rows': inA });
  assert.deepEqual(whole, { rows: [{ name: 'x', zone: 'a', size: 1 }] });
  assert.deepEqual(namedIn(whole, { 'f:rows': { ...inA, ...inB } }), { 'f:rows': inA });
  assert.deepEqual(foreignItems(whole, { 'f:rows': inB }, {}), { 'f:rows': inB });
  // Which of them is the default cannot be told.
  assert.deepEqual(withKeys(document, { 'f:rows': { ...inA, ...inB } }), document);
});

test('twenty thousand items of another are told from as many of Git in linear time', () => {
  const names = Array.from({ length: 20_000 }, (_, index) => `NAME_${index}`);
  const document = { spec: { env: names.map((name) => ({ name, value: '1' })) } };
  const others = env(...names.map((name) => `${name}_other`));
  const before = process.cpuUsage();
  assert.deepEqual(foreignItems(document, others, {}), others);
  assert.ok(process.cpuUsage(before).user < 4_000_000, 'each with each takes half a minute');
});
