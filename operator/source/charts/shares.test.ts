import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { newChartRepositories } from '../../../test/harness/chart-repositories.ts';
import { type ChartRepository, startChartRepository } from '../../../test/harness/chart-repository.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { Authorities } from '../transport/authorities.ts';
import type { ChartRepositoriesOptions } from './chart-repositories.ts';
import { ChartVersions } from './chart-versions.ts';

const KiB = 1_024;
const HOUR = 3_600_000;
const engine = new TestRenderer();
const never = new AbortController().signal;
const nobody = () => undefined;
/** The credential that a registry elsewhere would be asked with. */
const none = () => undefined;
let published: ChartRepository;
/** What is answered below a path of its own of the server. */
const answers = new Map<string, (response: ServerResponse) => void>();

before(async () => {
  published = await startChartRepository();
  // As --ca-file does, for this process.
  new Authorities({ path: published.caFile, onChange: () => undefined, onFault: assert.fail });
  for (const version of ['1.0.0', '1.1.0']) await publish(version);
});
after(() => published.stop());
beforeEach(() => {
  answers.clear();
  published.requests.length = 0;
  published.intercept = (request, response) => {
    const [, path = ''] = /\/([a-z]+(-\d+)?)\/(index\.yaml|redis\/tags\/list)/.exec(request.url ?? '') ?? [];
    const answer = answers.get(path);
    answer?.(response);
    return answer !== undefined;
  };
});

