import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { newChartRepositories } from '../../../test/harness/chart-repositories.ts';
import { type ChartRepository, startChartRepository } from '../../../test/harness/chart-repository.ts';
import { startConnectProxy } from '../../../test/harness/connect-proxy.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { Authorities } from '../transport/authorities.ts';
import type { ChartRepositoriesOptions } from './chart-repositories.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;
let published: ChartRepository;

before(async () => {
  published = await startChartRepository();
  // As --ca-file does, for this process.
  new Authorities({ path: published.caFile, onChange: () => undefined, onFault: assert.fail });
  for (const version of ['1.0.0', '1.1.0'])
    await published.publish({
      'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n`,
      'templates/a.yaml': `kind: ${version}`,
    });
});
after(() => published.stop());
beforeEach(() => {
  published.intercept = undefined;
  published.requests.length = 0;
});

const repositories = (t: TestContext, options: Partial<ChartRepositoriesOptions> = {}) =>
  newChartRepositories(t, engine, options);

/** That ask for each index anew, and count how often an engine looked something up in one. */
function counting(t: TestContext) {
  let lookups = 0;
  const charts = repositories(t, {
    recentMs: 0,
    locate: (chart, index, signal) => {
      lookups++;
      return engine.renderer.findInIndex(chart, index, signal);
    },
  });
  return { charts, lookups: () => lookups };
}

const redis = (version = '1.0.0') => ({ name: 'redis', version, repository: published.url });

