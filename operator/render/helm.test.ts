import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { archiveOf } from '../../test/harness/archive.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import {
  chart,
  configMap,
  data,
  failure,
  names,
  ofHelm,
  request,
  TestRenderer,
} from '../../test/harness/render.ts';

const engine = new TestRenderer();

describe('Helm charts', () => {
  test('hooks are returned as hooks, test hooks are dropped, NOTES too', async () => {
    const hook = (name: string, annotations: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  annotations:\n${annotations}`;
    const rendered = await engine.render({
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
    const rendered = await engine.render(
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
      ofHelm({ values: '{"global":{"region":"eu"},"tags":{"fast":false},"jobs":{"who":"worker"}}' }),
    );
    assert.deepEqual(names(rendered.objects).sort(), ['db', 'from-library', 'jobs']);
    assert.equal(data(rendered, 'db').text, 'db-eu');
    assert.equal(data(rendered, 'jobs').text, 'worker-eu');
    assert.equal(data(rendered, 'from-library').text, 'from-db');
    assert.equal(rendered.objects.find((each) => each.name === 'db')?.file, 'web/charts/db/templates/c.yaml');
  });

  test('import-values with child and parent, of two aliases of one chart', async () => {
    const rendered = await engine.render(
      {
        ...chart,
        'web/Chart.yaml': `${chart['web/Chart.yaml']}dependencies:
- {name: db, version: 1.x, alias: first, import-values: [{child: service.port, parent: ports.first}, {child: gone, parent: x}]}
- {name: db, version: 1.x, alias: second, import-values: [{child: service.port, parent: ports.second}]}
`,
        'web/values.yaml': 'ports: {first: {number: 1}, own: kept}\nsecond: {service: {port: {number: 7}}}\n',
        'web/charts/db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n',
        'web/charts/db/values.yaml': 'service: {port: {name: sql, number: 5432}}\n',
        'web/charts/db/templates/c.yaml': configMap(
          '{{ .Chart.Name }}',
          '{{ .Values.service.port.number | quote }}',
        ),
        'web/templates/p.yaml': configMap('ports', '{{ toJson .Values.ports | quote }}'),
      },
      ofHelm({ values: '{"first":{"service":{"port":{"number":6}}}}' }),
    );
    assert.deepEqual([data(rendered, 'first').text, data(rendered, 'second').text], ['6', '7']);
    assert.deepEqual(JSON.parse(data(rendered, 'ports').text ?? ''), {
      own: 'kept',
      first: { name: 'sql', number: 1 },
      second: { name: 'sql', number: 7 },
    });
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
    const rendered = await engine.renderer.render(tree, request('web'));
    assert.deepEqual(names(rendered.objects), ['deep', 'lib']);
    assert.equal(rendered.objects[0]?.file, 'shared/deep/templates/d.yaml');
    const changed = await engine.renderer.render(
      tree.with({ 'shared/deep/templates/d.yaml': configMap('e', 'x') }),
      request('web'),
    );
    assert.deepEqual(names(changed.objects), ['e', 'lib']);
    const other = tree.with({ 'shared/lib/Chart.yaml': 'apiVersion: v2\nname: lib\nversion: 2.0.0\n' });
    assert.match(
      (await failure(engine.renderer.render(other, request('web')), 'DependencyMissing')).message,
      /lib 1\.x from file:\/\/\.\.\/shared\/lib \(there is version 2\.0\.0\)/,
    );
  });

  test('a file:// dependency with a slash at its end, of requirements.yaml, and one used twice', async () => {
    const rendered = await engine.render({
      'web/Chart.yaml': 'apiVersion: v1\nname: web\nversion: 1.0.0\n',
      'web/requirements.yaml':
        'dependencies:\n- {name: lib, version: 1.x, repository: "file://../shared//lib/"}\n- {name: deep, version: 0.1.0, repository: "file://../shared/deep/."}\n',
      'shared/lib/Chart.yaml':
        'apiVersion: v2\nname: lib\nversion: 1.1.0\ndependencies:\n- {name: deep, version: 0.1.0, alias: abyss, repository: "file://../deep/"}\n',
      'shared/lib/templates/l.yaml': configMap('lib', 'x'),
      'shared/deep/Chart.yaml': 'apiVersion: v2\nname: deep\nversion: 0.1.0\n',
      'shared/deep/templates/d.yaml': configMap('{{ .Chart.Name }}', 'x'),
    });
    assert.deepEqual(names(rendered.objects), ['deep', 'abyss', 'lib']);
  });

  test('file:// dependencies that would make a chart of very many charts are refused', async () => {
    // Each of the two charts of a level depends on both of the next.
    const both = (level: number) =>
      ['a', 'b'].map(
        (side) => `- {name: ${side}${level}, version: 1.0.0, repository: "file://../${side}${level}"}\n`,
      );
    const files = Object.fromEntries(
      Array.from({ length: 12 }, (_, level) => level).flatMap((level) =>
        ['a', 'b'].map((side) => [
          `${side}${level}/Chart.yaml`,
          `apiVersion: v2\nname: ${side}${level}\nversion: 1.0.0\n${level === 11 ? '' : `dependencies:\n${both(level + 1).join('')}`}`,
        ]),
      ),
    );
    const error = await failure(engine.render(files, {}, 'a0'), 'ChartInvalid');
    assert.match(error.message, /The chart in a0 has more than 200 charts/);
  });

  test('a subchart in an archive; a chart in the root of the repository', async () => {
    const files = {
      'Chart.yaml': `${chart['web/Chart.yaml']}dependencies:\n- {name: db, version: 1.0.0, repository: "https://x"}\n`,
      'charts/db-1.0.0.tgz': archiveOf({
        'db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n',
        'db/templates/c.yaml': configMap('db', '{{ .Values.global.region }}'),
      }),
    };
    const helm = ofHelm({ values: '{"global":{"region":"eu"}}' });
    const rendered = await engine.renderer.render(new MemoryTree(files), request('.', helm));
    assert.equal(data(rendered, 'db').text, 'eu');
    const broken = new MemoryTree({ ...files, 'charts/db-1.0.0.tgz': 'no archive' });
    const error = await failure(engine.renderer.render(broken, request('', helm)), 'ChartInvalid');
    assert.match(error.message, /db-1\.0\.0\.tgz/);
    const missing = new MemoryTree({ 'Chart.yaml': files['Chart.yaml'] });
    const named = await failure(engine.renderer.render(missing, request('', helm)), 'DependencyMissing');
    assert.equal(named.details[0]?.file, 'Chart.yaml');
  });

  test('a dependency that is not there is named, unless it is switched off', async () => {
    const files = {
      ...chart,
      'web/Chart.yaml': `${chart['web/Chart.yaml']}dependencies:\n- {name: redis, version: 7.x, repository: "https://charts.example.com", condition: redis.enabled}\n`,
    };
    const error = await failure(engine.render(files), 'DependencyMissing');
    assert.match(
      error.message,
      /redis 7\.x from https:\/\/charts\.example\.com.*helm dependency update.*redis\.enabled: false/,
    );
    assert.deepEqual(
      (await engine.render(files, ofHelm({ values: '{"redis":{"enabled":false}}' }))).objects,
      [],
    );
  });

  test('what a subchart lacks is named too: unpacked, file:// or in an archive', async () => {
    const redis = 'dependencies:\n- {name: redis, version: 7.x, repository: "https://charts.example.com"%}\n';
    const db = (more: string) => `apiVersion: v2\nname: db\nversion: 1.0.0\n${redis.replace('%', more)}`;
    const on = (repository: string) =>
      `${chart['web/Chart.yaml']}dependencies:\n- {name: db, alias: store, version: 1.x, repository: "${repository}"}\n`;
    const unpacked = { ...chart, 'web/Chart.yaml': on('https://x'), 'web/charts/db/Chart.yaml': db('') };
    const told = await failure(engine.render(unpacked), 'DependencyMissing');
    assert.match(
      told.message,
      /^Chart store in web\/charts\/db depends on redis 7\.x from https:\/\/charts\.example\.com, which is not in web\/charts\/db\/charts\. Run `helm dependency update` and commit the folder web\/charts\/db\/charts/,
    );
    assert.equal(told.details[0]?.file, 'web/charts/db/Chart.yaml');
    const local = { ...chart, 'web/Chart.yaml': on('file://../shared/db'), 'shared/db/Chart.yaml': db('') };
    assert.match(
      (await failure(engine.render(local), 'DependencyMissing')).message,
      /in shared\/db depends on redis/,
    );
    const archive = archiveOf({ 'db/Chart.yaml': db('') });
    const packed = new MemoryTree({
      ...chart,
      'web/Chart.yaml': on('https://x'),
      'web/charts/db-1.0.0.tgz': archive,
    });
    const rendering = engine.renderer.render(packed, request('web'));
    assert.match(
      (await failure(rendering, 'DependencyMissing')).message,
      /Chart store .* depends on redis 7\.x/,
    );

    const conditional = { ...unpacked, 'web/charts/db/Chart.yaml': db(', condition: redis.enabled') };
    const named = await failure(engine.render(conditional), 'DependencyMissing');
    assert.match(named.message, /or switch it off \(store\.redis\.enabled: false\)/);
    const off = ofHelm({ values: '{"store":{"redis":{"enabled":false}}}' });
    assert.equal((await engine.render(conditional, off)).objects.length, 0);
    const tagged = { ...unpacked, 'web/charts/db/Chart.yaml': db(', tags: [cache]') };
    assert.equal(
      (await engine.render(tagged, ofHelm({ values: '{"tags":{"cache":false}}' }))).objects.length,
      0,
    );
    const both = {
      ...unpacked,
      'web/Chart.yaml': `${on('https://x')}- {name: queue, version: 2.x, repository: "https://x"}\n`,
    };
    const two = await failure(engine.render(both), 'DependencyMissing');
    assert.match(two.message, /^Chart web depends on queue 2\.x .* And 1 more in its subcharts\.$/);
    assert.match(
      two.details[1]?.message ?? '',
      /^redis 7\.x .*, on which chart store in web\/charts\/db depends$/,
    );
  });

  test('capabilities and release are those of the request', async () => {
    const show =
      '{{ list .Capabilities.KubeVersion.Version (.Capabilities.APIVersions.Has "apps/v1") (.Capabilities.APIVersions.Has "batch/v1") .Release.Name .Release.Namespace .Release.IsInstall .Release.Revision .Release.Service | toJson | quote }}';
    const rendered = await engine.render({ ...chart, 'web/templates/a.yaml': configMap('a', show) });
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
      engine.render({ ...chart, 'web/Chart.yaml': `${chart['web/Chart.yaml']}kubeVersion: ">=1.99"\n` }),
      'KubeVersionUnsupported',
    );
  });

  test('.helmignore is heeded; crds/ are not templates', async () => {
    const rendered = await engine.render({
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
      engine.render({ ...chart, 'web/templates/a.yaml': 'a: b\n{{ if }}\n' }),
      'ChartInvalid',
    );
    assert.deepEqual([syntax.details[0]?.file, syntax.details[0]?.line], ['web/templates/a.yaml', 2]);
    assert.match(syntax.message, /web\/templates\/a\.yaml:2/);
    const required = await failure(
      engine.render({
        ...chart,
        'web/templates/a.yaml': 'a: b\nc: {{ required "set the color" .Values.none }}\n',
      }),
      'RenderFailed',
    );
    assert.match(required.message, /web\/templates\/a\.yaml:2:\d+\)?: set the color/);
    assert.equal(required.details[0]?.line, 2);
    const failed = await failure(
      engine.render({ ...chart, 'web/templates/a.yaml': '{{ fail "no way" }}' }),
      'RenderFailed',
    );
    assert.match(failed.message, /no way/);
    const invalid = await failure(
      engine.render({ ...chart, 'web/templates/a.yaml': `${configMap('a', 'x')}---\na: b: c\n` }),
      'ManifestInvalid',
    );
    assert.match(invalid.message, /web\/templates\/a\.yaml, document 2/);
    await failure(engine.render({ ...chart, 'web/Chart.yaml': 'name: [\n' }), 'ChartInvalid');
    const missing = await failure(
      engine.render({ 'web/values.yaml': '', 'web/templates/a.yaml': '' }, ofHelm({ values: '{}' })),
      'ChartInvalid',
    );
    assert.match(missing.message, /no Chart\.yaml in web/);
  });

  test('charts rendering nothing render nothing', async () => {
    assert.deepEqual(
      (await engine.render({ ...chart, 'web/templates/a.yaml': '# none\n---\n' })).objects,
      [],
    );
  });
});
