import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { type ChartRepository, startChartRepository } from '../../../test/harness/chart-repository.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { always, eventually } from '../../../test/harness/wait.ts';
import { TowpathError } from '../../api/errors.ts';
import { Authorities } from '../transport/authorities.ts';
import { ChartRepositories, type ChartRepositoriesOptions } from './chart-repositories.ts';
import { ChartVersions, type FollowedChart, type WatchedChart } from './chart-versions.ts';

const HOUR = 3_600_000;
const engine = new TestRenderer();
const never = new AbortController().signal;
const nobody = () => undefined;
let published: ChartRepository;

before(async () => {
  published = await startChartRepository();
  // As --ca-file does, for this process.
  new Authorities({ path: published.caFile, onChange: () => undefined, onFault: assert.fail });
  for (const version of ['1.0.0', '1.1.0', '2.0.0-rc.1']) await publish('redis', version);
  await publish('web', '0.3.0');
});
after(() => published.stop());
beforeEach(() => {
  published.intercept = undefined;
  published.requests.length = 0;
});

const publish = (name: string, version: string) =>
  published.publish({ 'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: ${version}\n` });
const indexes = () => published.requests.filter(({ path }) => path.endsWith('index.yaml'));

function follow(t: TestContext, options: Partial<ChartRepositoriesOptions> = {}): ChartVersions {
  const charts = new ChartRepositories({
    allowLoopback: true,
    locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    ...options,
  });
  const versions = new ChartVersions({ charts });
  t.after(async () => {
    await versions.stop();
    await charts.stop();
  });
  return versions;
}

function chart(version: string, more: Partial<FollowedChart> = {}): FollowedChart {
  return { repoURL: published.url, name: 'redis', version, ...more };
}

const resolved = (watched: readonly WatchedChart[]) =>
  Promise.all(watched.map((each) => each.resolve(never)));

/** Has index.yaml answered by what is given, until it is `undefined`. */
function answering(how: { with: ((response: ServerResponse) => void) | undefined }): void {
  published.intercept = (request, response) => {
    if (how.with === undefined || !request.url?.endsWith('index.yaml')) return false;
    how.with(response);
    return true;
  };
}

describe('the versions of charts', () => {
  test('are asked for once, however many follow whichever charts of a repository in whichever ranges', async (t) => {
    const versions = follow(t);
    const wanted = [
      chart('^1.0.0'),
      chart('~1.0.0'),
      chart('*', { name: 'web', repoURL: `${published.url}/` }),
    ];
    const watched = Array.from({ length: 999 }, (_, at) =>
      versions.watch(`shop/app-${at}`, wanted[at % 3] ?? chart('*'), HOUR, nobody),
    );
    const found = await resolved(watched);
    assert.deepEqual(found.slice(0, 3), ['1.1.0', '1.0.0', '0.3.0']);
    assert.deepEqual(indexes().length, 1);
    await publish('redis', '1.0.1');
    await Promise.all(watched.map((each) => each.poll(never)));
    assert.deepEqual((await resolved(watched)).slice(-3), ['1.1.0', '1.0.1', '0.3.0']);
    await Promise.all(watched.map((each) => each.poll(never)));
    assert.deepEqual(
      indexes().map(({ status }) => status),
      [200, 200, 304],
    );
    assert.deepEqual(await versions.watch('late', chart('1.0.x'), HOUR, nobody).resolve(never), '1.0.1');
    assert.equal(indexes().at(-1)?.status, 304);
  });

  test('are asked for at the shortest interval of all who follow something there, and each change is told once to whom it concerns', async (t) => {
    const versions = follow(t);
    const told = { patch: 0, minor: 0, other: 0 };
    const patch = versions.watch('patch', chart('~1.1.0'), 50, () => told.patch++);
    const minor = versions.watch('minor', chart('^1.1.0'), HOUR, () => told.minor++);
    const other = versions.watch('other', chart('*', { name: 'web' }), HOUR, () => told.other++);
    assert.deepEqual(await resolved([patch, minor, other]), ['1.1.0', '1.1.0', '0.3.0']);
    await publish('redis', '1.2.0');
    await eventually(() => told.minor === 1, { describe: 'the change to be told' });
    assert.deepEqual(await resolved([patch, minor]), ['1.1.0', '1.2.0']);
    const before = indexes().length;
    await eventually(() => indexes().length > before + 3, { describe: 'further questions' });
    assert.deepEqual(told, { patch: 0, minor: 1, other: 0 });
    assert.ok(
      indexes()
        .slice(before + 1)
        .every(({ status }) => status !== 200),
    );
    // Who has the short interval goes.
    versions.unwatch('patch');
    const asked = indexes().length;
    await always(
      () => indexes().length,
      (count) => assert.ok(count <= asked + 1),
      300,
    );
  });

  test('are not asked for where one is named', async (t) => {
    const exact = follow(t).watch('app', chart('1.0.0'), 20, assert.fail);
    assert.equal(await exact.resolve(never), '1.0.0');
    await exact.poll(never);
    assert.deepEqual([exact.error, exact.checkedAt], [undefined, undefined]);
    await always(
      () => published.requests.length,
      (count) => assert.equal(count, 0),
      100,
    );
  });

  test('have pre-releases among them where the range names one', async (t) => {
    const versions = follow(t);
    const ranges = ['*', '>=1.0.0', '>=1.0.0-0'].map((range) =>
      versions.watch(range, chart(range), HOUR, nobody),
    );
    const [any, released, all] = await resolved(ranges);
    assert.equal(any, released);
    assert.match(any ?? '', /^1\./);
    assert.equal(all, '2.0.0-rc.1');
  });

  test('that vanish take back nobody who runs them, and are found by nobody else', async (t) => {
    const versions = follow(t);
    await publish('queue', '1.0.0');
    await publish('queue', '1.1.0');
    let told = 0;
    const queue = versions.watch('app', chart('^1.0.0', { name: 'queue' }), HOUR, () => told++);
    assert.equal(await queue.resolve(never), '1.1.0');
    await rm(join(published.directory, 'queue-1.1.0.tgz'));
    await publish('web', '0.3.1');
    await queue.poll(never);
    await eventually(() => told === 1, { describe: 'what is there by now to be told' });
    assert.equal(await queue.resolve(never, '1.1.0'), '1.1.0');
    assert.equal(await queue.resolve(never), '1.0.0');
    assert.equal(await queue.resolve(never, '0.9.0'), '1.0.0');
    assert.equal(await queue.resolve(never, '2.0.0'), '1.0.0', 'the range is another one than that was of');
    await publish('queue', '1.1.1');
    await queue.poll(never);
    assert.equal(await queue.resolve(never, '1.1.0'), '1.1.1');
  });

  test('that no range has are told with those that there are, until one comes', async (t) => {
    const versions = follow(t);
    let told = 0;
    const later = versions.watch('app', chart('^9.0.0', { name: 'web' }), 50, () => told++);
    await assert.rejects(later.resolve(never), { reason: 'ChartNotFound', message: /It has 0\.3/ });
    assert.equal(later.error?.reason, 'ChartNotFound');
    await later.poll(never);
    assert.equal(later.error?.reason, 'ChartNotFound', 'that there is none is an answer');
    await publish('web', '9.0.0');
    await eventually(() => told === 1, { describe: 'the version to be told' });
    assert.equal(await later.resolve(never), '9.0.0');
    assert.equal(later.error, undefined);
  });

  test('A4, A12: stay what they were while a repository fails, which is told once, and asked again soon', async (t) => {
    const versions = follow(t);
    const how: Parameters<typeof answering>[0] = { with: undefined };
    answering(how);
    let told = 0;
    const redis = versions.watch('app', chart('^1.0.0'), HOUR, () => told++);
    const before = await redis.resolve(never);
    how.with = (response) => response.writeHead(503).end();
    await assert.rejects(redis.poll(never), { reason: 'ServerError' });
    await eventually(() => told === 1, { describe: 'the error to be told' });
    assert.equal(redis.error?.reason, 'ServerError');
    assert.equal(await redis.resolve(never), before);
    const asked = indexes().length;
    await eventually(() => indexes().length > asked, { describe: 'it to be asked again' });
    assert.equal(told, 1);
    how.with = undefined;
    await eventually(() => told === 2, { describe: 'its end to be told' });
    assert.equal(redis.error, undefined);
  });

  test('A4: of a repository that was not to be had from the beginning, nobody waits for or asks by looking again', async (t) => {
    const versions = follow(t);
    answering({ with: (response) => response.writeHead(503).end() });
    const redis = versions.watch('app', chart('^1.0.0'), HOUR, nobody);
    await assert.rejects(redis.resolve(never), { reason: 'ServerError' });
    const asked = indexes().length;
    for (let times = 0; times < 100; times++)
      await assert.rejects(redis.resolve(never), { reason: 'ServerError' });
    assert.ok(indexes().length <= asked + 1);
    answering({ with: () => undefined });
    const polling = redis.poll(AbortSignal.timeout(50));
    await assert.rejects(polling, { name: 'TimeoutError' });
  });

  test('are asked for no earlier than they were wanted', async (t) => {
    const versions = follow(t);
    const redis = versions.watch('app', chart('^1.0.0'), HOUR, nobody);
    await redis.resolve(never);
    const held: (() => void)[] = [];
    published.intercept = (_request, response) => {
      if (held.length > 0) return false;
      held.push(() => {
        published.intercept = undefined;
        // As what was there when it was asked.
        response.writeHead(304).end();
      });
      return true;
    };
    const early = redis.poll(never);
    await eventually(() => held.length === 1, { describe: 'it to be asked' });
    await publish('redis', '1.3.0');
    const late = [redis.poll(never), redis.poll(never)];
    const before = indexes().length;
    held[0]?.();
    await Promise.all([early, ...late]);
    assert.equal(await redis.resolve(never), '1.3.0');
    assert.equal(indexes().length, before + 1);
  });

  test('that nobody follows any more while they are looked up are told as that', async (t) => {
    const versions = follow(t);
    const stays = versions.watch('stays', chart('*', { name: 'web' }), HOUR, nobody);
    await stays.resolve(never);
    const held: (() => void)[] = [];
    answering({ with: (response) => held.push(() => response.writeHead(304).end()) });
    const leaves = versions.watch('leaves', chart('^1.0.0'), HOUR, nobody).resolve(never);
    const left = assert.rejects(leaves, { name: 'TowpathError', reason: 'Stopping' });
    await eventually(() => held.length === 1, { describe: 'it to be asked' });
    versions.unwatch('leaves');
    answering({ with: undefined });
    held[0]?.();
    await left;
  });

  test('A4: are asked for on where a range is left while the one before it is looked up', async (t) => {
    const [begun, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const versions = follow(t, {
      locate: async (wanted, index, signal) => {
        begun.resolve();
        await ends.promise;
        return engine.renderer.findInIndex(wanted, index, signal);
      },
    });
    const stays = versions.watch('shop/stays', chart('^1.0.0'), HOUR, nobody);
    versions.watch('shop/leaves', chart('*', { name: 'web' }), HOUR, nobody);
    const first = stays.resolve(AbortSignal.timeout(scaled(20_000)));
    await begun.promise;
    versions.unwatch('shop/leaves');
    ends.resolve();
    assert.match(await first, /^1\./);
    await publish('redis', '1.9.0');
    await stays.poll(AbortSignal.timeout(scaled(20_000)));
    assert.equal(await stays.resolve(never), '1.9.0');
  });

  test('A4: are looked up again in the same index where an engine that did so was ended by a limit', async (t) => {
    let isEnded = true;
    const versions = follow(t, {
      locate: (wanted, index, signal) => {
        if (isEnded) throw new TowpathError('Person', 'EngineEnded', 'The engine was killed.');
        return engine.renderer.findInIndex(wanted, index, signal);
      },
    });
    const range = versions.watch('shop/web', chart('^0.3.0', { name: 'web' }), HOUR, nobody);
    await assert.rejects(range.resolve(never), { reason: 'EngineEnded' });
    isEnded = false;
    await range.poll(never);
    assert.match(await range.resolve(never), /^0\.3\./);
  });

  test('D14, S4: are asked for by each credential for itself, and no longer with one that was taken back', async (t) => {
    const versions = follow(t);
    const given: (string | undefined)[] = [];
    published.intercept = ({ headers }, response) => {
      given.push(headers.authorization);
      if (headers.authorization === 'Bearer good') return false;
      response.writeHead(401).end();
      return true;
    };
    const as = (bearerToken: string) => chart('^1.0.0', { credential: { bearerToken } });
    const mine = versions.watch('mine', as('good'), HOUR, nobody);
    assert.match(await mine.resolve(never), /^1\./);
    const theirs = versions.watch('theirs', as('guessed'), HOUR, nobody);
    await assert.rejects(theirs.resolve(never), { reason: 'AuthenticationFailed' });
    await assert.rejects(versions.watch('nobody', chart('^1.0.0'), HOUR, nobody).resolve(never), {
      reason: 'AuthenticationFailed',
    });
    assert.throws(() => versions.watch('mine', chart('^1.0.0', { repoURL: 'http://x' }), 20, nobody), {
      reason: 'ChartRepositoryInvalid',
    });
    await assert.rejects(mine.poll(never), { reason: 'Stopping' });
    // One that was refused may be asked again meanwhile.
    assert.deepEqual([...new Set(given)], ['Bearer good', 'Bearer guessed', undefined]);
  });
});
