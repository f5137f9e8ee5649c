/** Where renders once differed from Helm's and Kustomize's own, at the edges. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chart, configMap, data, failure, names, TestRenderer } from '../../test/harness/render.ts';

const engine = new TestRenderer();

describe('kustomizations', () => {
  const resources = {
    'web/a.yaml':
      'apiVersion: v1\nkind: Service\nmetadata: {name: z}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n',
  };

  test("the label of who manages an object has the library's version, which a label may have", async () => {
    const rendered = await engine.render({
      ...resources,
      'web/kustomization.yaml': 'resources: [a.yaml]\nbuildMetadata: [managedByLabel]\n',
    });
    for (const { text } of rendered.objects) {
      const label = JSON.parse(text).metadata.labels['app.kubernetes.io/managed-by'];
      assert.match(label, /^kustomize-v\d+\.\d+\.\d+$/);
    }
  });

  for (const [order, expected] of [
    ['sortOptions: {order: fifo}', ['z', 'a']],
    ['sortOptions: {order: legacy}', ['a', 'z']],
    [
      'sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service], orderLast: [ConfigMap]}}',
      ['z', 'a'],
    ],
    ['', ['a', 'z']], // as `kustomize build` without flags
  ] as const) {
    test(`the order is the one that is asked for, without a warning: ${order}`, async () => {
      const rendered = await engine.render({
        ...resources,
        'web/kustomization.yaml': `resources: [a.yaml]\n${order}\n`,
      });
      assert.deepEqual(names(rendered.objects), expected);
      assert.deepEqual(rendered.warnings, []);
    });
  }
});

describe('schemas of values', () => {
  const remote = 'https://raw.example.com/x/y/z.json';
  for (const [what, schema] of Object.entries({
    'a reference': { properties: { a: { $ref: remote } } },
    'a reference into it': { properties: { a: { $ref: `${remote}#/definitions/b` } } },
    'a reference below an address of its own': {
      $id: 'https://raw.example.com/x/own.json',
      properties: { a: { $ref: 'y/z.json#/b' } },
    },
    'a part of a choice': { properties: { a: { allOf: [{ $ref: remote }, { type: 'string' }] } } },
    'a dialect': { $schema: remote, type: 'object' },
  })) {
    test(`what cannot be reached is no constraint, and told: ${what}`, async () => {
      const rendered = await engine.render({
        ...chart,
        'web/values.yaml': 'a: x\n',
        'web/values.schema.json': JSON.stringify(schema),
        'web/templates/a.yaml': configMap('a', 'x'),
      });
      assert.deepEqual(names(rendered.objects), ['a']);
      assert.equal(rendered.warnings.length, 1);
      assert.match(
        rendered.warnings[0] ?? '',
        /values\.schema\.json of chart web refers to https:\/\/raw\.example\.com\/x\//,
      );
    });
  }

  test('the rest of such a schema holds, and definitions of its own are found', async () => {
    const error = await failure(
      engine.render({
        ...chart,
        'web/values.yaml': 'a: x\nb: text\n',
        'web/values.schema.json': JSON.stringify({
          $id: 'https://raw.example.com/own.json',
          $schema: 'http://json-schema.org/draft-07/schema#',
          definitions: { number: { type: 'number' } },
          properties: {
            a: { $ref: remote },
            b: { $ref: 'https://raw.example.com/own.json#/definitions/number' },
          },
        }),
        'web/templates/a.yaml': configMap('a', 'x'),
      }),
      'ValuesInvalid',
    );
    assert.match(error.message, /b: got string, want number/);
    assert.doesNotMatch(error.message, /a: /);
  });

  test('are not asked where spec.helm.skipSchemaValidation says so', async () => {
    const files = {
      ...chart,
      'web/values.yaml': 'a: x\n',
      'web/values.schema.json': '{"properties": {"a": {"type": "number"}}}',
      'web/templates/a.yaml': configMap('a', 'x'),
    };
    await failure(engine.render(files), 'ValuesInvalid');
    const rendered = await engine.render(files, { helm: { layers: [], skipSchemaValidation: true } });
    assert.deepEqual(names(rendered.objects), ['a']);
  });
});

describe('charts', () => {
  const parent = (dependencies: string) => ({
    'web/Chart.yaml': `apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n${dependencies}`,
    'web/templates/a.yaml': configMap('top', 'x'),
    'web/charts/s/Chart.yaml': 'apiVersion: v2\nname: s\nversion: 1.2.0\n',
    'web/charts/s/templates/c.yaml': configMap('{{ .Chart.Name }}', 'x'),
  });

  test('a vendored version that does not fit is told with both versions, and renders as with Helm', async () => {
    const rendered = await engine.render(
      parent(
        '- {name: s, alias: one, version: 2.x, repository: "https://e.com"}\n- {name: s, alias: two, version: 1.x, repository: "https://e.com"}\n',
      ),
    );
    assert.deepEqual(names(rendered.objects).sort(), ['top', 'two']);
    assert.deepEqual(rendered.warnings, [
      'chart web wants s 2.x as one, and web/charts has version 1.2.0 of it: Helm renders without it',
    ]);
  });

  test('what no vendored version fits is told, under the name that the chart has', async () => {
    const rendered = await engine.render(
      parent('- {name: s, alias: one, version: 2.x, repository: "https://e.com"}\n'),
    );
    assert.match(
      rendered.warnings[0] ?? '',
      /^chart web wants s 2\.x as one, and web\/charts has version 1\.2\.0 of it: Helm renders without it$/,
    );
  });

  for (const [version, says] of [
    ['v3', /invalid chart apiVersion v3/],
    ['v9', /unsupported chart version v9/],
  ] as const) {
    test(`apiVersion ${version} is refused in Helm's words`, async () => {
      const error = await failure(
        engine.render({ ...chart, 'web/Chart.yaml': `apiVersion: ${version}\nname: web\nversion: 1.0.0\n` }),
        'ChartInvalid',
      );
      assert.match(error.message, says);
      assert.equal(error.details[0]?.file, 'web/Chart.yaml');
    });
  }
});

describe('.Capabilities', () => {
  const asking = (template: string, more: Record<string, string> = {}) =>
    engine.render({ ...chart, ...more, 'web/templates/a.yaml': configMap('a', template) });

  for (const [template, expected, read] of [
    ['{{ (deepCopy .).Capabilities.KubeVersion.Version | quote }}', 'v1.37.2', 'kubeVersion'],
    ['{{ (mustDeepCopy $).Capabilities.APIVersions.Has "v1" | quote }}', 'true', 'has v1'],
    ['{{ (deepCopy .Capabilities).KubeVersion.Minor | quote }}', '37', 'kubeVersion'],
    ['{{ (mergeOverwrite (deepCopy .) (dict)).Capabilities.KubeVersion.Major | quote }}', '1', 'kubeVersion'],
    ['{{ (merge (dict) .).Capabilities.KubeVersion.Major | quote }}', '1', 'kubeVersion'],
  ] as const) {
    test(`can be copied, and what is read of the copy is an input: ${template}`, async () => {
      const rendered = await asking(template);
      assert.deepEqual(data(rendered, 'a'), { text: expected });
      assert.ok(read in rendered.reads, JSON.stringify(rendered.reads));
    });
  }

  for (const template of ['"{{ .Capabilities }}"', '{{ .Capabilities | toString | quote }}']) {
    test(`is written as what it holds, which is an input: ${template}`, async () => {
      const rendered = await asking(template);
      assert.match(data(rendered, 'a').text ?? '', /v1\.37\.2 .*\[v1 apps\/v1\]/);
      assert.ok('kubeVersion' in rendered.reads && 'apiVersions' in rendered.reads);
    });
  }

  test("Helm's version is printed and taken apart as Helm has it, and is no input", async () => {
    const template = `'{{ kindOf .Capabilities.HelmVersion }} {{ printf "%v" .Capabilities.HelmVersion }}'`;
    const rendered = await asking(template);
    assert.match(data(rendered, 'a')['text'] ?? '', /^struct \{v4/);
    assert.deepEqual(Object.keys(rendered.reads), ['scope /ConfigMap']);
  });

  const listed = '{{ has "v1" .Capabilities.APIVersions }}';
  for (const [where, template, more] of [
    ['values', '{{ tpl .Values.x . | quote }}', { 'web/values.yaml': `x: '${listed}'\n` }],
    ['a file', '{{ tpl (.Files.Get "f.txt") . | quote }}', { 'web/f.txt': listed }],
  ] as const) {
    test(`a list that a template in ${where} goes through is an input`, async () => {
      const rendered = await asking(template, more);
      assert.deepEqual(data(rendered, 'a'), { text: 'true' });
      assert.ok('apiVersions' in rendered.reads, JSON.stringify(rendered.reads));
    });
  }
});

describe('plain files', () => {
  for (const [what, text] of Object.entries({
    'a flow map': '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {text: "1"}}\n',
    'a flow map with quoted keys and plain values':
      '{"apiVersion": v1, "kind": ConfigMap, "metadata": {name: a}, "data": {"text": "1"}}\n',
    'a flow map with a comma at its end':
      '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"text": "1"},}\n',
    JSON: '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"text": "1"}}',
  })) {
    test(`${what} is read as kubectl reads it`, async () => {
      const rendered = await engine.render({ 'web/a.yaml': text });
      assert.deepEqual(data(rendered, 'a'), { text: '1' });
    });
  }
});

describe('a key that stands twice is told, whatever text of Git it stands in', () => {
  const object = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n';
  const resources = `resources: [a.yaml]\n`;
  const kustomized = (files: Record<string, string>) => ({
    'web/a.yaml': `${object}data: {a: "1"}\n`,
    ...files,
  });
  const inJson = '{\n\t"a": "1",\n\t"a": "2"\n}';
  const twice = 'data:\n  a: "1"\n  a: "2"\n';
  const rows: Record<string, { files: Record<string, string>; told: string }> = {
    'a manifest': {
      files: { 'web/a.yaml': object + twice },
      told: 'web/a.yaml, document 1, line 6: the key "a" stands in line 5',
    },
    'a JSON manifest, with tabs': {
      files: {
        'web/a.json': `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},\n"data": ${inJson}}`,
      },
      told: 'web/a.json, document 1, line 4: the key "a" stands in line 3',
    },
    'the second of two JSON manifests': {
      files: {
        'web/a.json': `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}\n{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},\n"data": ${inJson}}`,
      },
      told: 'web/a.json, document 2, line 5: the key "a" stands in line 4',
    },
    'a kustomization': {
      files: kustomized({ 'web/kustomization.yaml': `${resources}namespace: a\nnamespace: b\n` }),
      told: 'web/kustomization.yaml, line 3: the key "namespace" stands in line 2',
    },
    'a patch': {
      files: kustomized({
        'web/kustomization.yaml': `${resources}patches: [{path: patch.yaml}]\n`,
        'web/patch.yaml': object + twice,
      }),
      told: 'web/patch.yaml, document 1, line 6: the key "a" stands in line 5',
    },
    'a patch in JSON': {
      files: kustomized({
        'web/kustomization.yaml': `${resources}patches: [{path: patch.json}]\n`,
        'web/patch.json': `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},\n"data": ${inJson}}`,
      }),
      told: 'web/patch.json, document 1, line 4: the key "a" stands in line 3',
    },
    'a JSON patch': {
      files: kustomized({
        'web/kustomization.yaml': `${resources}patches: [{path: patch.yaml, target: {kind: ConfigMap}}]\n`,
        'web/patch.yaml': '- op: replace\n  path: /data/a\n  value: x\n  value: y\n',
      }),
      told: 'web/patch.yaml, document 1, line 4: the key "value" stands in line 3',
    },
    'a patch inside the kustomization': {
      files: kustomized({
        'web/kustomization.yaml': `${resources}patches:\n- patch: |-\n${(object + twice).replaceAll(/^/gm, '    ')}`,
      }),
      told: 'web/kustomization.yaml, line 9: the key "a" stands in line 8',
    },
    'a component': {
      files: kustomized({
        'web/kustomization.yaml': `${resources}components: [part]\n`,
        'web/part/kustomization.yaml':
          'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: patch.yaml}]\n',
        'web/part/patch.yaml': object + twice,
      }),
      told: 'web/part/patch.yaml, document 1, line 6: the key "a" stands in line 5',
    },
    "a chart's own definition": {
      files: { ...chart, 'web/crds/a.yaml': object + twice },
      told: 'web/crds/a.yaml, document 1, line 6: the key "a" stands in line 5',
    },
    'values of a subchart': {
      files: {
        ...chart,
        'web/charts/sub/Chart.yaml': 'apiVersion: v2\nname: sub\nversion: 1.0.0\n',
        'web/charts/sub/values.yaml': 'a: 1\na: 2\n',
      },
      told: 'web/charts/sub/values.yaml, line 2: the key "a" stands in line 1',
    },
    'a schema of values': {
      files: { ...chart, 'web/values.schema.json': '{"type": "object",\n"type": "object"}' },
      told: 'web/values.schema.json, line 2: the key "type" stands in line 1',
    },
    'a schema of values, with escapes that YAML does not have': {
      files: {
        ...chart,
        'web/values.schema.json':
          '{"type": "object",\n"description": "\\/ \\ud83d\\ude00",\n"type": "object"}',
      },
      told: 'web/values.schema.json, line 3: the key "type" stands in line 1',
    },
  };
  for (const [what, { files, told }] of Object.entries(rows)) {
    test(what, async () => {
      const { warnings } = await engine.render(files);
      assert.ok(
        warnings.some(
          (warning) => warning.startsWith(told) && warning.endsWith('already; the last one counts'),
        ),
        warnings.join('\n'),
      );
    });
  }

  test('what becomes content of a ConfigMap is not read', async () => {
    const { warnings } = await engine.render({
      'web/kustomization.yaml': 'configMapGenerator: [{name: a, files: [b.yaml, c.json=d.json]}]\n',
      'web/b.yaml': 'a: 1\na: 2\n',
      'web/d.json': inJson,
    });
    assert.deepEqual(warnings, []);
  });
});
