import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { TowpathError } from '../api/errors.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { type Rendered, Renderer, type RenderRequest } from './renderer.ts';

let renderer: Renderer;
before(async () => {
  renderer = new Renderer({ enginePath: await buildEngine() });
});
after(() => renderer?.stop());

const scopes = { '/ConfigMap': true, '/Secret': true, 'apps/Deployment': true, '/Namespace': false };
const chart = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: "4.5"\n',
  'web/values.yaml': 'color: red\nnested: {a: 1, b: 2}\n',
};
const showValues = {
  'web/templates/values.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\ndata:\n  values: {{ toJson .Values | quote }}\n',
};

function request(path: string, changes: Partial<RenderRequest> = {}): RenderRequest {
  return {
    path,
    namespace: 'shop',
    releaseName: 'web',
    capabilities: { kubeVersion: 'v1.37.2', apiVersions: ['v1', 'apps/v1'] },
    scopes,
    labels: { 'towpath.dev/target': 't1' },
    owner: 'shop/web/default',
    ...changes,
  };
}

function configMap(name: string, text: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  text: ${text}\n`;
}

function render(
  files: Record<string, string>,
  changes: Partial<RenderRequest> = {},
  path = 'web',
): Promise<Rendered> {
  return renderer.render(new MemoryTree(files), request(path, changes));
}

async function failure(rendering: Promise<unknown>, reason: string): Promise<TowpathError> {
  let caught: unknown;
  await rendering.then(
    () => assert.fail('it was rendered'),
    (error: unknown) => {
      caught = error;
    },
  );
  assert.ok(caught instanceof TowpathError, String(caught));
  assert.equal(caught.reason, reason, caught.message);
  assert.equal(caught.remedy, 'Person');
  return caught;
}

function data(rendered: Rendered, name: string): Record<string, string> {
  const found = rendered.objects.find((each) => each.name === name);
  assert.ok(found, `no object ${name}`);
  return JSON.parse(found.text).data;
}

async function values(
  files: Record<string, string>,
  helm: RenderRequest['helm'],
): Promise<Record<string, unknown>> {
  const rendered = await render({ ...chart, ...showValues, ...files }, helm === undefined ? {} : { helm });
  return JSON.parse(data(rendered, 'values').values ?? '');
}

describe('manifests', () => {
  test('carry identity, labels, owner and namespace; texts are canonical', async () => {
    const rendered = await render({
      ...chart,
      'web/templates/a.yaml':
        'kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: a\n  labels: {z: "1"}\n  annotations: {towpath.dev/wave: "2", other: x}\n',
    });
    assert.equal(rendered.kind, 'Helm');
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
    const rendered = await render(
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
    assert.deepEqual(rendered.unknownKinds, ['x.dev/Thing']);
  });

  test('a CRD of the render itself says whether its kind has a namespace', async () => {
    const crd = (scope: string) =>
      `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.x.dev}\nspec: {group: x.dev, scope: ${scope}, names: {kind: Thing}}\n`;
    const thing = 'apiVersion: x.dev/v1\nkind: Thing\nmetadata: {name: t}\n';
    for (const [scope, namespace] of [
      ['Cluster', ''],
      ['Namespaced', 'shop'],
    ] as const) {
      const rendered = await render(
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
      assert.deepEqual(rendered.unknownKinds, []);
    }
  });

  test('numbers, octals and strings are read as kubectl reads them', async () => {
    const rendered = await render({
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

  test('Lists are flattened', async () => {
    const rendered = await render({
      'web/a.yaml': `apiVersion: v1\nkind: List\nitems:\n- ${configMap('a', 'x').replaceAll('\n', '\n  ')}\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - ${configMap('b', 'y').replaceAll('\n', '\n    ')}`,
    });
    assert.deepEqual(
      rendered.objects.map((each) => each.name),
      ['a', 'b'],
    );
  });

  test('a name twice is refused with both places', async () => {
    const error = await failure(
      render({ 'web/a.yaml': configMap('a', 'x'), 'web/b.yaml': `# none\n---\n${configMap('a', 'y')}` }),
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
      render({
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
    const rendered = await render(files);
    assert.equal(rendered.kind, 'Plain');
    assert.deepEqual(
      rendered.objects.map((each) => [each.name, each.file]),
      [
        ['a', 'web/a.json'],
        ['c', 'web/b/c.yml'],
      ],
    );
    const alone = await render(files, {}, 'web/b/c.yml');
    assert.deepEqual(
      alone.objects.map((each) => [each.name, each.file]),
      [['c', 'web/b/c.yml']],
    );
  });

  test('a directory without manifests renders nothing', async () => {
    assert.deepEqual((await render({ 'web/README.md': '' })).objects, []);
  });

  test('a path that is not there is refused with what is', async () => {
    const error = await failure(
      render({ 'charts/web/Chart.yaml': '', 'docs/a': '' }, {}, 'charts/wep'),
      'PathNotFound',
    );
    assert.match(error.message, /There is no charts\/wep .* In charts there is: web\./);
  });
});

