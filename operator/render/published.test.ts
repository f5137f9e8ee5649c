import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { archiveOf as packedAs } from '../../test/harness/archive.ts';
import { rendered as helmRendered } from '../../test/harness/chart.ts';
import { type ChartRepository, startChartRepository } from '../../test/harness/chart-repository.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { configMap, data, failure, ofHelm, request, TestRenderer } from '../../test/harness/render.ts';
import { type ChartArchive, MissingCharts, NoFiles } from './renderer.ts';

const engine = new TestRenderer();
let published: ChartRepository;

before(async () => {
  published = await startChartRepository();
  await published.publish({
    'Chart.yaml':
      'apiVersion: v2\nname: web\nversion: 1.2.3\ndependencies:\n- {name: db, version: 1.x, repository: "file://charts/db"}\n',
    'values.yaml': 'color: red\nsize: 1\n',
    '.helmignore': 'templates/ignored.yaml\n',
    'templates/a.yaml': configMap('{{ .Release.Name }}', '"{{ .Values.color }} {{ .Values.size }}"'),
    'templates/ignored.yaml': configMap('ignored', 'x'),
    'charts/db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n',
    'charts/db/templates/b.yaml': configMap('db', 'x'),
  });
});
after(() => published.stop());

async function archiveOf(name: string, version: string): Promise<ChartArchive> {
  const packed = await readFile(join(published.directory, `${name}-${version}.tgz`));
  return { name, version, data: packed, digest: createHash('sha256').update(packed).digest('hex') };
}

function crafted(files: Readonly<Record<string, string>>): ChartArchive {
  const packed = packedAs(files);
  return {
    name: 'crafted',
    version: '1.0.0',
    data: packed,
    digest: createHash('sha256').update(packed).digest('hex'),
  };
}

test('a published chart renders as helm template renders its archive, without a repository', async () => {
  const chart = await archiveOf('web', '1.2.3');
  const rendered = await engine.renderer.render(new NoFiles('1.2.3'), request('.', { chart }));
  const expected = await helmRendered({}, 'web', join(published.directory, 'web-1.2.3.tgz'), 'shop');
  assert.deepEqual(
    rendered.objects.map(({ name }) => name).sort(),
    expected.map(({ metadata }) => metadata.name).sort(),
  );
  assert.equal(data(rendered, 'web').text, 'red 1');
  assert.deepEqual(rendered.chart, { name: 'web', version: '1.2.3' });
  assert.equal(rendered.objects.find(({ name }) => name === 'web')?.file, 'web-1.2.3.tgz/templates/a.yaml');
});

test('D14: its digest is an input, and of the repository nothing is but its values files', async () => {
  const chart = await archiveOf('web', '1.2.3');
  const asked = request('.', { chart, ...ofHelm({ valuesFiles: ['values/ours.yaml'] }) });
  const files = { 'values/ours.yaml': 'color: blue\n', 'templates/a.yaml': 'x' };
  const first = await engine.renderer.render(new MemoryTree(files), asked);
  assert.equal(data(first, 'web').text, 'blue 1');
  assert.deepEqual(first.places, ['values/ours.yaml']);
  const other = await engine.renderer.render(new MemoryTree({ ...files, 'templates/a.yaml': 'y' }), asked);
  assert.equal(other.inputs, first.inputs);
  const replaced = { ...chart, digest: '0'.repeat(64) };
  const changed = await engine.renderer.render(new MemoryTree(files), { ...asked, chart: replaced });
  assert.notEqual(changed.inputs, first.inputs);
});

test('who packaged a chart without its dependencies is told to, and nothing beside the archive is read', async () => {
  for (const repository of ['https://charts.example.com', 'file://../db']) {
    const chart = crafted({
      'lacking/Chart.yaml': `apiVersion: v2\nname: lacking\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.x, repository: "${repository}"}\n`,
      'lacking/templates/a.yaml': configMap('lacking', 'x'),
    });
    const beside = new MemoryTree({ 'db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n' });
    const error = await failure(engine.renderer.render(beside, request('.', { chart })), 'DependencyMissing');
    assert.ok(!(error instanceof MissingCharts));
    assert.match(
      error.message,
      /^Chart lacking depends on db 1\.x from .* It was packaged without: have who publishes it/,
    );
  }
});

test('S6: no archive leads out of itself', async () => {
  const chart = crafted({
    'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'web/../../a': 'x',
  });
  await failure(engine.renderer.render(new NoFiles('1.0.0'), request('.', { chart })), 'ChartInvalid');
});

test('S6: an archive that is none is refused by its name', async () => {
  const chart = { name: 'web', version: '9.9.9', digest: '1'.repeat(64), data: Buffer.from('no archive') };
  const error = await failure(
    engine.renderer.render(new NoFiles('9.9.9'), request('.', { chart })),
    'ChartInvalid',
  );
  assert.match(
    error.message,
    /^The chart in web-9\.9\.9\.tgz cannot be loaded: .* Use another version, or tell who publishes it\.$/,
  );
});
