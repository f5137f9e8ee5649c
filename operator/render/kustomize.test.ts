import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { configMap, data, failure, request, TestRenderer } from '../../test/harness/render.ts';
import { type BaseReference, MissingBases, TreeWithBases } from './renderer.ts';

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

  test('what is elsewhere and no directory of a Git repository is refused, by name', async () => {
    for (const [text, expected] of [
      ['resources: ["https://x.dev/a/b.yaml"]', 'https://x.dev/a/b.yaml'],
      ['crds: ["https://github.com/x/y//crds?ref=v1"]', 'https://github.com/x/y//crds?ref=v1'],
      ['resources: ["file:///x/y.git"]', 'file:///x/y.git'],
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

  test('a directory of another repository is asked for as its URL names it', async () => {
    for (const [entry, repository, ref] of [
      ['https://github.com/x/y//base?ref=v1', 'https://github.com/x/y', 'v1'],
      ['https://git.dev/x/y/base/web?ref=v1&timeout=90s', 'https://git.dev/x/y', 'v1'],
      ['https://git.dev:8443/group/sub/y.git/base?version=v2', 'https://git.dev:8443/group/sub/y.git', 'v2'],
      ['https://git.dev/group/sub/y//', 'https://git.dev/group/sub/y', ''],
      ['https://dev.azure.com/org/p/_git/y/base?ref=v1', 'https://dev.azure.com/org/p/_git/y', 'v1'],
      ['github.com/x/y/base', 'https://github.com/x/y', ''],
      ['github.com:x/y//base', 'https://github.com/x/y', ''],
      ['git::https://git.dev/x/y?ref=a%2Fb', 'https://git.dev/x/y', 'a/b'],
      ['git@github.com:x/y.git', 'git@github.com:x/y.git', ''],
      ['ssh://git@github.com/x/y//base', 'git@github.com:x/y', ''],
      ['ssh://git@git.dev:2222/x/y//base?ref=v1', 'ssh://git@git.dev:2222/x/y', 'v1'],
      ['git@git.dev:group/sub/y.git//base?ref=v1', 'git@git.dev:group/sub/y.git', 'v1'],
    ] as const) {
      const [base] = await lacking({ 'web/kustomization.yaml': `resources:\n- ${entry}\n` });
      assert.deepEqual([base?.url, base?.repository, base?.ref], [entry, repository, ref]);
    }
  });

  test('all directories of other repositories that a tree lacks are told at once, those of bases too', async () => {
    const bases = await lacking({
      'web/kustomization.yaml':
        'resources: [../base, "https://git.dev/x/a"]\ncomponents: ["https://git.dev/x/b?ref=v1"]\n',
      'base/kustomization.yaml': 'resources:\n- https://git.dev/x/c\n- https://git.dev/x/a\n',
    });
    assert.deepEqual(
      bases.map(({ repository, file, within }) => [repository, file, within]),
      [
        ['https://git.dev/x/b', 'web/kustomization.yaml', ''],
        ['https://git.dev/x/a', 'web/kustomization.yaml', ''],
        ['https://git.dev/x/c', 'base/kustomization.yaml', ''],
      ],
    );
  });

  test('S9: no more than 200 directories of other repositories are asked for, nor by a URL without end', async () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `- https://git.dev/x/y${index}\n`).join('');
    const error = await failure(
      engine.render({ 'web/kustomization.yaml': `resources:\n${many}` }),
      'KustomizationInvalid',
    );
    assert.match(error.message, /more than 200 directories of other repositories/);
    const long = `resources: ["https://git.dev/x/${'y'.repeat(3_000)}"]\n`;
    await failure(engine.render({ 'web/kustomization.yaml': long }), 'RemoteBaseUnsupported');
  });

  test('renders what other repositories have as if it were in its own', async () => {
    const overlay =
      'namePrefix: x-\nresources: ["https://git.dev/x/a//deep/web?ref=v1"]\ncomponents: ["https://git.dev/x/b"]\npatches: [{target: {name: a}, patch: \'[{"op": "add", "path": "/data/patched", "value": "yes"}]\'}]\n';
    for (const path of ['web', '']) {
      const files = { [path === '' ? 'kustomization.yaml' : 'web/kustomization.yaml']: overlay };
      const rendered = await whole(files, path, {
        'https://git.dev/x/a': {
          'deep/web/kustomization.yaml': 'resources: [../other, a.yaml, "https://git.dev/x/c"]\n',
          'deep/web/a.yaml': configMap('a', 'one'),
          'deep/other/kustomization.yaml': 'resources: [b.yaml]\n',
          'deep/other/b.yaml': configMap('b', 'two'),
        },
        'https://git.dev/x/b': {
          'kustomization.yaml':
            'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {by: component}\n',
        },
        'https://git.dev/x/c': {
          Kustomization:
            'configMapGenerator: [{name: c, literals: [k=v], options: {disableNameSuffixHash: true}}]\n',
        },
      });
      assert.deepEqual(rendered.objects.map(({ name }) => name).sort(), ['x-a', 'x-b', 'x-c']);
      assert.deepEqual(data(rendered, 'x-a'), { text: 'one', patched: 'yes' });
      assert.ok(
        rendered.objects.every(({ text }) => JSON.parse(text).metadata.annotations.by === 'component'),
      );
    }
  });

  test('tells where an object is from by the URL of its repository', async () => {
    const top = {
      'web/kustomization.yaml':
        'buildMetadata: [originAnnotations]\nresources: ["https://git.dev/x/a//web?ref=v1", b.yaml]\n',
      'web/b.yaml': configMap('b', 'two'),
    };
    const rendered = await whole(top, 'web', {
      'https://git.dev/x/a': {
        'web/kustomization.yaml': 'resources: [a.yaml]\n',
        'web/a.yaml': configMap('a', 'one'),
      },
    });
    const origins = rendered.objects.map(
      ({ text }) => JSON.parse(text).metadata.annotations['config.kubernetes.io/origin'],
    );
    assert.deepEqual(origins, ['path: web/a.yaml\nrepo: https://git.dev/x/a\nref: v1\n', 'path: b.yaml\n']);
  });

  test('one repository may be referred to in a circle of its directories, and a base never to itself', async () => {
    const top = { 'web/kustomization.yaml': 'resources: ["https://git.dev/x/a//web"]\n' };
    const rendered = await whole(top, 'web', {
      'https://git.dev/x/a': {
        'web/kustomization.yaml': 'resources: ["https://git.dev/x/a"]\n',
        'kustomization.yaml': 'resources: [a.yaml]\n',
        'a.yaml': configMap('a', 'one'),
      },
    });
    assert.deepEqual(
      rendered.objects.map(({ name }) => name),
      ['a'],
    );
    const circle = { 'web/kustomization.yaml': 'resources: ["https://git.dev/x/a//web"]\n' };
    const error = await failure(whole(top, 'web', { 'https://git.dev/x/a': circle }), 'KustomizationInvalid');
    assert.match(error.message, /cycle/);
    assert.doesNotMatch(error.message, /\.git\/bases/);
  });

  test('S6: nothing of another repository leads out of it', async () => {
    const top = {
      'web/kustomization.yaml': 'resources: ["https://git.dev/x/a"]\n',
      'web/secret.yaml': 'x: y\n',
    };
    for (const text of [
      'resources: [../../../web]',
      'resources: [../other]',
      'components: [../../../web]',
      'configMapGenerator: [{name: a, files: [../../../web/secret.yaml]}]',
    ]) {
      const error = await failure(
        whole(top, 'web', { 'https://git.dev/x/a': { 'kustomization.yaml': `${text}\n` } }),
        'KustomizationInvalid',
      );
      assert.match(
        error.message,
        /^https:\/\/git\.dev\/x\/a\/\/kustomization\.yaml refers to .* outside the repo/,
      );
    }
  });

  test('S5: a password in a URL is not told', async () => {
    const files = { 'web/kustomization.yaml': 'resources: ["https://me:secret@git.dev/x/a"]\n' };
    const { message } = await failure(engine.render(files), 'RemoteBaseUnsupported');
    assert.match(message, /a user or a password/);
    assert.doesNotMatch(message, /secret@/);
  });

  test('what needs a program is refused, by name', async () => {
    for (const [text, expected] of [
      ['helmChartInflationGenerator: [{chartName: x}]', /Write helmCharts/],
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

/** What a tree lacks of other repositories. */
async function lacking(files: Record<string, string>): Promise<readonly BaseReference[]> {
  const error = await failure(engine.render(files), 'RemoteBaseUnsupported');
  assert.ok(error instanceof MissingBases, error.message);
  return error.bases;
}

/** Renders with the files of other repositories, as often as it lacks some. */
async function whole(
  files: Record<string, string>,
  path: string,
  repositories: Record<string, Record<string, string>>,
) {
  const own = new MemoryTree(files);
  const bases = new Map<string, MemoryTree>();
  for (let rounds = 0; rounds < 5; rounds += 1) {
    try {
      return await engine.renderer.render(new TreeWithBases(own, bases), request(path));
    } catch (error) {
      if (!(error instanceof MissingBases)) throw error;
      for (const { folder, repository } of error.bases)
        bases.set(folder, new MemoryTree(repositories[repository] ?? {}));
    }
  }
  return assert.fail('it lacks more and more');
}
