import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { chart, configMap, request, TestRenderer } from '../../test/harness/render.ts';

const engine = new TestRenderer();
const forgetful = new TestRenderer({ cacheBytes: 30_000 });

describe('results are shared', () => {
  test('the same inputs are rendered once, whatever else the commit changed', async () => {
    const tree = new MemoryTree({ ...chart, 'web/templates/a.yaml': configMap('a', 'x'), 'other/x': '1' });
    const first = await engine.renderer.render(tree, request('web'));
    const next = tree.with({ 'other/x': '2' });
    assert.equal(await engine.renderer.render(next, request('web')), first);
    assert.deepEqual(next.reads, ['web/Chart.yaml'].slice(1));
    assert.notEqual(await engine.renderer.render(next, request('web', { namespace: 'elsewhere' })), first);
    const back = tree.with({ 'web/templates/a.yaml': configMap('a', 'y') });
    assert.notEqual((await engine.renderer.render(back, request('web'))).inputs, first.inputs);
    assert.equal(await engine.renderer.render(tree, request('web')), first);
  });

  test('the inputs of a result have nothing of a target or a cluster', async () => {
    const asking = configMap('a', '{{ .Capabilities.APIVersions.Has "more/v1" | quote }}');
    const tree = new MemoryTree({ ...chart, 'web/templates/a.yaml': asking });
    const staging = await engine.renderer.render(tree, request('web'));
    const prod = await engine.renderer.render(
      tree,
      request('web', {
        labels: { 'towpath.dev/target': 't2' },
        owner: 'shop/web/prod',
        capabilities: { kubeVersion: 'v1.38.0', apiVersions: ['v1', 'more/v1'] },
      }),
    );
    assert.notDeepEqual(prod.objects, staging.objects);
    assert.equal(prod.inputs, staging.inputs);
  });

  test('identical requests at once share one render; giving one up does not end the other', async () => {
    const tree = new MemoryTree({ ...chart, 'web/templates/a.yaml': configMap('a', '{{ uuidv4 }}') });
    const abort = new AbortController();
    const one = engine.renderer.render(tree, request('web'), abort.signal);
    const two = engine.renderer.render(tree, request('web'));
    const three = engine.renderer.render(tree, request('web'));
    abort.abort(new Error('no longer wanted'));
    await assert.rejects(one, /no longer wanted/);
    assert.equal(await two, await three);
  });

  test('what reading the repository throws is passed on, and the engine goes on', async () => {
    const files = { ...chart, 'web/templates/a.yaml': configMap('a', 'read-error') };
    const tree = new MemoryTree(files);
    tree.readAll = () => Promise.reject(new Error('the pack is gone'));
    await assert.rejects(engine.renderer.render(tree, request('web')), /the pack is gone/);
    const kustomization = new MemoryTree({
      'web/kustomization.yaml': 'resources: [a.yaml]\n',
      'web/a.yaml': '',
    });
    kustomization.read = () => Promise.reject(new Error('the pack is gone'));
    await assert.rejects(engine.renderer.render(kustomization, request('web')), /the pack is gone/);
    assert.equal((await engine.render(files)).objects.length, 1);
  });

  test('F12: all that is kept of a result counts, the trace of what was read for it too', async () => {
    const files = Array.from({ length: 300 }, (_, i) => `${i}.txt`);
    const tree = new MemoryTree({
      ...chart,
      'web/templates/a.yaml': configMap('a', 'x'),
      'many/kustomization.yaml': `configMapGenerator: [{name: a, files: [${files.join(', ')}]}]\n`,
      ...Object.fromEntries(files.map((file) => [`many/${file}`, ''])),
    });
    const small = await forgetful.renderer.render(tree, request('web'));
    const large = await forgetful.renderer.render(tree, request('many'));
    assert.ok(2 * (large.objects[0]?.text.length ?? 0) < 15_000, 'its manifests alone would fit in');
    assert.notEqual(await forgetful.renderer.render(tree, request('many')), large);
    assert.equal(await forgetful.renderer.render(tree, request('web')), small);
  });
});
