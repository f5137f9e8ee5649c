import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { rendered as helmRendered } from '../../test/harness/chart.ts';
import {
  type ChartRepository,
  lockOf,
  startChartRepository,
  updated,
  writeFiles,
} from '../../test/harness/chart-repository.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { configMap, data, failure, ofHelm, request, TestRenderer } from '../../test/harness/render.ts';
import { type ChartArchive, type ChartReference, MissingCharts, TreeWithCharts } from './renderer.ts';

const engine = new TestRenderer();
let published: ChartRepository;

before(async () => {
  published = await startChartRepository();
  await published.publish({
    'Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 7.2.1\n',
    'values.yaml': 'size: 1\n',
    'templates/a.yaml': configMap('{{ .Release.Name }}-{{ .Chart.Name }}', '"{{ .Values.size }}"'),
  });
});
after(() => published.stop());

/** An umbrella chart in the directory web; `%` is the repository's URL. */
function umbrella(dependencies: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n${dependencies.replaceAll('%', published.url)}`,
    'values.yaml': 'cache: {size: 3}\n',
    'templates/a.yaml': configMap('web', 'x'),
  };
}

const REDIS = '- {name: redis, version: ^7.0.0, repository: "%", condition: redis.enabled}\n';
const TWICE = `${REDIS}- {name: redis, alias: cache, version: 7.x, repository: "%"}\n`;

function below(files: Readonly<Record<string, string>>): MemoryTree {
  return new MemoryTree(
    Object.fromEntries(Object.entries(files).map(([path, text]) => [`web/${path}`, text])),
  );
}

async function missing(tree: MemoryTree): Promise<readonly ChartReference[]> {
  const error = await failure(engine.renderer.render(tree, request('web')), 'DependencyMissing');
  assert.ok(error instanceof MissingCharts, error.message);
  return error.charts;
}

async function archiveOf({ name, version }: ChartReference): Promise<ChartArchive> {
  const packed = await readFile(join(published.directory, `${name}-${version}.tgz`));
  return { name, version, data: packed, digest: createHash('sha256').update(packed).digest('hex') };
}

describe('dependencies that Git does not have', () => {
  test('render as helm dependency build and helm template do, once fetched as the lock has them', async () => {
    const files = umbrella(TWICE);
    const lock = await lockOf(published, files);
    const tree = below({ ...files, 'Chart.lock': lock });
    const charts = await missing(tree);
    assert.deepEqual(charts, [{ name: 'redis', version: '7.2.1', repository: published.url }]);
    const whole = new TreeWithCharts(tree, 'web', await Promise.all(charts.map(archiveOf)));
    const rendered = await engine.renderer.render(whole, request('web'));
    const directory = join(temporaryDirectory('umbrella'), 'web');
    await writeFiles(directory, files);
    await updated(published, directory);
    const expected = await helmRendered({}, 'web', directory, 'shop');
    const named = (objects: { metadata: { name: string }; data?: unknown }[]) =>
      objects
        .map(({ metadata: { name }, data: content }) => ({ name, content }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(named(rendered.objects.map(({ text }) => JSON.parse(text))), named(expected));
    assert.equal(data(rendered, 'web-cache').text, '3');
    assert.equal(await engine.renderer.render(whole, request('web')), rendered, 'the same is rendered once');
  });

  test('are inputs of the render: other bytes are another candidate, and the same are the same as vendored', async () => {
    const files = umbrella(REDIS);
    const tree = below({ ...files, 'Chart.lock': await lockOf(published, files) });
    const [chart] = await missing(tree);
    assert.ok(chart !== undefined);
    const archive = await archiveOf(chart);
    const render = (each: ChartArchive) =>
      engine.renderer.render(new TreeWithCharts(tree, './web/', [each]), request('web'));
    const first = await render(archive);
    assert.notEqual((await render({ ...archive, digest: '0'.repeat(64) })).inputs, first.inputs);
    const vendored = tree.with({ 'web/charts/redis-7.2.1.tgz': archive.data });
    const same = await engine.renderer.render(vendored, request('web'));
    assert.deepEqual(
      same.objects.map(({ text }) => text),
      first.objects.map(({ text }) => text),
    );
  });

  test('are not fetched where they are switched off, nor where Git has them', async () => {
    const files = umbrella(REDIS);
    const tree = below({ ...files, 'Chart.lock': await lockOf(published, files) });
    const off = ofHelm({ values: '{"redis":{"enabled":false}}' });
    assert.equal((await engine.renderer.render(tree, request('web', off))).objects.length, 1);
    const vendored = tree.with({
      'web/charts/redis/Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 7.0.0\n',
    });
    assert.equal((await engine.renderer.render(vendored, request('web'))).objects.length, 1);
  });

  test('with a lock that was made of others are refused, and what differs is named', async () => {
    const lock = await lockOf(published, umbrella(REDIS));
    const other = below({ ...umbrella(TWICE.replace('7.x', '8.x')), 'Chart.lock': lock });
    const error = await failure(engine.renderer.render(other, request('web')), 'ChartLockOutOfDate');
    assert.match(
      error.message,
      /^Chart\.lock of chart web in web .* differ in redis\. Run `helm dependency update`/,
    );
    assert.equal(error.details[0]?.file, 'web/Chart.lock');
    const queue = '- {name: queue, version: 1.x, repository: "%"}\n';
    const renamed = below({ ...umbrella(queue), 'Chart.lock': lock });
    assert.match(
      (await failure(engine.renderer.render(renamed, request('web')), 'ChartLockOutOfDate')).message,
      /differ in queue, redis\./,
    );
    const forged = below({ ...umbrella(REDIS), 'Chart.lock': lock.replace('7.2.1', '7.2.0') });
    assert.match(
      (await failure(engine.renderer.render(forged, request('web')), 'ChartLockOutOfDate')).message,
      /the entries of the two differ/,
    );
  });

  test('render without a lock with what helm dependency update resolves, which is told as a range', async () => {
    for (const version of ['7.3.0', '7.4.0-rc.1', '8.0.0'])
      await published.publish({
        'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n`,
        'templates/a.yaml': configMap('{{ .Release.Name }}-{{ .Chart.Name }}', `"${version}"`),
      });
    const index = await readFile(join(published.directory, 'index.yaml'));
    const ranges = ['^7.0.0', '7.x', '>=7.0.0 <7.3.0', '~7.4.0-0', '*', '7.2', '>=7.0.0 <8 || >9', 'v7.3.0'];
    for (const range of ranges) {
      const files = umbrella(`- {name: redis, version: "${range}", repository: "%"}\n`);
      const [chart] = await missing(below(files));
      assert.deepEqual(chart, { name: 'redis', version: range, repository: published.url, isRange: true });
      const { version } = await engine.renderer.findInIndex(chart, index, AbortSignal.timeout(60_000));
      assert.match(await lockOf(published, files), new RegExp(`\\n  version: ${version}\\n`), range);
      const whole = new TreeWithCharts(below(files), 'web', [await archiveOf({ ...chart, version })]);
      await engine.renderer.render(whole, request('web'));
    }
    const exact = umbrella('- {name: redis, version: 7.3.0, repository: "%"}\n');
    assert.deepEqual(await missing(below(exact)), [
      { name: 'redis', version: '7.3.0', repository: published.url },
    ]);
    // To Helm these are to the letter in a registry alone: in an index the first is each build of it.
    for (const [version, repository, isRange] of [
      ['v7.3.0', published.url, true],
      ['v7.3.0+b', published.url, false],
      ['v7.3', published.url, true],
      ['v7.3.0', 'oci://charts.dev/x', false],
      ['7.3', 'oci://charts.dev/x', false],
    ] as const) {
      const [chart] = await missing(
        below(umbrella(`- {name: redis, version: "${version}", repository: "${repository}"}\n`)),
      );
      assert.deepEqual([chart?.version, chart?.isRange === true], [version, isRange]);
    }
    const none = { name: 'redis', version: '^9.0.0', repository: published.url, isRange: true } as const;
    const found = await engine.renderer.findInIndex(none, index, AbortSignal.timeout(60_000));
    assert.deepEqual([found.version, found.versions[0]], ['', '8.0.0']);
  });

  test('are found by an entry of the index that names an archive, as Helm passes over others', async () => {
    const entry = (version: string, digest: string, urls: string) =>
      `  - {name: redis, version: ${version}, digest: ${digest}${urls}}\n`;
    const text = Buffer.from(
      `entries:\n  redis:\n${entry('1.0.0', 'none', '')}${entry('1.0.0', 'empty', ', urls: []')}${entry('v1.0.0', 'other', ', urls: [a.tgz]')}${entry('0.9.0+up4.5.6', 'build', ', urls: [b.tgz]')}${entry('2.0.0', 'none', '')}`,
    );
    const find = (version: string, range = {}) =>
      engine.renderer.findInIndex(
        { name: 'redis', version, repository: published.url, ...range },
        text,
        AbortSignal.timeout(60_000),
      );
    const { version, url, digest } = await find('1.0.0');
    assert.deepEqual([version, url, digest], ['v1.0.0', 'a.tgz', 'other']);
    assert.equal((await find('>=1.0.0', { isRange: true })).version, 'v1.0.0');
    assert.equal((await find('v0.9.0', { isRange: true })).version, '0.9.0+up4.5.6');
    const lacking = await find('2.0.0');
    assert.deepEqual([lacking.version, lacking.versions], ['', ['v1.0.0', '0.9.0+up4.5.6']]);
  });

  test('of versions that no status can name are passed over where those are not wanted', async () => {
    const versions = ['20240501', `1.2.0+${'b'.repeat(40)}`, '1.1.0'].map((version) => ({
      version,
      urls: ['a.tgz'],
    }));
    const text = Buffer.from(JSON.stringify({ entries: { redis: versions } }));
    const highest = async (longest?: number) => {
      const range = { name: 'redis', version: '>=1.0.0', repository: published.url, isRange: true } as const;
      const asked = { ...range, ...(longest !== undefined && { longest }) };
      return (await engine.renderer.findInIndex(asked, text, AbortSignal.timeout(60_000))).version;
    };
    assert.deepEqual([await highest(), await highest(40)], ['20240501', '1.1.0']);
  });

  test('A8: are told of an index no longer than anybody takes them, whatever it has', async () => {
    const long = 'é'.repeat(100_000);
    const versions = [
      { version: '1.0.0', digest: long, urls: [long] },
      { version: long, digest: '', urls: ['a.tgz'] },
    ];
    const text = Buffer.from(JSON.stringify({ entries: { redis: versions } }));
    const find = (version: string) =>
      engine.renderer.findInIndex(
        { name: 'redis', version, repository: published.url },
        text,
        AbortSignal.timeout(60_000),
      );
    const { url, digest } = await find('1.0.0');
    assert.deepEqual([url.length, digest.length], [2_049, 100]);
    assert.deepEqual((await find('2.0.0')).versions, ['1.0.0']);
  });

  test('from elsewhere, of no version, or of a subchart are refused with what to do', async () => {
    const refused = async (dependency: string, expected: RegExp) => {
      const files = umbrella(dependency);
      const error = await failure(engine.renderer.render(below(files), request('web')), 'DependencyMissing');
      assert.ok(!(error instanceof MissingCharts));
      assert.match(error.message, expected);
    };
    await refused(
      '- {name: redis, version: newest, repository: "%"}\n',
      /Its version "newest" is none, nor a range/,
    );
    await refused(
      '- {name: redis, version: 7.x, repository: "@bitnami"}\n',
      /@bitnami .* write the repository's URL/,
    );
    await refused(
      '- {name: redis, version: 7.x, repository: "http://charts.example.com"}\n',
      /commit the folder/,
    );
  });
});