const publish = (version: string) =>
  published.publish({ 'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n` });
const redis = (version: string, path = '') => ({
  name: 'redis',
  version,
  repository: `${published.url}${path}`,
});

/** An index of so many bytes, with redis 1.0.0. */
function indexOf(bytes: number): string {
  const index = 'apiVersion: v1\nentries:\n  redis:\n  - version: 1.0.0\n    urls: [redis-1.0.0.tgz]\n';
  const lines = `    # ${'x'.repeat(KiB - 7)}\n`.repeat(bytes / KiB - 1);
  return `${index}${lines}${'\n'.repeat(bytes - index.length - lines.length)}`;
}

function bytesIn(directory: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return files.reduce((sum, name) => {
    const found = statSync(join(directory, name), { throwIfNoEntry: false });
    return found?.isFile() === true ? sum + found.size : sum;
  }, 0);
}

function following(t: TestContext, options: Partial<ChartRepositoriesOptions>) {
  const charts = newChartRepositories(t, engine, options);
  const versions = new ChartVersions({ charts });
  t.after(() => versions.stop());
  const follow = (subscriber: string, path = '', interval = HOUR) => {
    const chart = { repoURL: `${published.url}${path}`, name: 'redis', version: '*' };
    return versions.watch(subscriber, chart, interval, nobody);
  };
  return { charts, follow };
}

describe('the disk that charts are kept on', () => {
  test('A3, S9: is filled by no namespace alone: others keep what they have, and get more', async (t) => {
    const cacheDirectory = temporaryDirectory('shares');
    const limits = { cacheBytes: 512 * KiB, indexBytes: 300 * KiB };
    const { charts, follow } = following(t, { limits, cacheDirectory });
    await charts.fetch(redis('1.0.0'), never, undefined, none, 'modest');
    const index = indexOf(64 * KiB);
    const slow = Array.from({ length: 12 }, (_, at) => {
      answers.set(`slow-${at}`, (response) => {
        response.write(index);
        const timer = setInterval(() => response.write('#'), 20);
        response.on('close', () => clearInterval(timer));
      });
      return follow(`greedy/${at}`, `/slow-${at}`, 50);
    });
    const full = () => slow.filter(({ error }) => error?.reason === 'ChartCacheFull');
    await eventually(() => full().length >= slow.length - 4, { describe: 'those beyond half to be ended' });
    assert.match(full()[0]?.error?.message ?? '', /for one namespace at the moment than the 256 KiB/);
    answers.set('large', (response) => response.end(indexOf(200 * KiB)));
    for (let times = 0; times < 3; times++)
      assert.equal(await charts.resolve(redis('*', '/large'), never, undefined, 'modest'), '1.0.0');
    assert.ok(bytesIn(cacheDirectory) <= limits.cacheBytes, `${bytesIn(cacheDirectory)} bytes`);
    const archive = await readFile(join(published.directory, 'redis-1.0.0.tgz'));
    assert.deepEqual((await charts.fetch(redis('1.0.0'), never, undefined, none, 'modest')).data, archive);
    assert.equal(published.count('.tgz'), 1, 'what was kept is kept on');
  });

  // Of one server no more than four files come at a time.
  const small = { cacheBytes: 2 * 3 * 64 * KiB };

  /** Has half of that taken by what comes for a namespace, and does not go on. */
  async function halfTaken(follow: (subscriber: string, path: string) => unknown, cacheDirectory: string) {
    const before = bytesIn(cacheDirectory);
    for (let at = 0; at < 3; at++) {
      answers.set(`slow-${at}`, (response) => response.write(indexOf(64 * KiB)));
      follow(`greedy/slow-${at}`, `/slow-${at}`);
    }
    await eventually(() => bytesIn(cacheDirectory) === before + 192 * KiB, { describe: 'half to be taken' });
  }

  test('A3, S9: has what several follow for the one of them that has most room', async (t) => {
    const cacheDirectory = temporaryDirectory('shares');
    const { follow } = following(t, { limits: small, cacheDirectory });
    const greedy = follow('greedy/popular');
    assert.equal(await greedy.resolve(never), '1.1.0');
    await halfTaken(follow, cacheDirectory);
    await publish('1.2.0');
    await assert.rejects(greedy.poll(never), {
      reason: 'ChartCacheFull',
      message: /^The fetch of index\.yaml of .* made room for those that began before it/,
    });
    const modest = follow('modest/popular');
    await modest.poll(never);
    assert.equal(await modest.resolve(never), '1.2.0');
    assert.equal(await greedy.resolve(never), '1.2.0');
  });

  test('A3, S9: has for others what one waits for with them who has no room', async (t) => {
    const cacheDirectory = temporaryDirectory('shares');
    const { charts, follow } = following(t, { limits: small, cacheDirectory, recentMs: HOUR });
    await charts.fetch(redis('1.1.0'), never, undefined, none, 'modest');
    await halfTaken(follow, cacheDirectory);
    const answer = published.intercept;
    const held: ServerResponse[] = [];
    const asked = Promise.withResolvers<void>();
    published.intercept = (request, response) => {
      if (!request.url?.endsWith('redis-1.0.0.tgz') || held.length > 0)
        return answer?.(request, response) === true;
      held.push(response);
      asked.resolve();
      return true;
    };
    const greedy = charts.fetch(redis('1.0.0'), never, undefined, none, 'greedy');
    const refused = assert.rejects(greedy, { reason: 'ChartCacheFull' });
    await asked.promise;
    const modest = charts.fetch(redis('1.0.0'), never, undefined, none, 'modest');
    held[0]?.end('not what the index has');
    await refused;
    assert.deepEqual((await modest).data, await readFile(join(published.directory, 'redis-1.0.0.tgz')));
  });
});

/** Bytes in Buffers, once those that nobody has any more are gone. */
function bytesInBuffers(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Has many follow what each of them has another megabyte of, and others beside them. */
async function lookedUpInTurn(t: TestContext, url: string, large: string, small: string): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const begun: string[] = [];
  const charts = newChartRepositories(t, engine, {
    locate: async ({ repository }) => {
      begun.push(repository);
      if (repository.includes('/slow-')) await ended.promise;
      return { version: '1.0.0', url: '-', digest: '', versions: [] };
    },
  });
  const versions = new ChartVersions({ charts });
  t.after(() => versions.stop());
  const [count, before] = [30, bytesInBuffers()];
  const slow = Array.from({ length: count }, (_, at) => {
    answers.set(`slow-${at}`, (response) => response.end(large));
    const chart = { repoURL: `${url}/slow-${at}`, name: 'redis', version: '*' };
    return versions.watch(`greedy/${at}`, chart, HOUR, nobody);
  });
  const found = Promise.all(slow.map((each) => each.resolve(never)));
  const answered = () => published.requests.filter(({ path, status }) => path.includes('/slow-') && status);
  await eventually(() => answered().length === count, { describe: 'all to be answered' });
  await eventually(() => begun.length > 0, { describe: 'one to be looked up' });
  for (let times = 0; times < 3; times++) {
    answers.set(`quick-${times}`, (response) => response.end(small));
    const range = { name: 'redis', version: '*', repository: `${url}/quick-${times}` };
    assert.equal(await charts.resolve(range, never, undefined, 'modest'), '1.0.0');
  }
  assert.equal(begun.filter((repository) => repository.includes('/slow-')).length, 1);
  // What is on its way still, from a server in this very process, goes; what waited with it would stay.
  await eventually(() => bytesInBuffers() - before < 8 * large.length, {
    describe: `less than ${8 * large.length} bytes to be held`,
  });
  ended.resolve();
  assert.deepEqual(await found, Array(count).fill('1.0.0'));
}

describe('A3, A8: of many ranges of one namespace one is looked up at a time, those of others beside it, and what waits takes no memory', () => {
  test('of Helm repositories', (t) => lookedUpInTurn(t, published.url, indexOf(1_024 * KiB), indexOf(KiB)));

  test('of registries', (t) => {
    const tags = (count: number) =>
      JSON.stringify({ tags: Array.from({ length: count }, (_, at) => `1.0.0-${'a'.repeat(110)}.${at}`) });
    const { host } = new URL(published.url);
    return lookedUpInTurn(t, `oci://${host}`, tags(8_000), tags(1));
  });
});
