import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { configMap, failure, request, TestRenderer } from '../../test/harness/render.ts';

const engine = new TestRenderer();

describe('Kustomize', () => {
  const base = {
    'base/kustomization.yaml': 'resources: [a.yaml]\n',
    'base/a.yaml': configMap('a', 'x'),
  };

  test('an overlay over a base outside its directory, with a generator', async () => {
    const rendered = await engine.render(
      {
        ...base,
        'overlays/prod/kustomization.yaml':
          'resources: [../../base]\nnamePrefix: prod-\nconfigMapGenerator:\n- name: generated\n  files: [settings.txt]\n',
        'overlays/prod/settings.txt': 'hello',
      },
      {},
      'overlays/prod',
    );
    assert.deepEqual(
      rendered.objects.map((each) => each.name.replace(/-[a-z0-9]{10}$/, '-#')),
      ['prod-a', 'prod-generated-#'],
    );
  });

  test('is rendered again only when a file that it read changed', async () => {
    const tree = new MemoryTree({ ...base, 'base/unrelated.md': '1', 'other/x': '1' });
    const first = await engine.renderer.render(tree, request('base'));
    const same = await engine.renderer.render(tree.with({ 'base/unrelated.md': '2' }), request('base'));
    assert.equal(same, first);
    const changed = await engine.renderer.render(
      tree.with({ 'base/a.yaml': configMap('b', 'x') }),
      request('base'),
    );
    assert.notEqual(changed.inputs, first.inputs);
    assert.equal(changed.objects[0]?.name, 'b');
  });

  test('what needs the network is refused, by name', async () => {
    for (const [text, expected] of [
      ['resources: ["https://github.com/x/y//base?ref=v1"]', 'https://github.com/x/y//base?ref=v1'],
      ['resources: ["github.com/x/y/base"]', 'github.com/x/y/base'],
      ['components: ["git@github.com:x/y.git"]', 'git@github.com:x/y.git'],
      ['patches: [{path: "http://127.0.0.1/p.yaml"}]', 'http://127.0.0.1/p.yaml'],
      ['patchesStrategicMerge: ["https://x.dev/p.yaml"]', 'https://x.dev/p.yaml'],
      ['configMapGenerator: [{name: a, files: ["b=https://x.dev/b"]}]', 'https://x.dev/b'],
      ['openapi: {path: "https://x.dev/schema.json"}', 'https://x.dev/schema.json'],
    ] as const) {
      const error = await failure(
        engine.render({ 'web/kustomization.yaml': `${text}\n` }),
        'RemoteBaseUnsupported',
      );
      assert.ok(error.message.startsWith(`web/kustomization.yaml refers to ${expected}, which is outside`));
      assert.equal(error.details[0]?.file, 'web/kustomization.yaml');
    }
  });

  test('what needs a program is refused, by name', async () => {
    for (const [text, expected] of [
      ['helmCharts: [{name: x, repo: "https://x"}]', /Helm charts/],
      ['generators: [gen.yaml]', /KRM|plugin|function|external/i],
    ] as const) {
      const files = {
        'web/kustomization.yaml': `${text}\n`,
        'web/gen.yaml':
          'apiVersion: x.dev/v1\nkind: Gen\nmetadata:\n  name: g\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./run.sh}\n',
      };
      const error = await failure(engine.render(files), 'KustomizationInvalid');
      assert.match(error.message, expected);
    }
  });

  test('paths that look like addresses, and patches that hold some, are local', async () => {
    const patch = (annotation: string) =>
      `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"${annotation}": "https://x.dev/a/b"}}}`;
    const rendered = await engine.render({
      'web/kustomization.yaml': `resources: [v1.1/web/base]\npatches: [{path: v1.2/web/patch.yaml}]\npatchesStrategicMerge: ['${patch('merged')}']\nconfigMapGenerator: [{name: b, files: [v1.2/web/patch.yaml]}]\n`,
      'web/v1.1/web/base/kustomization.yaml': 'resources: [a.yaml]\n',
      'web/v1.1/web/base/a.yaml': configMap('a', 'x'),
      'web/v1.2/web/patch.yaml': patch('patched'),
    });
    const { annotations } = JSON.parse(
      rendered.objects.find(({ name }) => name === 'a')?.text ?? '',
    ).metadata;
    assert.deepEqual([annotations.merged, annotations.patched], ['https://x.dev/a/b', 'https://x.dev/a/b']);
  });

  test('a missing file is named by its path in the repository', async () => {
    const error = await failure(
      engine.render({ 'web/kustomization.yaml': 'resources: [gone.yaml]\n' }),
      'KustomizationInvalid',
    );
    assert.match(error.message, /web\/gone\.yaml/);
    assert.equal(error.details[0]?.file, 'web/kustomization.yaml');
  });

  test('what begins with a slash and is no path of the repository is told as it was written', async () => {
    const patch = 'target: {kind: ConfigMap}\n  patch: |\n    - {op: remove, path: /nope/q/p}\n';
    const error = await failure(
      engine.render({
        'web/kustomization.yaml': `resources: [a.yaml]\npatches:\n- ${patch}`,
        'web/a.yaml': configMap('a', 'x'),
      }),
      'KustomizationInvalid',
    );
    assert.match(error.message, /[" ]\/nope\/q\/p/);
  });

  test('S6: a base outside the repository is refused', async () => {
    await failure(
      engine.render({ 'web/kustomization.yaml': 'resources: [../../../../etc/hosts]\n' }),
      'KustomizationInvalid',
    );
  });
});
