import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { Renderer, type RendererOptions } from '../../operator/render/renderer.ts';
import { MemoryTree } from '../harness/memory-tree.ts';
import { chart, configMap, data, request } from '../harness/render.ts';

/** A repository that takes its time over each file. */
class SlowTree extends MemoryTree {
  override async read(path: string): Promise<Uint8Array> {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return super.read(path);
  }
}

async function rendererWith(options: Omit<RendererOptions, 'enginePath'>): Promise<Renderer> {
  const renderer = new Renderer({ enginePath: await buildEngine(), ...options });
  after(() => renderer.stop());
  return renderer;
}

let made = 0;
/** A chart that nobody rendered yet, which takes some 40 ns for each of its rounds. */
function looping(rounds: number): MemoryTree {
  return new MemoryTree({
    ...chart,
    'web/unique.txt': String(made++),
    'web/templates/a.yaml': `${configMap('a', 'x')}{{ range until ${rounds / 1000} }}{{ range until 1000 }}{{ end }}{{ end }}`,
  });
}

test('what reading the repository takes is not counted against a render', async () => {
  const renderer = await rendererWith({ processes: 1, limits: { cpuMs: 3_500 } });
  const resources = Array.from({ length: 4 }, (_, index) => `${index}.yaml`);
  const tree = new SlowTree({
    'web/kustomization.yaml': `resources: [${resources.join(', ')}]\n`,
    ...Object.fromEntries(resources.map((file, index) => [`web/${file}`, configMap(`c${index}`, 'x')])),
  });
  const started = performance.now();
  const rendered = await renderer.render(tree, request('web'));
  assert.equal(rendered.objects.length, 4);
  assert.ok(performance.now() - started > 3_500);
});

test('A3: many endless renders do not hold back one that has not run yet', async () => {
  const renderer = await rendererWith({ processes: 2, limits: { cpuMs: 40_000 } });
  let ended = 0;
  const endless = Array.from({ length: 7 }, () =>
    renderer.render(looping(1e10), request('web')).catch(() => {
      ended++;
    }),
  );
  const good = await renderer.render(looping(1_000), request('web'));
  assert.equal(data(good, 'a').text, 'x');
  assert.equal(ended, 0);
  await renderer.stop();
  await Promise.all(endless);
});

test('a slow render that made room for others is rendered all the same', async () => {
  const renderer = await rendererWith({ processes: 1, limits: { cpuMs: 60_000 } });
  const slow = Array.from({ length: 4 }, () => renderer.render(looping(8e7), request('web')));
  for (const each of await Promise.all(slow)) assert.equal(data(each, 'a').text, 'x');
});
