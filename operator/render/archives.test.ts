import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArchiveEntry, archiveOf, archiveOfEntries } from '../../test/harness/archive.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { configMap, failure, names, request, TestRenderer } from '../../test/harness/render.ts';
import { sha256 } from '../manifest/digest.ts';
import {
  type ChartArchive,
  MissingCharts,
  NoFiles,
  type Rendered,
  TreeWithCharts,
  TreeWithFiles,
} from './renderer.ts';

const engine = new TestRenderer();
const mebibyte = 2 ** 20;
const good: readonly ArchiveEntry[] = [
  { path: 'db/Chart.yaml', content: 'apiVersion: v2\nname: db\nversion: 1.0.0\n' },
  { path: 'db/templates/a.yaml', content: configMap('db', 'x') },
];

/** An archive as chart of the spec, as dependency that was fetched, and in a kustomization. */
const uses: readonly [as: string, render: (chart: ChartArchive) => Promise<Rendered>][] = [
  ['spec.helm.chart', (chart) => engine.renderer.render(new NoFiles('1.0.0'), request('.', { chart }))],
  [
    'a dependency',
    (chart) => {
      const tree = new MemoryTree({
        'web/Chart.yaml':
          'apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.0.0, repository: "https://charts.dev"}\n',
      });
      return engine.renderer.render(new TreeWithCharts(tree, 'web', [chart]), request('web'));
    },
  ],
  [
    'a chart in a dependency',
    ({ data }) => {
      const outer = archiveOf({
        'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
        'web/charts/db-1.0.0.tgz': data,
      });
      const tree = new MemoryTree({
        'all/Chart.yaml': 'apiVersion: v2\nname: all\nversion: 1.0.0\n',
        'all/charts/web-1.0.0.tgz': outer,
      });
      return engine.renderer.render(tree, request('all'));
    },
  ],
  [
    'helmCharts',
    async (chart) => {
      const tree = new MemoryTree({
        'web/kustomization.yaml':
          'helmCharts: [{name: db, version: 1.0.0, releaseName: web, repo: "https://charts.dev"}]\n',
      });
      const lacking = await failure(engine.renderer.render(tree, request('web')), 'DependencyMissing');
      assert.ok(lacking instanceof MissingCharts);
      const files = new Map(lacking.charts.map(({ file = '' }) => [file, chart]));
      return engine.renderer.render(new TreeWithFiles(tree, files), request('web'));
    },
  ],
];

function chartOf(data: Buffer): ChartArchive {
  return { name: 'db', version: '1.0.0', data, digest: sha256(data.toString('base64')) };
}

async function refused(entries: readonly ArchiveEntry[], message: RegExp): Promise<void> {
  const chart = chartOf(archiveOfEntries([...good, ...entries]));
  for (const [as, render] of uses) {
    const error = await failure(render(chart), 'ChartInvalid');
    assert.match(error.message, message, as);
  }
}

describe('an archive of a chart', () => {
  test('is rendered wherever it is used', async () => {
    const chart = chartOf(archiveOfEntries(good));
    for (const [as, render] of uses) assert.deepEqual(names((await render(chart)).objects), ['db'], as);
  });

  test('S6: leads nowhere out of itself, whatever is written into its names', async () => {
    for (const path of [
      '/etc/passwd',
      'db//etc/passwd',
      '../db/a',
      'db/../../a',
      'db/a/../../../b',
      'db/C:/a',
      'db\\..\\a',
    ])
      await refused([{ path, content: 'x' }], /its archive has ".*", which leads out of it\./);
  });

  test('S6: has no links, and no devices', async () => {
    for (const [type, to] of [
      ['1', 'db/Chart.yaml'],
      ['2', '/etc/passwd'],
      ['2', 'values.yaml'],
      ['3', ''],
    ] as const)
      await refused(
        [{ path: 'db/templates/b.yaml', type, to }],
        /its archive has "db\/templates\/b\.yaml", a link or device, which is no file\./,
      );
  });

  test('S6: has no file twice, also by another spelling of its name', async () => {
    for (const path of [
      'db/templates/a.yaml',
      'other/templates/a.yaml',
      'db/./templates//a.yaml',
      'db\\templates\\a.yaml',
    ])
      await refused(
        [{ path, content: configMap('other', 'x') }],
        /its archive has the file "templates\/a\.yaml" twice\./,
      );
  });

  test('S9: has no more files than a chart may have, those in archives in it included', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ path: `db/files/${index}` }));
    await refused(many(10_000), /its archive has more than 10000 files and directories\./);
    const inner = archiveOfEntries(many(5_000));
    await refused(
      ['a', 'b'].map((name) => ({ path: `db/charts/${name}.tgz`, content: inner })),
      /charts\/b\.tgz: its archive has more than 10000 files and directories\./,
    );
  });

  test('S9: unpacks to no more than a chart may have, those in it included', async () => {
    const message = /its archive unpacks to more than 32 MiB, those in it included\./;
    await refused([{ path: 'db/files/bomb', content: Buffer.alloc(33 * mebibyte) }], message);
    const inner = archiveOf({ 'a/files/bomb': Buffer.alloc(17 * mebibyte) });
    await refused(
      ['a', 'b'].map((name) => ({ path: `db/charts/${name}.tgz`, content: inner })),
      message,
    );
    const fits = chartOf(
      archiveOfEntries([...good, { path: 'db/files/large', content: Buffer.alloc(30 * mebibyte) }]),
    );
    for (const [as, render] of uses) assert.deepEqual(names((await render(fits)).objects), ['db'], as);
  });
});
