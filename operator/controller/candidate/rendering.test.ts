import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryTree } from '../../../test/harness/memory-tree.ts';
import { TowpathError } from '../../api/errors.ts';
import {
  type ChartReference,
  MissingBases,
  MissingCharts,
  type Rendered,
  TreeWithCharts,
} from '../../render/renderer.ts';
import { notFound } from '../../source/charts/chart-errors.ts';
import { Quarantine } from './quarantine.ts';
import { Rendering, type RenderingInput } from './rendering.ts';

const never = new AbortController().signal;
const input: RenderingInput = {
  revision: 'a'.repeat(40),
  key: 'shop/web',
  target: {},
  kept: [],
  pins: [],
  credentialFor: () => undefined,
};

/** A chart with a dependency of a range, of which the versions that are listed do not render. */
function rendering(broken: readonly string[]) {
  const published = ['2.0.0'];
  const range: ChartReference = {
    name: 'redis',
    version: '^2.0.0',
    repository: 'https://x.example/charts',
    isRange: true,
  };
  const done = { warnings: [] } as unknown as Rendered;
  const tree = new MemoryTree({ 'web/Chart.yaml': '' });
  const fetched: string[] = [];
  const all = new Rendering({
    renderer: {
      render: async (asked) => {
        if (!(asked instanceof TreeWithCharts)) throw new MissingCharts('', [], [range]);
        if (broken.includes(fetched.at(-1) ?? ''))
          throw new TowpathError('Person', 'TemplateInvalid', 'It does not render. Mend it.', {
            next: 'Mend it.',
          });
        return done;
      },
      verify: () => assert.fail('nothing is verified'),
    },
    charts: {
      provenance: () => assert.fail('nothing is verified'),
      resolve: async () => published.at(-1) ?? '',
      fetch: async ({ name, version }) => {
        fetched.push(version);
        return { name, version, digest: version, data: Buffer.alloc(0) };
      },
    },
  });
  const request = { path: 'web' } as Parameters<Rendering['render']>[2];
  const render = () => all.render(input, tree, request, never);
  return { published, render };
}

test('a range does not stay at a version that does not render, which is told', async () => {
  const { published, render } = rendering(['2.0.0']);
  for (let tries = 0; tries < 2; tries++)
    await assert.rejects(render(), (error) => {
      assert.ok(error instanceof Quarantine);
      assert.equal(
        error.error.message,
        'It does not render. Without a Chart.lock redis ^2.0.0 is 2.0.0. Mend it.',
      );
      return true;
    });
  published.push('2.0.1');
  assert.equal((await render()).charts?.[0]?.version, '2.0.1');
});

test('D14: a range stays at the version that it was rendered with', async () => {
  const { published, render } = rendering([]);
  assert.equal((await render()).charts?.[0]?.version, '2.0.0');
  published.push('2.0.1');
  assert.equal((await render()).charts?.[0]?.version, '2.0.0');
});

const found = { name: 'redis', repository: 'https://x.example/charts' };

test('what fails for a chart of a kustomization is told to who corrects that', async () => {
  const chart = { ...found, version: '1.0.0', file: '.git/charts/a.tgz' };
  const missing = new MissingCharts('', [], [chart]);
  const all = new Rendering({
    renderer: { render: () => Promise.reject(missing), verify: () => assert.fail() },
    charts: {
      provenance: () => assert.fail(),
      resolve: () => assert.fail(),
      fetch: (wanted) => Promise.reject(notFound(wanted, wanted.version, ['1.1.0'])),
    },
  });
  const tree = new MemoryTree({ 'web/kustomization.yaml': '' });
  const request = { path: 'web' } as Parameters<Rendering['render']>[2];
  await assert.rejects(all.render(input, tree, request, never), {
    reason: 'ChartNotFound',
    message:
      'The chart repository https://x.example/charts has no version 1.0.0 of chart redis. It has 1.1.0. Publish it there, or correct helmCharts of the kustomization.',
  });
});

test('a published chart is the one that was asked for, however its version is written', async () => {
  const rendered = (asked: string, is: string) => {
    const chart = { name: 'redis', version: is };
    const all = new Rendering({
      renderer: {
        render: async () => ({ warnings: [], chart }) as unknown as Rendered,
        verify: () => assert.fail(),
      },
      charts: {
        provenance: () => assert.fail(),
        resolve: () => assert.fail(),
        fetch: async ({ name, version }) => ({ name, version, digest: 'x', data: Buffer.alloc(0) }),
      },
    });
    const { credentialFor } = input;
    const reference = { ...found, version: asked };
    const toRender = { reference, credentialFor, secret: '', keyring: undefined };
    const request = {} as Parameters<Rendering['render']>[2];
    return all.render({ ...input, chart: toRender }, new MemoryTree({}), request, never);
  };
  for (const [asked, is] of [
    ['1.0.0', '1.0'],
    ['1.0.0', 'v1'],
    ['v1.0.0-rc.1', '1.0.0-rc.1'],
    ['1.0.0-rc.1', '1-rc.1'],
  ] as const)
    assert.ok(await rendered(asked, is), is);
  for (const [asked, is] of [
    ['1.0.0', '1.0.1'],
    ['1.0.0', '1.0.0+b'],
    ['1.0.0', '1.0.0-0'],
  ] as const)
    await assert.rejects(rendered(asked, is), (error) => {
      assert.ok(error instanceof Quarantine);
      assert.equal(error.error.reason, 'ChartArchiveInvalid');
      return true;
    });
});

test('a kustomization that lacks bases once it has its charts is told so, whatever range these are of', async () => {
  const chart: ChartReference = { ...found, version: '^1.0.0', isRange: true, file: '.git/charts/a.tgz' };
  const lacks = new MissingBases('', [], []);
  const failures = [new MissingCharts('', [], [chart]), lacks];
  const all = new Rendering({
    renderer: { render: () => Promise.reject(failures.shift()), verify: () => assert.fail() },
    charts: {
      provenance: () => assert.fail(),
      resolve: async () => '1.0.0',
      fetch: async ({ name, version }) => ({ name, version, digest: 'x', data: Buffer.alloc(0) }),
    },
  });
  const request = { path: 'web' } as Parameters<Rendering['render']>[2];
  await assert.rejects(all.render(input, new MemoryTree({}), request, never), (error) => {
    assert.ok(error instanceof Quarantine);
    assert.equal(error.error, lacks);
    return true;
  });
});
