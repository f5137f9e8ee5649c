import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { chart, configMap, failure, request, TestRenderer } from '../../test/harness/render.ts';
import { Renderer } from './renderer.ts';

const engine = new TestRenderer();

describe('manifests', () => {
  test('carry identity, labels, owner and namespace; texts are canonical', async () => {
    const rendered = await engine.render({
      ...chart,
      'web/templates/a.yaml':
        'kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: a\n  labels: {z: "1"}\n  annotations: {towpath.dev/wave: "2", other: x}\n',
    });
    assert.deepEqual(rendered.chart, { name: 'web', version: '1.2.3', appVersion: '4.5' });
    const [object] = rendered.objects;
    assert.deepEqual(
      { ...object, digest: object?.digest.length },
      {
        apiVersion: 'v1',
        group: '',
        kind: 'ConfigMap',
        namespace: 'shop',
        name: 'a',
        annotations: { 'towpath.dev/wave': '2' },
        file: 'web/templates/a.yaml',
        digest: 64,
        text: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{"other":"x","towpath.dev/owner":"shop/web/default /ConfigMap/shop/a","towpath.dev/wave":"2"},"labels":{"towpath.dev/target":"t1","z":"1"},"name":"a","namespace":"shop"}}',
      },
    );
  });

  test('cluster-scoped objects have no namespace; an unknown kind has the target namespace and is listed', async () => {
    const rendered = await engine.render(
      {
        'web/a.yaml':
          'apiVersion: v1\nkind: Namespace\nmetadata: {name: team, namespace: wrong}\n---\napiVersion: x.dev/v1\nkind: Thing\nmetadata: {name: t}\n---\napiVersion: x.dev/v1\nkind: Thing\nmetadata: {name: u, namespace: own}\n',
      },
      {},
    );
    assert.deepEqual(
      rendered.objects.map((each) => [each.kind, each.namespace]),
      [
        ['Namespace', ''],
        ['Thing', 'shop'],
        ['Thing', 'own'],
      ],
    );
    assert.ok(!rendered.objects[0]?.text.includes('wrong'));
  });

  test('what only an object in a cluster has is refused by its name', async () => {
    for (const field of ['resourceVersion', 'uid']) {
      const told = await failure(
        engine.render({
          'web/a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  ${field}: "1"\n  creationTimestamp: null\n`,
        }),
        'ManifestInvalid',
      );
      assert.match(told.message, new RegExp(`ConfigMap a has a metadata\\.${field}, .*: remove it`));
      assert.equal(told.details[0]?.file, 'web/a.yaml');
    }
  });

  test('a CRD of the render itself says whether its kind has a namespace', async () => {
    const crd = (scope: string) =>
      `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.x.dev}\nspec: {group: x.dev, scope: ${scope}, names: {kind: Thing}}\n`;
    const thing = 'apiVersion: x.dev/v1\nkind: Thing\nmetadata: {name: t}\n';
    for (const [scope, namespace] of [
      ['Cluster', ''],
      ['Namespaced', 'shop'],
    ] as const) {
      const rendered = await engine.render(
        { ...chart, 'web/crds/c.yaml': crd(scope), 'web/templates/t.yaml': thing },
        { scopes: { 'apiextensions.k8s.io/CustomResourceDefinition': false } },
      );
      assert.deepEqual(
        rendered.objects.map((each) => [each.kind, each.namespace]),
        [
          ['CustomResourceDefinition', ''],
          ['Thing', namespace],
        ],
      );
    }
  });

  test('numbers, octals and strings are read as kubectl reads them', async () => {
    const rendered = await engine.render({
      'web/a.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: {big: 9007199254740993, octal: 0644, quoted: "0644", float: 1.0, exp: 1e3, yes: yes, none: null, max: 18446744073709551615}\n',
      'web/b.json':
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"x":{"big":9007199254740993,"float":1.0}}',
    });
    assert.match(
      rendered.objects[0]?.text ?? '',
      /"x":\{"big":9007199254740993,"exp":1000,"float":1,"max":18446744073709551615,"none":null,"octal":420,"quoted":"0644","true":true\}/,
    );
    assert.match(rendered.objects[1]?.text ?? '', /"x":\{"big":9007199254740993,"float":1\}/);
  });

  test('what is in a typed List need not say its kind, and may be of another', async () => {
    const { objects } = await engine.render({
      'web/a.yaml':
        'apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: a}, data: {text: x}}\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n',
    });
    assert.deepEqual(
      objects.map(({ apiVersion, kind, name }) => `${apiVersion} ${kind} ${name}`),
      ['v1 ConfigMap a', 'v1 Secret b'],
    );
  });

  test('Lists are flattened', async () => {
    const rendered = await engine.render({
      'web/a.yaml': `apiVersion: v1\nkind: List\nitems:\n- ${configMap('a', 'x').replaceAll('\n', '\n  ')}\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - ${configMap('b', 'y').replaceAll('\n', '\n    ')}`,
    });
    assert.deepEqual(
      rendered.objects.map((each) => each.name),
      ['a', 'b'],
    );
  });

  test('a name twice is refused with both places', async () => {
    const error = await failure(
      engine.render({
        'web/a.yaml': configMap('a', 'x'),
        'web/b.yaml': `# none\n---\n${configMap('a', 'y')}`,
      }),
      'DuplicateObject',
    );
    assert.match(
      error.message,
      /ConfigMap shop\/a is in web\/a\.yaml \(document 1\) and in web\/b\.yaml \(document 2\)/,
    );
    assert.deepEqual(error.details[0]?.object, {
      group: '',
      kind: 'ConfigMap',
      namespace: 'shop',
      name: 'a',
    });
  });

  test('every invalid document is listed with its file and number', async () => {
    const error = await failure(
      engine.render({
        'web/a.yaml': `${configMap('a', 'x')}---\na: [\n`,
        'web/b.yaml': 'apiVersion: v1\nkind: ConfigMap\n',
        'web/c.yaml': 'just text\n',
        'web/d.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: d-}\n',
        'web/e.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: e, labels: {a: 1}}\n',
        'web/f.json': '{"apiVersion": "v1",\n "kind": }',
      }),
      'ManifestInvalid',
    );
    assert.deepEqual(
      error.details.map((detail) => detail.message.slice(0, 'web/x.yaml, document 1'.length)),
      [
        'web/a.yaml, document 2',
        ...['b.yaml', 'c.yaml', 'd.yaml', 'e.yaml'].map((file) => `web/${file}, document 1`),
        'web/f.json, document 1',
      ],
    );
    assert.match(error.details[3]?.message ?? '', /generateName/);
    assert.match(error.details[4]?.message ?? '', /put its value in quotes/);
    assert.deepEqual([error.details[0]?.line, error.details[5]?.line], [8, 2]);
  });

  test('too many objects and too much text are refused', async () => {
    const small = new Renderer({
      enginePath: await buildEngine(),
      limits: { objects: 2, outputBytes: 2000 },
      processes: 1,
    });
    try {
      const large = { 'web/a.yaml': `# ${'x'.repeat(2 ** 20)}` };
      const little = new Renderer({ enginePath: await buildEngine(), limits: { inputBytes: 2 ** 19 } });
      const tooLarge = await failure(little.render(new MemoryTree(large), request('web')), 'RenderTooLarge');
      assert.match(tooLarge.message, /more than 0\.5 MiB/);
      await little.stop();
      const of = (files: Record<string, string>) => small.render(new MemoryTree(files), request('web'));
      const three = ['a', 'b', 'c'].map((name) => configMap(name, 'x')).join('---\n');
      assert.match(
        (await failure(of({ 'web/a.yaml': three }), 'RenderTooLarge')).message,
        /3 objects; at most 2/,
      );
      await failure(of({ 'web/a.yaml': configMap('a', 'x'.repeat(3000)) }), 'RenderTooLarge');
      await failure(
        of({ ...chart, 'web/templates/a.yaml': '{{ range until 1000 }}aaaaaaa{{ end }}' }),
        'RenderTooLarge',
      );
    } finally {
      await small.stop();
    }
  });
});

