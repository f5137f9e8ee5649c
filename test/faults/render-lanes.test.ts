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
/**
 * A chart that nobody rendered yet, which takes some 40 ms for each of its rounds. Its lists are short: one of
 * millions takes so much memory that the engine may end for that before it ends for its time.
 */
function looping(rounds: number): MemoryTree {
  return new MemoryTree({
    ...chart,
    'web/unique.txt': String(made++),
    'web/templates/a.yaml': `${configMap('a', 'x')}{{ range until ${rounds} }}{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}{{ end }}`,
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
  const ended: string[] = [];
  const endless = Array.from({ length: 7 }, () =>
    renderer.render(looping(10_000), request('web')).catch((error: unknown) => {
      ended.push(String(error));
    }),
  );
  const good = await renderer.render(looping(1), request('web'));
  assert.equal(data(good, 'a').text, 'x');
  assert.deepEqual(ended, []);
  await renderer.stop();
  await Promise.all(endless);
});

const range = {
  name: 'redis',
  version: '*',
  repository: 'https://charts.example.com',
  isRange: true,
} as const;

/** What an index has of a chart of so many versions. */
function indexOf(count: number): Buffer {
  const versions = Array.from({ length: count }, (_, at) => `  - {version: 1.0.${at}, urls: [a]}\n`);
  return Buffer.from(`entries:\n  redis:\n${versions.join('')}`);
}

test('A3: however many versions are looked up in large indexes, no render waits for that', async () => {
  const renderer = await rendererWith({ processes: 1 });
  const index = indexOf(100_000);
  const ended: string[] = [];
  const lookups = Array.from({ length: 6 }, async () => {
    const { version } = await renderer.findInIndex(range, index, new AbortController().signal);
    ended.push(version);
  });
  const good = await renderer.render(looping(1), request('web'));
  assert.equal(data(good, 'a').text, 'x');
  assert.ok(ended.length < lookups.length, 'it was rendered beside them');
  await Promise.all(lookups);
  assert.deepEqual(ended, Array(6).fill('1.0.99999'));
});

test('A3: a lookup has a quarter of the processor time of a render', async () => {
  const renderer = await rendererWith({ limits: { cpuMs: 400 } });
  const lookup = renderer.findInIndex(range, indexOf(100_000), new AbortController().signal);
  await assert.rejects(lookup, {
    reason: 'RenderTimeout',
    message: /took more than 0\.1 s of processor time/,
  });
});

test('a slow render that made room for others is rendered all the same', async () => {
  const renderer = await rendererWith({ processes: 1, limits: { cpuMs: 60_000 } });
  const slow = Array.from({ length: 4 }, () => renderer.render(looping(80), request('web')));
  for (const each of await Promise.all(slow)) assert.equal(data(each, 'a').text, 'x');
});