describe('Kustomize', () => {
  const base = {
    'base/kustomization.yaml': 'resources: [a.yaml]\n',
    'base/a.yaml': configMap('a', 'x'),
  };

  test('an overlay over a base outside its directory, with a generator', async () => {
    const rendered = await render(
      {
        ...base,
        'overlays/prod/kustomization.yaml':
          'resources: [../../base]\nnamePrefix: prod-\nconfigMapGenerator:\n- name: generated\n  files: [settings.txt]\n',
        'overlays/prod/settings.txt': 'hello',
      },
      {},
      'overlays/prod',
    );
    assert.equal(rendered.kind, 'Kustomize');
    assert.deepEqual(
      rendered.objects.map((each) => each.name.replace(/-[a-z0-9]{10}$/, '-#')),
      ['prod-a', 'prod-generated-#'],
    );
  });

  test('is rendered again only when a file that it read changed', async () => {
    const tree = new MemoryTree({ ...base, 'base/unrelated.md': '1', 'other/x': '1' });
    const first = await renderer.render(tree, request('base'));
    const same = await renderer.render(tree.with({ 'base/unrelated.md': '2' }), request('base'));
    assert.equal(same, first);
    const changed = await renderer.render(tree.with({ 'base/a.yaml': configMap('b', 'x') }), request('base'));
    assert.notEqual(changed.inputs, first.inputs);
    assert.equal(changed.objects[0]?.name, 'b');
  });

  test('what needs the network or a program is refused, by name', async () => {
    for (const [text, expected] of [
      ['resources: ["https://github.com/x/y//base?ref=v1"]', /github\.com\/x\/y.*remote bases/],
      ['resources: ["github.com/x/y/base"]', /remote bases/],
      ['resources: ["git@github.com:x/y.git"]', /remote bases/],
      ['patches: [{path: "http://127.0.0.1/p.yaml"}]', /remote patches/],
      ['helmCharts: [{name: x, repo: "https://x"}]', /Helm charts/],
      ['generators: [gen.yaml]', /KRM|plugin|function|external/i],
    ] as const) {
      const files = {
        'web/kustomization.yaml': `${text}\n`,
        'web/gen.yaml':
          'apiVersion: x.dev/v1\nkind: Gen\nmetadata:\n  name: g\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./run.sh}\n',
      };
      const error = await failure(render(files), 'KustomizationInvalid');
      assert.match(error.message, expected);
    }
  });

  test('a missing file is named by its path in the repository', async () => {
    const error = await failure(
      render({ 'web/kustomization.yaml': 'resources: [gone.yaml]\n' }),
      'KustomizationInvalid',
    );
    assert.match(error.message, /web\/gone\.yaml/);
    assert.equal(error.details[0]?.file, 'web/kustomization.yaml');
  });

  test('S6: a base outside the repository is refused', async () => {
    await failure(
      render({ 'web/kustomization.yaml': 'resources: [../../../../etc/hosts]\n' }),
      'KustomizationInvalid',
    );
  });
});