describe('plain directories', () => {
  test('all YAML and JSON files below, without hidden ones; a file alone', async () => {
    const files = {
      'web/b/c.yml': configMap('c', 'x'),
      'web/a.json': JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }),
      'web/.hidden.yaml': 'not: [',
      'web/.github/x.yaml': 'not: [',
      'web/README.md': '# not a manifest',
    };
    const rendered = await engine.render(files);
    assert.deepEqual(
      rendered.objects.map((each) => [each.name, each.file]),
      [
        ['a', 'web/a.json'],
        ['c', 'web/b/c.yml'],
      ],
    );
    const alone = await engine.render(files, {}, 'web/b/c.yml');
    assert.deepEqual(
      alone.objects.map((each) => [each.name, each.file]),
      [['c', 'web/b/c.yml']],
    );
  });

  test('a directory without manifests renders nothing', async () => {
    assert.deepEqual((await engine.render({ 'web/README.md': '' })).objects, []);
  });

  test('a path that is not there is refused with what is', async () => {
    const error = await failure(
      engine.render({ 'charts/web/Chart.yaml': '', 'docs/a': '' }, {}, 'charts/wep'),
      'PathNotFound',
    );
    assert.match(error.message, /There is no charts\/wep .* In charts there is: web\./);
  });
});