describe('a chart of a Helm repository', () => {
  test('is what helm packed, fetched once however many want it', async (t) => {
    const charts = repositories(t);
    const all = await Promise.all(Array.from({ length: 100 }, () => charts.fetch(redis(), never)));
    all.push(await charts.fetch({ ...redis(), repository: `${published.url}/` }, never));
    const packed = await readFile(join(published.directory, 'redis-1.0.0.tgz'));
    for (const { data, digest } of all) {
      assert.deepEqual(data, packed);
      assert.equal(digest, createHash('sha256').update(packed).digest('hex'));
    }
    assert.equal(published.count('index.yaml'), 1);
    assert.equal(published.count('redis-1.0.0.tgz'), 1);
    await charts.fetch(redis('1.1.0'), never);
    assert.equal(published.count('index.yaml'), 1, 'an index that was just asked for is not asked for again');
  });

  test('is looked for in the same index while the server says that it is the same', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    await charts.fetch(redis('1.0.0'), never);
    await charts.fetch(redis('1.1.0'), never);
    const asked = published.requests.filter(({ path }) => path.endsWith('index.yaml'));
    assert.deepEqual(
      asked.map(({ status }) => status),
      [200, 304],
    );
  });

  test('that is not there is told with what is', async (t) => {
    const charts = repositories(t);
    const reason = 'ChartNotFound';
    await assert.rejects(charts.fetch(redis('1.0.1'), never), {
      reason,
      message: /has no version 1\.0\.1 of chart redis\. It has 1\.0\.0, 1\.1\.0\./,
    });
    await assert.rejects(charts.fetch({ ...redis(), name: 'rediss' }, never), {
      reason,
      message: /has no chart rediss\. It has redis\./,
    });
    await assert.rejects(charts.fetch({ ...redis(), repository: `${published.url}/no` }, never), {
      reason: 'ChartRepositoryNotFound',
    });
    for (const name of ['../redis', 'a/b', '', '.hidden'])
      await assert.rejects(charts.fetch({ ...redis(), name }, never), { reason });
  });

  test('that is published after its index was asked for is there a second later', async (t) => {
    const charts = repositories(t);
    const started = performance.now();
    await charts.fetch(redis(), never);
    const late = { ...redis('0.1.0'), name: 'late' };
    await assert.rejects(charts.fetch(late, never), { reason: 'ChartNotFound' });
    await published.publish({ 'Chart.yaml': 'apiVersion: v2\nname: late\nversion: 0.1.0\n' });
    await eventually(() => charts.fetch(late, never), { within: 5_000 });
    const seconds = (performance.now() - started) / 1_000;
    assert.ok(published.count('index.yaml') <= 1 + seconds, 'an index that lacks it is asked for no oftener');
  });

  test('S9: of one of several builds of a version is that one, and no other stands for it', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    const builds = ['1.0.0+b2', '1.0.0+b1'];
    for (const version of builds)
      await published.publish({ 'Chart.yaml': `apiVersion: v2\nname: queue\nversion: ${version}\n` });
    const queue = (version: string) => ({ ...redis(version), name: 'queue' });
    for (const version of builds) {
      const packed = await readFile(join(published.directory, `queue-${version}.tgz`));
      assert.deepEqual((await charts.fetch(queue(version), never)).data, packed, version);
    }
    for (const other of ['1.0.0+b3', '1.0.0'])
      await assert.rejects(charts.fetch(queue(other), never), {
        reason: 'ChartNotFound',
        message: /It has 1\.0\.0\+b[12], 1\.0\.0\+b[12]\./,
      });
    assert.equal(published.count('queue-1.0.0.tgz'), 0);
    assert.deepEqual(
      (await charts.fetch(redis('v1.0.0'), never)).digest,
      (await charts.fetch(redis(), never)).digest,
    );
  });

  test('is found for a range, the highest that there is when it is asked for', async (t) => {
    const charts = repositories(t);
    const range = (version: string, more = {}) => charts.resolve({ ...redis(version), ...more }, never);
    assert.equal(await range('^1.0.0'), '1.1.0');
    assert.equal(await range('~1.0.0'), '1.0.0');
    assert.equal(published.count('.tgz'), 0);
    const reason = 'ChartNotFound';
    await assert.rejects(range('^2.0.0'), {
      reason,
      message: /has no version \^2\.0\.0 of chart redis\. It has 1\.1\.0, 1\.0\.0\./,
    });
    await assert.rejects(range('^1.0.0', { name: 'rediss' }), { reason, message: /It has redis\./ });
    await assert.rejects(range('^1.0.0', { name: '../redis' }), { reason });
  });

  test('S9: whose bytes are others than the index says is refused with both digests, and nothing of it stays', async (t) => {
    const charts = repositories(t);
    published.intercept = (request, response) => {
      if (!request.url?.endsWith('.tgz')) return false;
      response.end('another chart');
      return true;
    };
    const other = createHash('sha256').update('another chart').digest('hex');
    await assert.rejects(charts.fetch(redis(), never), {
      reason: 'ChartDigestMismatch',
      message: new RegExp(`has the digest sha256:${other}, and its index\\.yaml says sha256:[0-9a-f]{64}`),
    });
    published.intercept = undefined;
    assert.ok((await charts.fetch(redis(), never)).data.length > 0);
  });

  test('S9: is read no further than its limit, with a length in its head or without', async (t) => {
    const charts = repositories(t, { limits: { archiveBytes: 1_000, indexBytes: 100_000 } });
    let sent = 0;
    const endless = (ending: string, head: Record<string, number>) => {
      published.intercept = (request, response) => {
        if (!request.url?.endsWith(ending)) return false;
        response.writeHead(200, head);
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(1_000))) sent += 1_000;
        };
        response.on('drain', more);
        more();
        return true;
      };
    };
    const reason = 'ChartTooLarge';
    endless('.tgz', {});
    await assert.rejects(charts.fetch(redis(), never), {
      reason,
      message: /redis 1\.0\.0 .* more than 1000 bytes/,
    });
    endless('.tgz', { 'content-length': 2 ** 40 });
    await assert.rejects(charts.fetch(redis(), never), { reason });
    endless('index.yaml', {});
    await assert.rejects(repositories(t, { limits: { indexBytes: 1_000 } }).fetch(redis(), never), {
      reason,
      message: /^index\.yaml of https:.* more than 1000 bytes/,
    });
    assert.ok(sent < 2 ** 25, `${sent} bytes were sent`);
  });

  test('S11: a repository, an archive and a redirect lead to no address that Git servers may not have', async (t) => {
    const strict = repositories(t, { allowLoopback: false });
    await assert.rejects(strict.fetch(redis(), never), { reason: 'AddressRefused' });
    assert.equal(published.requests.length, 0);
    const charts = repositories(t);
    const to = (location: string) => {
      published.intercept = (_request, response) => {
        response.writeHead(302, { location }).end();
        return true;
      };
    };
    to('https://169.254.169.254/latest');
    await assert.rejects(charts.fetch(redis(), never), { reason: 'AddressRefused' });
    to('http://charts.example.com/index.yaml');
    await assert.rejects(charts.fetch(redis(), never), {
      reason: 'ChartRepositoryInvalid',
      message: /leads to http:\/\/….* only https/,
    });
    to('/again');
    await assert.rejects(charts.fetch(redis(), never), { reason: 'RedirectRefused' });
    await assert.rejects(
      charts.fetch({ ...redis(), repository: 'https://user:secret@charts.example.com' }, never),
      {
        reason: 'ChartRepositoryInvalid',
        message: /^(?!.*secret)/,
      },
    );
  });

  test('is fetched through the proxy of the environment, which is told where it is in the way', async (t) => {
    const tunnel = await startConnectProxy(Number(new URL(published.url).port));
    t.after(() => tunnel.stop());
    const charts = repositories(t, { proxies: () => tunnel.url });
    tunnel.refuse = 403;
    await assert.rejects(charts.fetch(redis(), never), {
      reason: 'ProxyRefused',
      message: /^The chart repository at 127\.0\.0\.1:\d+ is not reached: the proxy .* answers 403/,
    });
    tunnel.refuse = undefined;
    assert.ok((await charts.fetch(redis(), never)).data.length > 0);
    assert.ok(tunnel.asked.every((each) => each === new URL(published.url).host));
    assert.ok(published.requests.length > 0);
    const strict = repositories(t, { proxies: () => tunnel.url, allowLoopback: false });
    await assert.rejects(strict.fetch(redis(), never), { reason: 'AddressRefused' });
    await assert.rejects(strict.fetch({ ...redis(), repository: 'https://localhost/charts' }, never), {
      reason: 'AddressRefused',
    });
  });

  test('is fetched through redirects, as storage behind a repository answers', async (t) => {
    published.intercept = (request, response) => {
      if (request.url?.startsWith('/charts/moved/') || !request.url?.endsWith('.tgz')) {
        request.url = request.url?.replace('/moved/', '/');
        return false;
      }
      response.writeHead(307, { location: request.url.replace('/charts/', '/charts/moved/') }).end();
      return true;
    };
    assert.ok((await repositories(t).fetch(redis(), never)).data.length > 0);
  });

  test('A4: a repository that hangs keeps nobody longer than they want to wait, and its end is told', async (t) => {
    published.intercept = () => true;
    const charts = repositories(t, { timeouts: { totalMs: 1_000 } });
    const gone = AbortSignal.abort(new Error('no longer wanted'));
    await assert.rejects(charts.fetch(redis(), gone), /no longer wanted/);
    const impatient = AbortSignal.timeout(50);
    await assert.rejects(charts.fetch(redis(), impatient), { name: 'TimeoutError' });
    await assert.rejects(charts.fetch(redis(), never), { reason: 'Timeout', remedy: 'Time' });
    published.intercept = undefined;
    assert.ok((await charts.fetch(redis(), never)).data.length > 0);
  });

  test('A4: comes to who asks again though its server takes longer than anybody waits', async (t) => {
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const packed = await readFile(join(published.directory, 'redis-1.0.0.tgz'));
    published.intercept = ({ url = '' }, response) => {
      if (!url.endsWith('.tgz')) return false;
      asked.resolve();
      void answer.promise.then(() => response.end(packed));
      return true;
    };
    const charts = repositories(t, { recentMs: 0 });
    const patience = new AbortController();
    const first = charts.fetch(redis(), patience.signal);
    await asked.promise;
    const second = charts.fetch(redis(), never);
    patience.abort(new Error('waited for long enough'));
    await assert.rejects(first, /waited for long enough/);
    answer.resolve();
    assert.deepEqual((await second).data, packed);
    published.intercept = () => assert.fail('it is asked again');
    assert.deepEqual((await charts.fetch(redis(), never)).data, packed);
  });

  test('has what its publisher signed as soon as that is there, though it came too late to be told that there is none', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    const { digest } = await charts.fetch(redis(), never);
    const wanted = { ...redis(), digest };
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let signed: string | undefined;
    published.intercept = ({ url = '' }, response) => {
      if (!url.endsWith('.prov')) return false;
      asked.resolve();
      void answer.promise.then(() => response.writeHead(signed === undefined ? 404 : 200).end(signed));
      return true;
    };
    const patience = new AbortController();
    const first = charts.provenance(wanted, patience.signal);
    await asked.promise;
    const second = charts.provenance(wanted, never);
    patience.abort(new Error('waited for long enough'));
    await assert.rejects(first, /waited for long enough/);
    answer.resolve();
    assert.equal(await second, undefined);
    signed = 'what was signed';
    assert.equal(Buffer.from((await charts.provenance(wanted, never))?.text ?? '').toString(), signed);
  });

  test('S4: is asked for with a credential, which goes to its own host only', async (t) => {
    const storage = await startChartRepository(published.certificate);
    t.after(() => storage.stop());
    const archive = 'redis-1.0.0.tgz';
    await copyFile(join(published.directory, archive), join(storage.directory, archive));
    const asked: (string | undefined)[][] = [];
    storage.intercept = ({ headers }) => {
      asked.push(['another', headers.authorization]);
      return false;
    };
    published.intercept = ({ headers, url = '' }, response) => {
      asked.push(['its own', headers.authorization]);
      if (headers.authorization === undefined) response.writeHead(401).end();
      else if (url.endsWith('.tgz')) response.writeHead(302, { location: `${storage.url}/${archive}` }).end();
      else return false;
      return true;
    };
    for (const [credential, expected] of [
      [{ username: 'me', password: 'pw' }, `Basic ${Buffer.from('me:pw').toString('base64')}`],
      [{ bearerToken: 'token' }, 'Bearer token'],
    ] as const) {
      assert.ok((await repositories(t).fetch(redis(), never, credential)).data.length > 0);
      assert.deepEqual(asked.splice(0), [
        ['its own', expected],
        ['its own', expected],
        ['another', undefined],
      ]);
    }
    await assert.rejects(repositories(t).fetch(redis(), never), {
      reason: 'AuthenticationFailed',
      message: /answers 401 for index\.yaml .* Name a Secret with one in spec\.helm\.registries/,
    });
    storage.intercept = (_request, response) => {
      response.writeHead(403).end();
      return true;
    };
    await assert.rejects(repositories(t).fetch(redis(), never, { bearerToken: 'token' }), {
      reason: 'AuthenticationFailed',
      message:
        /answers 403 for the archive .*, to where 127.* redirects, and where no credential of that goes/,
    });
  });

  test('is believed by the authority of its own Secret', async (t) => {
    const own = await startChartRepository();
    t.after(() => own.stop());
    await copyFile(join(published.directory, 'redis-1.0.0.tgz'), join(own.directory, 'redis-1.0.0.tgz'));
    await copyFile(join(published.directory, 'index.yaml'), join(own.directory, 'index.yaml'));
    const wanted = { ...redis(), repository: own.url };
    const caCert = await readFile(own.caFile, 'utf8');
    await assert.rejects(repositories(t).fetch(wanted, never), {
      reason: 'CertificateUnknown',
      message: /put that into "ca\.crt" of the Secret that spec\.helm\.registries names for it/,
    });
    assert.ok((await repositories(t).fetch(wanted, never, { caCert })).data.length > 0);
  });

  test('D14: what one credential may read is handed out to no other, nor without one', async (t) => {
    const good = { username: 'me', password: 'good' };
    const basic = `Basic ${Buffer.from('me:good').toString('base64')}`;
    const charts = repositories(t);
    const { digest } = await charts
      .fetch(redis('1.1.0'), never)
      .then(() => charts.fetch(redis(), never, good));
    await charts.stop();
    const closed = repositories(t);
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    published.intercept = ({ headers, url = '' }, response) => {
      // A repository of somebody who knows the digest, and does not have the archive.
      if (url === '/own/index.yaml') response.end(index);
      else if (url.startsWith('/own/')) response.writeHead(404).end();
      else if (headers.authorization !== basic) response.writeHead(401).end();
      else return false;
      return true;
    };
    assert.equal((await closed.fetch(redis(), never, good)).digest, digest);
    for (const credential of [undefined, { ...good, password: 'bad' }, { bearerToken: 'good' }])
      await assert.rejects(closed.fetch(redis(), never, credential), { reason: 'AuthenticationFailed' });
    await assert.rejects(closed.resolve({ ...redis(), version: '^1.0.0' }, never), {
      reason: 'AuthenticationFailed',
    });
    const own = { ...redis(), repository: published.url.replace('/charts', '/own') };
    await assert.rejects(closed.fetch(own, never), { reason: 'ChartNotFound' });
    assert.equal((await closed.fetch(redis(), never, { ...good })).digest, digest);
    assert.equal(published.count('/charts/redis-1.0.0.tgz'), 2, 'once for who may read it');
  });

  test('an index without digests is refused', async (t) => {
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    published.intercept = (request, response) => {
      if (!request.url?.endsWith('index.yaml')) return false;
      response.end(index.replaceAll(/^ +digest: .*\n/gm, ''));
      return true;
    };
    await assert.rejects(repositories(t).fetch(redis(), never), {
      reason: 'ChartIndexInvalid',
      message: /has no SHA-256 digest/,
    });
  });

  test('that the index had wrong comes once the index is corrected', async (t) => {
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    for (const [wrong, reason] of [
      [index.replaceAll(/digest: .*/g, `digest: ${'ab'.repeat(32)}`), 'ChartDigestMismatch'],
      [index.replaceAll(/redis-/g, 'moved/redis-'), 'ChartNotFound'],
    ] as const) {
      let isWrong = true;
      published.intercept = (request, response) => {
        if (!isWrong || !request.url?.endsWith('index.yaml')) return false;
        response.end(wrong);
        return true;
      };
      const charts = repositories(t, { recentMs: 0 });
      await assert.rejects(charts.fetch(redis(), never), { reason });
      isWrong = false;
      assert.ok((await charts.fetch(redis(), never)).data.length > 0);
    }
  });

  test('S9: that was handed out stays what it was, also where the index has another digest by now', async (t) => {
    const charts = repositories(t, { recentMs: 0, limits: { cacheBytes: 1 } });
    const { digest } = await charts.fetch(redis(), never);
    await charts.fetch(redis('1.1.0'), never);
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    const other = 'ab'.repeat(32);
    published.intercept = (request, response) => {
      if (!request.url?.endsWith('index.yaml')) return false;
      response.end(index.replaceAll(digest, other));
      return true;
    };
    await assert.rejects(charts.fetch(redis(), never), {
      reason: 'ChartReplaced',
      message: new RegExp(
        `sha256:${other} for chart redis 1\\.0\\.0, under which sha256:${digest} was fetched`,
      ),
    });
  });

  test('S9: that was replaced is refused for who used it before, and comes again once it is put back', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    const packed = await readFile(join(published.directory, 'redis-1.0.0.tgz'));
    const digest = createHash('sha256').update(packed).digest('hex');
    const other = createHash('sha256').update('another chart').digest('hex');
    published.intercept = ({ url = '' }, response) => {
      response.end(url.endsWith('.tgz') ? 'another chart' : index.replaceAll(digest, other));
      return true;
    };
    const pinned = { ...redis(), digest };
    const refused = {
      reason: 'ChartReplaced',
      message: new RegExp(`^Chart redis 1\\.0\\.0 .* sha256:${other}, and had sha256:${digest} .* before`),
    };
    await assert.rejects(charts.fetch(pinned, never), refused);
    assert.equal(published.count('.tgz'), 0);
    // Who never used it cannot know; that does not take it from who did.
    assert.equal((await charts.fetch(redis(), never)).digest, other);
    await assert.rejects(charts.fetch(pinned, never), refused);
    published.intercept = undefined;
    assert.deepEqual((await charts.fetch(pinned, never)).data, packed);
    assert.equal((await charts.fetch(redis(), never)).digest, digest);
    assert.equal((await charts.fetch({ ...redis(), digest: other }, never)).digest, other);
    assert.equal((await charts.fetch(pinned, never)).digest, digest);
  });

  test('S9: that was replaced is refused for who never used it as well, though what it was is kept', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    const { digest } = await charts.fetch(redis(), never);
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    const other = createHash('sha256').update('another chart').digest('hex');
    published.intercept = ({ url = '' }, response) => {
      response.end(url.endsWith('.tgz') ? 'another chart' : index.replaceAll(digest, other));
      return true;
    };
    await assert.rejects(charts.fetch(redis(), never), {
      reason: 'ChartReplaced',
      message: new RegExp(
        `sha256:${other} for chart redis 1\\.0\\.0, under which sha256:${digest} was fetched before`,
      ),
    });
    assert.equal((await charts.fetch({ ...redis(), digest }, never)).digest, digest);
    published.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    await assert.rejects(charts.fetch(redis(), never), { reason: 'ServerError', remedy: 'Time' });
    assert.equal((await charts.fetch({ ...redis(), digest }, never)).digest, digest);
  });

  test('is looked up once in each index, however many want it one after the other', async (t) => {
    const { charts, lookups } = counting(t);
    for (let times = 0; times < 10; times++) await charts.fetch(redis(), never);
    assert.equal(lookups(), 1);
    assert.equal(published.count('.tgz'), 1);
    await published.publish({ 'Chart.yaml': 'apiVersion: v2\nname: another\nversion: 1.0.0\n' });
    await charts.fetch(redis(), never);
    assert.equal(lookups(), 2);
  });

  test('that is not there is looked up once in each index, however often it is asked for', async (t) => {
    const { charts, lookups } = counting(t);
    const missing = redis('3.0.0');
    const told = { reason: 'ChartNotFound', message: /no version 3\.0\.0 of chart redis\. It has 1\.0\.0/ };
    for (let times = 0; times < 5; times++) await assert.rejects(charts.fetch(missing, never), told);
    const unknown = { ...redis('3.0.0'), name: 'rediss' };
    for (let times = 0; times < 5; times++)
      await assert.rejects(charts.fetch(unknown, never), { message: /no chart rediss\. It has redis/ });
    // Where nothing is cut out of the index, no engine is asked either.
    assert.equal(lookups(), 1);
    await published.publish({ 'Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 3.0.0\n' });
    assert.equal((await charts.fetch(missing, never)).version, '3.0.0');
    assert.equal(lookups(), 2);
  });

  test('A8: whose repository has a fault of its own is asked for once in a while, however often it is wanted', async (t) => {
    const charts = repositories(t, { recentMs: 0, timeouts: { busyMs: scaled(500) } });
    published.intercept = (_request, response) => {
      response.writeHead(503).end();
      return true;
    };
    for (let times = 0; times < 10; times++)
      await assert.rejects(charts.fetch(redis(), never), { reason: 'ServerError', remedy: 'Time' });
    assert.equal(published.requests.length, 1);
    published.intercept = undefined;
    await eventually(() => charts.fetch(redis(), never), { describe: 'it to be asked for again' });
  });

  test('goes from the disk where the bound is reached, and comes again', async (t) => {
    const charts = repositories(t, { limits: { cacheBytes: 1 } });
    await charts.fetch(redis('1.0.0'), never);
    await charts.fetch(redis('1.1.0'), never);
    await charts.fetch(redis('1.0.0'), never);
    assert.equal(published.count('redis-1.0.0.tgz'), 2);
  });
});