describe('values', () => {
  test('later sources win: chart, files in order, valuesFrom, values, the environment', async () => {
    const files = {
      'web/one.yaml': 'color: one\none: 1\n',
      'shared/two.yaml': 'color: two\ntwo: 2\nnested: {a: 2}\n',
      'web/env.yaml': 'env: file\ncolor: env\n',
    };
    const helm = { valuesFiles: ['one.yaml', '/shared/two.yaml'] };
    assert.deepEqual(await values(files, helm), { color: 'two', nested: { a: 2, b: 2 }, one: 1, two: 2 });
    const from = {
      ...helm,
      valuesFrom: [{ name: 'ConfigMap c key k', text: 'color: from\nnested: {b: null}\n' }],
    };
    assert.deepEqual(await values(files, from), { color: 'from', nested: { a: 2 }, one: 1, two: 2 });
    const all = { ...from, values: '{"color":"inline","big":9007199254740993,"small":1000000}' };
    const merged = await render({ ...chart, ...showValues, ...files }, { helm: all });
    assert.match(data(merged, 'values').values ?? '', /"big":9007199254740993.*"color":"inline"/);
    const environment = { ...all, environmentValuesFiles: ['env.yaml'], environmentValues: '{"last":true}' };
    const last = await values(files, environment);
    assert.deepEqual([last.color, last.env, last.last], ['env', 'file', true]);
  });

  test('null removes a default', async () => {
    assert.deepEqual(await values({}, { values: '{"nested":null}' }), { color: 'red' });
  });

  test('what is not a map is refused with file and line', async () => {
    const list = await failure(
      values({ 'web/v.yaml': '- a\n- b\n' }, { valuesFiles: ['v.yaml'] }),
      'ValuesInvalid',
    );
    assert.match(list.message, /web\/v\.yaml/);
    const broken = await failure(
      values({ 'web/v.yaml': 'a: 1\nb: [\n' }, { valuesFiles: ['v.yaml'] }),
      'ValuesInvalid',
    );
    assert.equal(broken.details[0]?.file, 'web/v.yaml');
    assert.ok((broken.details[0]?.line ?? 0) >= 2);
  });

  test('a file that is not there, too large, or an LFS pointer is refused', async () => {
    const one = { valuesFiles: ['v.yaml'] };
    assert.match(
      (await failure(values({}, one), 'ValuesFileNotFound')).message,
      /In web there is: Chart\.yaml, templates/,
    );
    await failure(values({ 'web/v.yaml': `a: ${'x'.repeat(2 ** 20)}` }, one), 'ValuesFileTooLarge');
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n';
    await failure(values({ 'web/v.yaml': pointer }, one), 'ValuesFileIsLFSPointer');
    await failure(values({ 'web/values.yaml': pointer }, undefined), 'ValuesFileIsLFSPointer');
  });

  test('every violation of the schema is listed, those of subcharts too', async () => {
    const schema = (names: string) =>
      `{"type":"object","required":${names},"properties":{"color":{"enum":["red","blue"]},"count":{"type":"integer","minimum":1}}}`;
    const error = await failure(
      render(
        {
          ...chart,
          'web/values.schema.json': schema('["must"]'),
          'web/charts/db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n',
          'web/charts/db/values.schema.json': schema('[]'),
        },
        { helm: { values: '{"color":"green","count":0,"db":{"count":"many"}}' } },
      ),
      'ValuesInvalid',
    );
    const messages = error.details.map((detail) => detail.message).sort();
    assert.equal(messages.length, 4);
    assert.match(messages.join('\n'), /color: .*'red', 'blue'/);
    assert.match(messages.join('\n'), /count: .*minimum/i);
    assert.match(messages.join('\n'), /must/);
    assert.match(messages.join('\n'), /db: count: .*integer/);
  });

  test('S6: values files never leave the repository', async () => {
    for (const path of [
      '../../v.yaml',
      '/../v.yaml',
      'a\\..\\..\\v.yaml',
      'v.yaml\0',
      '../../../etc/passwd',
    ]) {
      const error = await failure(values({ 'web/v.yaml': '' }, { valuesFiles: [path] }), 'PathNotFound');
      assert.match(error.message, /not a path inside the repository/);
    }
    for (const path of ['..', '/..', 'a/../../b', '../web']) {
      await failure(render({ ...chart }, {}, path), 'PathNotFound');
    }
  });

  test('S6: .Files has the chart only', async () => {
    const rendered = await render({
      ...chart,
      'web/inside.txt': 'inside',
      'outside.txt': 'outside',
      'web/templates/f.yaml': configMap(
        'f',
        '{{ list (.Files.Get "inside.txt") (.Files.Get "../outside.txt") (.Files.Get "/etc/passwd") (.Files.Get "templates/f.yaml") (len (.Files.Glob "../**")) | toJson | quote }}',
      ),
    });
    assert.deepEqual(JSON.parse(data(rendered, 'f').text ?? ''), ['inside', '', '', '', 0]);
  });

  test('S5: no value from a Secret is in a message, however the template prints it', async () => {
    const secret = 'password: "hunter2-very-secret"\nlines: |\n  first line\n  second line\npin: 98765432\n';
    const from = { valuesFrom: [{ name: 'Secret s key values.yaml', text: secret, secret: true }] };
    for (const template of [
      '{{ fail .Values.password }}',
      '{{ fail (printf "%q and %v" .Values.lines .Values) }}',
      '{{ fail (b64enc .Values.password) }}',
      '{{ required .Values.password nil }}',
      '{{ .Values.password | toDate "x" | mustToDate .Values.password .Values.password }}',
      '{{ tpl (printf "{{ %s" .Values.password) . }}',
      'a: {{ .Values.password }}: {{ .Values.pin }}: [',
      '{{ fail (toString .Values.pin) }}',
      '{{ include .Values.password . }}',
    ]) {
      const error = await render({ ...chart, 'web/templates/a.yaml': template }, { helm: from }).then(
        () => assert.fail(template),
        (caught: TowpathError) => caught,
      );
      const said = JSON.stringify([error.message, error.details, String(error.cause)]);
      assert.doesNotMatch(said, /hunter2|aHVudGVy|second line|98765432|9\.8765432e/, template);
    }
    const broken = { valuesFrom: [{ name: 'Secret s key k', text: 'hunter2-very-secret: [', secret: true }] };
    assert.doesNotMatch((await failure(values({}, broken), 'ValuesInvalid')).message, /hunter2/);
    const schema = { 'web/values.schema.json': '{"properties":{"password":{"pattern":"^x"}}}' };
    const refused = await failure(render({ ...chart, ...schema }, { helm: from }), 'ValuesInvalid');
    assert.doesNotMatch(JSON.stringify([refused.message, refused.details]), /hunter2/);
  });
});

