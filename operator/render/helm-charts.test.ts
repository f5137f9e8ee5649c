import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { archiveOf } from '../../test/harness/archive.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { configMap, data, failure, names, request, TestRenderer } from '../../test/harness/render.ts';
import { sha256 } from '../manifest/digest.ts';
import { MissingBases, MissingCharts, type Rendered, TreeWithBases, TreeWithFiles } from './renderer.ts';

const engine = new TestRenderer();

const redis = {
  'Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 1.2.3\n',
  'values.yaml': 'size: 1\ncolor: red\nnested: {a: 1, b: 2}\n',
  'templates/a.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-redis"}
data:
  values: {{ toJson .Values | quote }}
  namespace: {{ .Release.Namespace }}
  serves: {{ .Capabilities.APIVersions.Has "x.dev/v1" | quote }}
  kube: {{ .Capabilities.KubeVersion.Version }}
`,
  'templates/hook.yaml': `apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-migrate", annotations: {helm.sh/hook: pre-install}}
`,
  'templates/test.yaml': `apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-test", annotations: {helm.sh/hook: test}}
`,
  'crds/c.yaml':
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: cs.x.dev}\nspec: {group: x.dev, scope: Cluster, names: {kind: C}}\n',
};

function at(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));
}

const local = (entry: string, more = '') => ({
  ...at('web/charts/redis', redis),
  'web/kustomization.yaml': `${more}helmCharts:\n- {name: redis, releaseName: web, ${entry}}\n`,
});

async function valuesOf(entry: string, more: Record<string, string> = {}) {
  return JSON.parse(data(await engine.render({ ...local(entry), ...more }), 'web-redis').values ?? '');
}

/** Rendered with an archive for the chart that it lacks. */
async function withArchive(tree: MemoryTree, packed: Buffer): Promise<Rendered> {
  const error = await failure(engine.renderer.render(tree, request('web')), 'DependencyMissing');
  assert.ok(error instanceof MissingCharts);
  const archive = { digest: sha256(packed.toString('base64')), data: packed };
  const files = new Map(error.charts.map(({ file }) => [file ?? '', archive]));
  return engine.renderer.render(new TreeWithFiles(tree, files), request('web'));
}

/** Rendered with files for the base in another repository that it refers to. */
async function withBase(tree: MemoryTree, files: Readonly<Record<string, string>>): Promise<Rendered> {
  const error = await failure(engine.renderer.render(tree, request('web')), 'RemoteBaseUnsupported');
  assert.ok(error instanceof MissingBases);
  const other = new MemoryTree(files);
  const bases = new Map(error.bases.map(({ folder }) => [folder, other]));
  return engine.renderer.render(new TreeWithBases(tree, bases), request('web'));
}

describe('helmCharts of a kustomization', () => {
  test('are rendered from chartHome, with hooks, without tests, and with CRDs where they are wanted', async () => {
    const rendered = await engine.render(local('namespace: cache', 'namePrefix: x-\n'));
    assert.deepEqual(names(rendered.objects), ['x-web-redis']);
    assert.deepEqual(names(rendered.hooks), ['x-web-migrate']);
    assert.deepEqual(rendered.hooks[0]?.hook?.events, ['pre-install']);
    assert.equal(rendered.objects[0]?.namespace, 'cache');
    assert.doesNotMatch(rendered.objects[0]?.text ?? '', /internal\.|helm-generated/);
    assert.equal(data(rendered, 'x-web-redis').namespace, 'cache');
    const all = await engine.render(local('includeCRDs: true, skipHooks: true'));
    assert.deepEqual(names(all.objects), ['cs.x.dev', 'web-redis']);
    assert.deepEqual(all.hooks, []);
  });

  test('have their values as Kustomize merges them', async () => {
    const file = { 'web/own.yaml': 'size: 5\nnested: {a: 7}\n', 'web/more.yaml': 'color: blue\n' };
    const all = { size: 1, color: 'red', nested: { a: 1, b: 2 } };
    assert.deepEqual(await valuesOf(''), all);
    assert.deepEqual(await valuesOf('valuesFile: own.yaml', file), {
      ...all,
      size: 5,
      nested: { a: 7, b: 2 },
    });
    const inline = 'valuesInline: {size: 9, nested: {a: 8}}';
    assert.deepEqual(await valuesOf(inline), { ...all, size: 9, nested: { a: 8, b: 2 } });
    assert.deepEqual(await valuesOf(`valuesFile: own.yaml, ${inline}, valuesMerge: merge`, file), {
      ...all,
      size: 5,
      nested: { a: 7, b: 2 },
    });
    assert.deepEqual(
      await valuesOf(`valuesFile: own.yaml, valuesInline: {color: green}, valuesMerge: replace`, file),
      { ...all, color: 'green' },
    );
    assert.deepEqual(await valuesOf(`additionalValuesFiles: [own.yaml, more.yaml], ${inline}`, file), {
      size: 5,
      color: 'blue',
      nested: { a: 7, b: 2 },
    });
  });

  test('land where the kustomization does that they are in, or one above it', async () => {
    const base = {
      ...at('base/charts/redis', redis),
      'base/kustomization.yaml': 'helmCharts: [{name: redis, releaseName: web}]\n',
    };
    const overlay = (text: string) => ({
      ...base,
      'web/kustomization.yaml': `resources: [../base]\n${text}`,
    });
    for (const [text, expected] of [
      ['namespace: above\n', 'above'],
      ['', 'shop'],
    ] as const) {
      const rendered = await engine.render(overlay(text));
      assert.equal(data(rendered, 'web-redis').namespace, expected);
      assert.equal(rendered.objects[0]?.namespace, expected);
    }
  });

  test('land where their entry says if kustomizations of several namespaces refer to theirs', async () => {
    const files = (entry: string) => ({
      ...at('base/charts/redis', redis),
      'base/kustomization.yaml': `helmCharts: [{name: redis, releaseName: web${entry}}]\n`,
      'one/kustomization.yaml': 'namespace: one\nnamePrefix: one-\nresources: [../base]\n',
      'two/kustomization.yaml': 'namespace: two\nnamePrefix: two-\nresources: [../base]\n',
      'web/kustomization.yaml': 'resources: [../one, ../two]\n',
    });
    const error = await failure(engine.render(files('')), 'KustomizationInvalid');
    assert.match(error.message, /set different namespaces\. Give the chart a namespace there/);
    const rendered = await engine.render(files(', namespace: cache'));
    assert.deepEqual(names(rendered.objects), ['one-web-redis', 'two-web-redis']);
    assert.ok(rendered.objects.every(({ namespace }) => namespace === 'cache'));
  });

  test('land so, too, where what is referred to refers to theirs, unless a namespace is set between', async () => {
    const files = (between: string) => ({
      ...at('db/charts/redis', redis),
      'db/kustomization.yaml': 'helmCharts: [{name: redis, releaseName: web}]\n',
      'base/kustomization.yaml': `resources: [../db]\n${between}`,
      'one/kustomization.yaml': 'namespace: one\nnamePrefix: one-\nresources: [../base]\n',
      'two/kustomization.yaml': 'namespace: two\nnamePrefix: two-\nresources: [../base]\n',
      'web/kustomization.yaml': 'resources: [../one, ../two]\n',
    });
    const error = await failure(engine.render(files('')), 'KustomizationInvalid');
    assert.match(error.message, /^db\/kustomization\.yaml .* set different namespaces/);
    const rendered = await engine.render(files('namespace: data\n'));
    assert.equal(data(rendered, 'one-web-redis').namespace, 'data');
  });

  test('see the cluster, and what their entry says of it', async () => {
    const seen = async (entry: string) => {
      const { serves, kube } = data(await engine.render(local(entry)), 'web-redis');
      return [serves, kube];
    };
    assert.deepEqual(await seen(''), ['false', 'v1.37.2']);
    assert.deepEqual(await seen('apiVersions: [x.dev/v1], kubeVersion: "1.30"'), ['true', 'v1.30']);
  });

  test('are named by a template, and never by chance', async () => {
    const entry = '{name: redis, nameTemplate: "{{ printf `a-%s` `b` }}"}';
    const files = local('');
    const rendered = await engine.render({ ...files, 'web/kustomization.yaml': `helmCharts: [${entry}]\n` });
    assert.deepEqual(names(rendered.objects), ['a-b-redis']);
    const text = 'helmCharts: [{name: redis}]\n';
    const error = await failure(
      engine.render({ ...files, 'web/kustomization.yaml': text }),
      'KustomizationInvalid',
    );
    assert.match(error.message, /^web\/kustomization\.yaml inflates the chart redis without a releaseName/);
  });

  test('that are not in the repository are told, and rendered once they are there', async () => {
    const entryOf = (text: string) => `helmCharts:\n- {name: redis, releaseName: web, ${text}}\n`;
    for (const [version, wanted] of [
      ['version: 1.2.3, ', { version: '1.2.3' }],
      ['version: ^1.0.0, ', { version: '^1.0.0', isRange: true }],
      ['', { version: '*', isRange: true }],
    ] as const) {
      const tree = new MemoryTree({
        'web/kustomization.yaml': entryOf(`${version}repo: "https://charts.dev/x"`),
      });
      const error = await failure(engine.renderer.render(tree, request('web')), 'DependencyMissing');
      assert.ok(error instanceof MissingCharts);
      const [{ file: _, ...chart } = {}] = error.charts;
      assert.deepEqual(chart, { name: 'redis', repository: 'https://charts.dev/x', ...wanted });
      const rendered = await withArchive(tree, archiveOf(at('redis', redis)));
      assert.deepEqual(names(rendered.objects), ['web-redis']);
      // As messages advise where one cannot be fetched.
      const committed = { ...at('web/charts/redis', redis), 'web/kustomization.yaml': entryOf(version) };
      assert.deepEqual(names((await engine.render(committed)).objects), ['web-redis']);
    }
  });

  test('are named to the letter by what Helm takes for no range: in a registry by all that is a version', async () => {
    const isRange = async (version: string, repo: string) => {
      const text = `helmCharts:\n- {name: redis, releaseName: web, version: "${version}", repo: "${repo}"}\n`;
      const tree = new MemoryTree({ 'web/kustomization.yaml': text });
      const error = await failure(engine.renderer.render(tree, request('web')), 'DependencyMissing');
      assert.ok(error instanceof MissingCharts);
      assert.equal(error.charts[0]?.version, version);
      return error.charts[0]?.isRange === true;
    };
    for (const [version, inRegistry, inIndex] of [
      ['1.2.3', false, false],
      ['v1.16.1', false, true],
      ['v1.16.1-rc.1+b', false, false],
      ['1.2', false, true],
      ['v1', false, true],
      ['1.2-a.b.c', false, true],
      ['v1.x', true, true],
      ['~v1.2.0', true, true],
    ] as const) {
      assert.equal(await isRange(version, 'oci://charts.dev/x'), inRegistry, version);
      assert.equal(await isRange(version, 'https://charts.dev/x'), inIndex, version);
    }
  });

  test('S9: are refused where what was fetched for one is another chart, or a version that was not asked for', async () => {
    const entry = (version: string, repository: string) =>
      `helmCharts:\n- {name: redis, releaseName: web, version: "${version}", repo: "${repository}"}\n`;
    const fetched = (version: string, chart: string, repository = 'oci://charts.dev/x') => {
      const tree = new MemoryTree({ 'web/kustomization.yaml': entry(version, repository) });
      return withArchive(
        tree,
        archiveOf(at('redis', { ...redis, 'Chart.yaml': `apiVersion: v2\n${chart}` })),
      );
    };
    // A registry's tag 1.2 goes with what is published.
    for (const version of ['v1.2.3', '1.2.3', '1.x', '1.2', 'v1'])
      assert.deepEqual(names((await fetched(version, 'name: redis\nversion: 1.2.3\n')).objects), [
        'web-redis',
      ]);
    const build = await fetched('v1.2.3', 'name: redis\nversion: 1.2.3+b\n', 'https://charts.dev/x');
    assert.deepEqual(names(build.objects), ['web-redis']);
    for (const [version, chart, is] of [
      ['1.2.3', 'name: rediss\nversion: 1.2.3\n', 'rediss 1.2.3'],
      ['1.2.3', 'name: redis\nversion: 1.2.4\n', 'redis 1.2.4'],
      ['1.2.3', 'name: redis\nversion: 1.2.3+b\n', 'redis 1.2.3+b'],
      ['~1.2.0', 'name: redis\nversion: 1.3.0\n', 'redis 1.3.0'],
      ['1.2', 'name: redis\nversion: 1.3.0\n', 'redis 1.3.0'],
    ] as const) {
      const error = await failure(fetched(version, chart), 'ChartArchiveInvalid');
      assert.equal(
        error.message,
        `What oci://charts.dev/x has as chart redis ${version} is chart ${is}. Have who publishes it correct that, or use another version.`,
      );
      assert.equal(error.details[0]?.file, 'web/kustomization.yaml');
    }
  });

  test('may be those of a base in another repository', async () => {
    const tree = new MemoryTree({ 'web/kustomization.yaml': 'resources: ["https://git.dev/x/a"]\n' });
    const rendered = await withBase(tree, {
      ...at('charts/redis', redis),
      'kustomization.yaml': 'helmCharts: [{name: redis, releaseName: web, valuesInline: {size: 4}}]\n',
    });
    assert.equal(JSON.parse(data(rendered, 'web-redis').values ?? '').size, 4);
  });

  test('that cannot be rendered say why, and where', async () => {
    for (const [entry, expected, reason = 'KustomizationInvalid'] of [
      ['repo: "http://charts.dev"', /is neither https:\/\/ nor oci:\/\//, undefined],
      ['valuesMerge: other', /valuesMerge "other"/, undefined],
      ['valuesFile: gone.yaml', /There is no web\/gone\.yaml, a values file of the chart redis/, undefined],
      ['valuesFile: ../values.yaml', /not in or below the folder/, undefined],
      ['valuesFile: "https://x.dev/v.yaml"', /refers to https:\/\/x\.dev\/v\.yaml/, 'RemoteBaseUnsupported'],
      ['devel: true', /devel, which is not supported/, undefined],
      [
        'valueInline: {a: 1}',
        /helmCharts of web\/kustomization\.yaml cannot be read: .*valueInline/,
        undefined,
      ],
      ['version: latest, repo: "https://charts.dev"', /the version "latest", which is none/, undefined],
    ] as const) {
      const files = local(entry);
      const all = entry.includes('repo:')
        ? { 'web/kustomization.yaml': files['web/kustomization.yaml'] ?? '' }
        : files;
      const error = await failure(engine.render(all), reason);
      assert.match(error.message, expected);
      assert.equal(error.details[0]?.file, 'web/kustomization.yaml');
    }
    const broken = { ...local(''), 'web/charts/redis/templates/b.yaml': '{{ fail "no such luck" }}' };
    const error = await failure(engine.render(broken), 'RenderFailed');
    assert.match(error.message, /no such luck/);
    assert.match(error.message, /web\/charts\/redis\/templates\/b\.yaml/);
  });

  test('S6: chartHome leads out of no repository', async () => {
    const files = local('', 'helmGlobals: {chartHome: ../../../etc}\n');
    const away = { ...files, 'web/a.yaml': configMap('a', 'x') };
    await failure(engine.render(away), 'KustomizationInvalid');
  });

  test('S6: an archive that was fetched has its dependencies in it: nothing of the repository stands for one', async () => {
    const beside = {
      'db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n',
      'db/templates/a.yaml': configMap('db', 'x'),
      'web/kustomization.yaml':
        'helmCharts: [{name: redis, releaseName: web, version: 1.2.3, repo: "https://charts.dev/x"}]\n',
    };
    for (const repository of ['file://../db', 'https://charts.dev/x']) {
      const packed = archiveOf(
        at('redis', {
          ...redis,
          'Chart.yaml': `${redis['Chart.yaml']}dependencies:\n- {name: db, version: 1.x, repository: "${repository}"}\n`,
        }),
      );
      const error = await failure(withArchive(new MemoryTree(beside), packed), 'DependencyMissing');
      assert.ok(!(error instanceof MissingCharts));
      assert.match(
        error.message,
        /^Chart redis depends on db 1\.x from .*, which is not in redis-1\.2\.3\.tgz\/charts\. It was packaged without/,
      );
    }
  });

  test('leave out what .helmignore names in an archive, too, which Kustomize unpacks first', async () => {
    const tree = new MemoryTree({
      'web/kustomization.yaml':
        'helmCharts: [{name: redis, releaseName: web, version: 1.2.3, repo: "https://charts.dev/x"}]\n',
    });
    const rendered = await withArchive(
      tree,
      archiveOf(at('redis', { ...redis, '.helmignore': 'templates/hook.yaml\n' })),
    );
    assert.deepEqual(names(rendered.objects), ['web-redis']);
    assert.deepEqual(rendered.hooks, []);
  });

  test('S6: file:// of a base in another repository stays in that, and its version is no path', async () => {
    const own = {
      ...at('x', { 'Chart.yaml': 'apiVersion: v2\nname: x\nversion: 1.0.0\n' }),
      'x/templates/a.yaml': configMap('own', 'x'),
      'web/kustomization.yaml': 'resources: ["https://git.dev/x/a"]\n',
    };
    const rendered = (version: string, repository: string) => {
      const chart = {
        'Chart.yaml': `apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: x, version: 1.x, repository: "${repository}"}\n`,
        'templates/a.yaml': configMap('web', 'x'),
      };
      return withBase(new MemoryTree(own), {
        ...at('charts/web', chart),
        ...at('x', { 'Chart.yaml': 'apiVersion: v2\nname: x\nversion: 1.1.0\n' }),
        'x/templates/a.yaml': configMap('of-the-base', 'x'),
        'kustomization.yaml': `helmCharts: [{releaseName: web, ${version}}]\n`,
      });
    };
    const within = await rendered('name: web', 'file://../../x');
    assert.deepEqual(names(within.objects), ['of-the-base', 'web']);
    const error = await failure(rendered('name: web', 'file://../../../../../x'), 'DependencyMissing');
    assert.match(
      error.message,
      /^Chart web depends on x 1\.x from file:\/\/\.\.\/\.\.\/\.\.\/\.\.\/\.\.\/x, which is not in/,
    );
    const away = await failure(
      rendered('name: x, version: 1/../../../../../.., repo: "https://charts.dev"', 'file://../../x'),
      'KustomizationInvalid',
    );
    assert.match(away.message, /with the version "1[./]+", which is none/);
  });

  test('may render to nothing', async () => {
    const rendered = await engine.render({
      ...at('web/charts/none', {
        'Chart.yaml': 'apiVersion: v2\nname: none\nversion: 1.0.0\n',
        'values.yaml': '# nothing\n',
        'templates/a.yaml': '{{- if .Values.on }}x{{ end }}\n',
      }),
      'web/kustomization.yaml':
        'resources: [a.yaml]\nhelmCharts: [{name: none, releaseName: web, valuesInline: {on: false}}]\n',
      'web/a.yaml': configMap('a', 'x'),
    });
    assert.deepEqual(names(rendered.objects), ['a']);
  });

  test('is rendered again only when a file that it read changed', async () => {
    const tree = new MemoryTree({ ...local(''), 'web/readme.md': 'one' });
    const first = await engine.renderer.render(tree, request('web'));
    assert.equal(await engine.renderer.render(tree.with({ 'web/readme.md': 'two' }), request('web')), first);
    const changed = tree.with({ 'web/charts/redis/values.yaml': 'size: 3\n' });
    assert.notEqual((await engine.renderer.render(changed, request('web'))).inputs, first.inputs);
  });
});