function names(objects: readonly Manifest[]): string[] {
  return objects.map((each) => each.name);
}

describe('Helm charts', () => {
  test('hooks are returned as hooks, test hooks are dropped, NOTES too', async () => {
    const hook = (name: string, annotations: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  annotations:\n${annotations}`;
    const rendered = await render({
      ...chart,
      'web/templates/NOTES.txt': 'Thank you: [',
      'web/templates/a.yaml': configMap('a', 'x'),
      'web/templates/h1.yaml': hook(
        'h1',
        '    helm.sh/hook: pre-install, post-upgrade\n    helm.sh/hook-weight: "-5"\n',
      ),
      'web/templates/h2.yaml': hook(
        'h2',
        '    helm.sh/hook: post-delete\n    helm.sh/hook-delete-policy: hook-succeeded,hook-failed\n',
      ),
      'web/templates/t.yaml': hook('t', '    helm.sh/hook: test\n'),
      'web/templates/u.yaml': hook('u', '    helm.sh/hook: pre-lunch\n'),
    });
    assert.deepEqual(names(rendered.objects), ['a']);
    assert.deepEqual(
      rendered.hooks.map((each) => [each.name, each.hook]),
      [
        [
          'h1',
          { events: ['pre-install', 'post-upgrade'], weight: -5, deletePolicies: ['before-hook-creation'] },
        ],
        ['h2', { events: ['post-delete'], weight: 0, deletePolicies: ['hook-succeeded', 'hook-failed'] }],
      ],
    );
    assert.match(rendered.hooks[0]?.text ?? '', /"towpath.dev\/target":"t1"/);
    assert.match(rendered.warnings.join(), /pre-lunch/);
  });

  test('subcharts: condition, tags, alias, import-values, global, library, archive order', async () => {
    const sub = (name: string) => ({
      [`web/charts/${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`,
      [`web/charts/${name}/values.yaml`]: `who: ${name}\nexports:\n  shared:\n    imported: from-${name}\n`,
      [`web/charts/${name}/templates/c.yaml`]: configMap(
        '{{ .Chart.Name }}',
        '{{ .Values.who }}-{{ .Values.global.region }}',
      ),
    });
    const rendered = await render(
      {
        ...chart,
        ...sub('db'),
        ...sub('cache'),
        ...sub('queue'),
        'web/charts/lib/Chart.yaml': 'apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n',
        'web/charts/lib/templates/_l.tpl': '{{ define "lib.name" }}from-library{{ end }}',
        'web/Chart.yaml': `${chart['web/Chart.yaml']}dependencies:
- {name: db, version: 1.x, condition: db.enabled, import-values: [shared]}
- {name: cache, version: 1.0.0, tags: [fast]}
- {name: queue, version: ">=1", alias: jobs}
- {name: lib, version: 1.0.0}
`,
        'web/templates/r.yaml': configMap('{{ include "lib.name" . }}', '{{ .Values.imported }}'),
      },
      { helm: { values: '{"global":{"region":"eu"},"tags":{"fast":false},"jobs":{"who":"worker"}}' } },
    );
    assert.deepEqual(names(rendered.objects).sort(), ['db', 'from-library', 'jobs']);
    assert.equal(data(rendered, 'db').text, 'db-eu');
    assert.equal(data(rendered, 'jobs').text, 'worker-eu');
    assert.equal(data(rendered, 'from-library').text, 'from-db');
    assert.equal(rendered.objects.find((each) => each.name === 'db')?.file, 'web/charts/db/templates/c.yaml');
  });

  test('a file:// dependency outside the chart, with one of its own; a change in it renders again', async () => {
    const files = {
      ...chart,
      'web/Chart.yaml': `${chart['web/Chart.yaml']}dependencies:\n- {name: lib, version: 1.x, repository: "file://../shared/lib"}\n`,
      'shared/lib/Chart.yaml':
        'apiVersion: v2\nname: lib\nversion: 1.1.0\ndependencies:\n- {name: deep, version: 0.1.0, repository: "file://../deep"}\n',
      'shared/lib/templates/l.yaml': configMap('lib', 'x'),
      'shared/deep/Chart.yaml': 'apiVersion: v2\nname: deep\nversion: 0.1.0\n',
      'shared/deep/templates/d.yaml': configMap('deep', 'x'),
    };
    const tree = new MemoryTree(files);
    const rendered = await renderer.render(tree, request('web'));
    assert.deepEqual(names(rendered.objects), ['deep', 'lib']);
    assert.equal(rendered.objects[0]?.file, 'shared/deep/templates/d.yaml');
    const changed = await renderer.render(
      tree.with({ 'shared/deep/templates/d.yaml': configMap('e', 'x') }),
      request('web'),
    );
    assert.deepEqual(names(changed.objects), ['e', 'lib']);
    const other = tree.with({ 'shared/lib/Chart.yaml': 'apiVersion: v2\nname: lib\nversion: 2.0.0\n' });
    assert.match(
      (await failure(renderer.render(other, request('web')), 'DependencyMissing')).message,
      /lib 1\.x/,
    );
  });

  test('a subchart in an archive; a chart in the root of the repository', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'towpath-archive-'));
    try {
      mkdirSync(join(scratch, 'db/templates'), { recursive: true });
      writeFileSync(join(scratch, 'db/Chart.yaml'), 'apiVersion: v2\nname: db\nversion: 1.0.0\n');
      writeFileSync(join(scratch, 'db/templates/c.yaml'), configMap('db', '{{ .Values.global.region }}'));
      const archive = execFileSync('tar', ['-C', scratch, '-cz', 'db']);
      const files = {
        'Chart.yaml': `${chart['web/Chart.yaml']}dependencies:\n- {name: db, version: 1.0.0, repository: "https://x"}\n`,
        'charts/db-1.0.0.tgz': new Uint8Array(archive),
      };
      const helm = { values: '{"global":{"region":"eu"}}' };
      const rendered = await renderer.render(new MemoryTree(files), request('.', { helm }));
      assert.equal(data(rendered, 'db').text, 'eu');
      const broken = new MemoryTree({ ...files, 'charts/db-1.0.0.tgz': 'no archive' });
      const error = await failure(renderer.render(broken, request('', { helm })), 'ChartInvalid');
      assert.match(error.message, /db-1\.0\.0\.tgz/);
      const missing = new MemoryTree({ 'Chart.yaml': files['Chart.yaml'] });
      const named = await failure(renderer.render(missing, request('', { helm })), 'DependencyMissing');
      assert.equal(named.details[0]?.file, 'Chart.yaml');
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });

  test('a dependency that is not there is named, unless it is switched off', async () => {
    const files = {
      ...chart,
      'web/Chart.yaml': `${chart['web/Chart.yaml']}dependencies:\n- {name: redis, version: 7.x, repository: "https://charts.example.com", condition: redis.enabled}\n`,
    };
    const error = await failure(render(files), 'DependencyMissing');
    assert.match(
      error.message,
      /redis 7\.x from https:\/\/charts\.example\.com.*helm dependency update.*redis\.enabled: false/,
    );
    assert.deepEqual((await render(files, { helm: { values: '{"redis":{"enabled":false}}' } })).objects, []);
  });

  test('capabilities and release are those of the request', async () => {
    const show =
      '{{ list .Capabilities.KubeVersion.Version (.Capabilities.APIVersions.Has "apps/v1") (.Capabilities.APIVersions.Has "batch/v1") .Release.Name .Release.Namespace .Release.IsInstall .Release.Revision .Release.Service | toJson | quote }}';
    const rendered = await render({ ...chart, 'web/templates/a.yaml': configMap('a', show) });
    assert.deepEqual(JSON.parse(data(rendered, 'a').text ?? ''), [
      'v1.37.2',
      true,
      false,
      'web',
      'shop',
      true,
      1,
      'Helm',
    ]);
    await failure(
      render({ ...chart, 'web/Chart.yaml': `${chart['web/Chart.yaml']}kubeVersion: ">=1.99"\n` }),
      'KubeVersionUnsupported',
    );
  });

  test('.helmignore is heeded; crds/ are not templates', async () => {
    const rendered = await render({
      ...chart,
      'web/.helmignore': 'ignored/\n*.bak\n',
      'web/ignored/x.txt': 'x',
      'web/templates/a.yaml.bak': '{{ fail "no" }}',
      'web/crds/c.yaml': configMap('crd', '"{{ not a template }}"'),
      'web/templates/a.yaml': configMap('a', '{{ len (.Files.Glob "ignored/*") | quote }}'),
    });
    assert.deepEqual(names(rendered.objects), ['crd', 'a']);
    assert.equal(data(rendered, 'a').text, '0');
    assert.equal(data(rendered, 'crd').text, '{{ not a template }}');
  });

  test('errors name file, line and column, and what failed', async () => {
    const syntax = await failure(
      render({ ...chart, 'web/templates/a.yaml': 'a: b\n{{ if }}\n' }),
      'ChartInvalid',
    );
    assert.deepEqual([syntax.details[0]?.file, syntax.details[0]?.line], ['web/templates/a.yaml', 2]);
    assert.match(syntax.message, /web\/templates\/a\.yaml:2/);
    const required = await failure(
      render({ ...chart, 'web/templates/a.yaml': 'a: b\nc: {{ required "set the color" .Values.none }}\n' }),
      'RenderFailed',
    );
    assert.match(required.message, /web\/templates\/a\.yaml:2:\d+\)?: set the color/);
    assert.equal(required.details[0]?.line, 2);
    const failed = await failure(
      render({ ...chart, 'web/templates/a.yaml': '{{ fail "no way" }}' }),
      'RenderFailed',
    );
    assert.match(failed.message, /no way/);
    const invalid = await failure(
      render({ ...chart, 'web/templates/a.yaml': `${configMap('a', 'x')}---\na: b: c\n` }),
      'ManifestInvalid',
    );
    assert.match(invalid.message, /web\/templates\/a\.yaml, document 2/);
    await failure(render({ ...chart, 'web/Chart.yaml': 'name: [\n' }), 'ChartInvalid');
    const missing = await failure(
      render({ 'web/values.yaml': '', 'web/templates/a.yaml': '' }, { helm: { values: '{}' } }),
      'ChartInvalid',
    );
    assert.match(missing.message, /no Chart\.yaml in web/);
  });

  test('charts rendering nothing render nothing', async () => {
    assert.deepEqual((await render({ ...chart, 'web/templates/a.yaml': '# none\n---\n' })).objects, []);
  });
});

describe('results are shared', () => {
  test('the same inputs are rendered once, whatever else the commit changed', async () => {
    const tree = new MemoryTree({ ...chart, 'web/templates/a.yaml': configMap('a', 'x'), 'other/x': '1' });
    const first = await renderer.render(tree, request('web'));
    const next = tree.with({ 'other/x': '2' });
    assert.equal(await renderer.render(next, request('web')), first);
    assert.deepEqual(next.reads, ['web/Chart.yaml'].slice(1));
    assert.notEqual(await renderer.render(next, request('web', { namespace: 'elsewhere' })), first);
    const back = tree.with({ 'web/templates/a.yaml': configMap('a', 'y') });
    assert.notEqual((await renderer.render(back, request('web'))).inputs, first.inputs);
    assert.equal(await renderer.render(tree, request('web')), first);
  });

  test('identical requests at once share one render; giving one up does not end the other', async () => {
    const tree = new MemoryTree({ ...chart, 'web/templates/a.yaml': configMap('a', '{{ uuidv4 }}') });
    const abort = new AbortController();
    const one = renderer.render(tree, request('web'), abort.signal);
    const two = renderer.render(tree, request('web'));
    const three = renderer.render(tree, request('web'));
    abort.abort(new Error('no longer wanted'));
    await assert.rejects(one, /no longer wanted/);
    assert.equal(await two, await three);
  });
});
