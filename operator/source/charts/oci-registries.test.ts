import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { longestTurn } from '../../../test/harness/event-loop.ts';
import { type OciRegistry, startOciRegistry } from '../../../test/harness/oci-registry.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { selfSigned } from '../../../test/harness/self-signed.ts';
import { newSigningKey } from '../../../test/harness/signing-key.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { Authorities } from '../transport/authorities.ts';
import { ChartRepositories, type ChartRepositoriesOptions } from './chart-repositories.ts';
import { ChartVersions } from './chart-versions.ts';
import { HttpsFiles } from './https-files.ts';
import { defaultChartLimits, defaultChartTimeouts } from './limits.ts';
import { OciRegistries } from './oci-registries.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;
let published: OciRegistry;

before(async () => {
  published = await startOciRegistry();
  // As --ca-file does, for this process.
  new Authorities({ path: published.caFile, onChange: () => undefined, onFault: assert.fail });
  for (const version of ['1.0.0', '1.1.0', '1.1.0+build.7']) await published.publish(redis(version));
  await published.publish(redis('1.0.0'), published.privateUrl);
});
after(() => published.stop());
beforeEach(() => {
  published.intercept = undefined;
  published.realm = `https://${published.host}/token`;
  published.requests.length = 0;
});

function redis(version: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n`,
    'templates/a.yaml': `kind: ${version}`,
  };
}

function repositories(t: TestContext, options: Partial<ChartRepositoriesOptions> = {}): ChartRepositories {
  const charts = new ChartRepositories({ allowLoopback: true, locate: () => assert.fail(), ...options });
  t.after(() => charts.stop());
  return charts;
}

const wanted = (version = '1.0.0') => ({ name: 'redis', version, repository: published.url });
const isFor = ({ url = '' }: IncomingMessage, part: string) => url.includes(part);

describe('a chart of a registry', () => {
  test('is what helm pushed, fetched once however many want it', async (t) => {
    const charts = repositories(t);
    const all = await Promise.all(Array.from({ length: 100 }, () => charts.fetch(wanted(), never)));
    all.push(await charts.fetch({ ...wanted(), repository: `${published.url}/` }, never));
    const [first] = all;
    for (const { data, digest } of all) {
      assert.equal(digest, createHash('sha256').update(data).digest('hex'));
      assert.equal(digest, first?.digest);
    }
    assert.equal(published.count('/blobs/'), 1);
    assert.ok((await charts.fetch(wanted('1.1.0+build.7'), never)).data.length > 0);
  });

  test('that is not there is told with what is', async (t) => {
    const charts = repositories(t);
    const reason = 'ChartNotFound';
    await assert.rejects(charts.fetch(wanted('1.0.1'), never), {
      reason,
      message: /has no version 1\.0\.1 of chart redis\. It has 1\.0\.0, 1\.1\.0/,
    });
    await assert.rejects(charts.fetch({ ...wanted(), name: 'rediss' }, never), {
      reason,
      message: /has no chart rediss\. Publish it there/,
    });
  });

  test('S4: is refused where not everybody may read it, and it is not told apart from one that is not there', async (t) => {
    const charts = repositories(t);
    for (const name of ['redis', 'nothing'])
      await assert.rejects(charts.fetch({ ...wanted(), name, repository: published.privateUrl }, never), {
        reason: 'AuthenticationFailed',
        message: new RegExp(
          `^The manifest of chart ${name} .* is refused by the registry 127.* \\(401\\): there is no such`,
        ),
      });
  });

  test('S4, D14: that not everybody may read is fetched with the credential of who may, and handed out to no other', async (t) => {
    const charts = repositories(t);
    const closed = { ...wanted(), repository: published.privateUrl };
    const { credential } = published;
    assert.ok((await charts.fetch(closed, never, credential)).data.length > 0);
    const basic = `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
    const given = published.requests.filter(({ authorization }) => authorization === basic);
    assert.deepEqual(
      given.map(({ path }) => path.split('?')[0]),
      ['/token'],
    );
    for (const other of [undefined, { ...credential, password: 'wrong' }])
      await assert.rejects(charts.fetch(closed, never, other), {
        reason: 'AuthenticationFailed',
        message: /^(?!.*wrong).*spec\.helm\.registries/,
      });
    const seen = published.requests.length;
    published.realm = 'https://tokens.example.com/token';
    await assert.rejects(repositories(t).fetch(closed, never, credential), {
      reason: 'AuthenticationFailed',
      message: /wants its credential sent to tokens\.example\.com, .*: nothing was sent/,
    });
    assert.ok(published.requests.slice(seen).every(({ authorization }) => authorization === undefined));
  });

  test('is found for a range, the highest of its tags', async (t) => {
    const charts = repositories(t, {
      locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    });
    assert.equal(await charts.resolve(wanted('~1.0.0'), never), '1.0.0');
    assert.match(await charts.resolve(wanted('^1.0.0'), never), /^1\.1\.0/);
    const reason = 'ChartNotFound';
    await assert.rejects(charts.resolve(wanted('^2.0.0'), never), { reason, message: /It has 1\.1\.0/ });
    await assert.rejects(charts.resolve({ ...wanted('^1.0.0'), name: 'rediss' }, never), { reason });
    const closed = { ...wanted('^1.0.0'), repository: published.privateUrl };
    assert.equal(await charts.resolve(closed, never, published.credential), '1.0.0');
    await assert.rejects(charts.resolve(closed, never), { reason: 'AuthenticationFailed' });
  });

  test('is found for a range of a dependency as helm dependency update finds it: by no tag with a "v" or leading zeros', async (t) => {
    const charts = repositories(t, {
      locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    });
    let tags = ['1.0.0', 'v1.2.0', '1.01.0', '1.1.0_build', '1.1', '01.9.0'];
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      response.end(JSON.stringify({ tags }));
      return true;
    };
    assert.equal(await charts.resolve(wanted('^1.0.0'), never), '1.1.0+build');
    tags = ['v1.2.0'];
    await assert.rejects(charts.resolve(wanted('^1.0.0'), never), {
      reason: 'ChartNotFound',
      message:
        /has no version \^1\.0\.0 of chart redis\. It has v1\.2\.0\. A tag with a "v" .* is in no range/,
    });
    // spec.helm.chart, whose versions may be published with a "v", is followed so.
    const listing = await charts.list(wanted(), never);
    assert.equal(await listing.highest(wanted('^1.0.0')), 'v1.2.0');
  });

  test('of a version that no status can name is passed over by a range of a spec, and not by one of a dependency', async (t) => {
    const charts = repositories(t, {
      locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    });
    const build = 'b'.repeat(40);
    let tags = ['1.0.0', `1.1.0_${build}`];
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      response.end(JSON.stringify({ tags }));
      return true;
    };
    const range = wanted('^1.0.0');
    const highest = async () => (await charts.list(wanted(), never)).highest(range);
    assert.equal(await highest(), '1.0.0');
    assert.equal(await charts.resolve(range, never), `1.1.0+${build}`);
    tags = tags.slice(1);
    await assert.rejects(highest(), {
      reason: 'ChartNotFound',
      message: /It has 1\.1\.0\+b+\. A version of more than 40 characters, or without a dot, is in no range/,
    });
  });

  test('A4: is found for a range though its registry takes longer to list than anybody waits', async (t) => {
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const charts = repositories(t, {
      locate: async () => ({ version: '1.1.0', url: '-', digest: '', versions: [] }),
    });
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      asked.resolve();
      void answer.promise.then(() => response.end('{"tags":["1.0.0","1.1.0"]}'));
      return true;
    };
    const patience = new AbortController();
    const first = charts.resolve(wanted('^1.0.0'), patience.signal);
    await asked.promise;
    const second = charts.resolve(wanted('^1.0.0'), never);
    patience.abort(new Error('waited for long enough'));
    await assert.rejects(first, /waited for long enough/);
    answer.resolve();
    assert.equal(await second, '1.1.0');
    published.intercept = () => assert.fail('it is asked again');
    assert.equal(await charts.resolve(wanted('^1.0.0'), never), '1.1.0');
  });

  test('is followed by one list for all of its ranges, and another chart by one of its own', async (t) => {
    await published.publish({ 'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 0.3.0\n' });
    published.requests.length = 0;
    const charts = repositories(t, {
      locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    });
    const versions = new ChartVersions({ charts });
    t.after(() => versions.stop());
    const follow = (subscriber: string, name: string, version: string) =>
      versions.watch(subscriber, { repoURL: published.url, name, version }, 3_600_000, () => undefined);
    const watched = Array.from({ length: 200 }, (_, at) =>
      follow(`app-${at}`, 'redis', at % 2 === 0 ? '~1.0.0' : '^1.0.0'),
    );
    watched.push(follow('web', 'web', '*'));
    const found = await Promise.all(watched.map((each) => each.resolve(never)));
    assert.equal(found[0], '1.0.0');
    assert.match(found[1] ?? '', /^1\.1\.0/);
    assert.equal(found.at(-1), '0.3.0');
    const lists = () => published.requests.filter(({ path }) => path.includes('/tags/list'));
    // Each is refused once, until it has a token.
    const granted = () => lists().filter(({ authorization }) => authorization !== undefined).length;
    assert.equal(granted(), 2);
    await Promise.all(watched.map((each) => each.poll(never)));
    assert.equal(granted(), 4);
  });

  test('has what its publisher signed in a layer of its own', async (t) => {
    const key = await newSigningKey('Publisher');
    const files = { 'Chart.yaml': 'apiVersion: v2\nname: signed\nversion: 1.0.0+build.7\n' };
    await published.publish(files, published.privateUrl, key);
    const charts = repositories(t);
    const chart = { name: 'signed', version: '1.0.0+build.7', repository: published.privateUrl };
    const { credential } = published;
    const archive = await charts.fetch(chart, never, credential);
    const signed = await charts.provenance({ ...chart, digest: archive.digest }, never, credential);
    assert.ok(signed);
    const { text: provenance, files: names } = signed;
    assert.deepEqual(names, ['signed-1.0.0+build.7.tgz']);
    const keyring = key.public;
    const asked = { ...chart, files: names, archive: archive.data, provenance, keyring };
    assert.equal((await engine.renderer.verify(asked, never)).fingerprint, key.fingerprint);
    const { digest } = await charts.fetch(wanted(), never);
    assert.equal(await charts.provenance({ ...wanted(), digest }, never), undefined);
    await assert.rejects(charts.provenance({ ...chart, digest: archive.digest }, never), {
      reason: 'AuthenticationFailed',
    });
  });

  test('S9: whose bytes or size are others than its manifest says is refused with both, and nothing of it stays', async (t) => {
    const charts = repositories(t);
    const reason = 'ChartDigestMismatch';
    const { digest, data } = await repositories(t).fetch(wanted(), never);
    const lies: [part: string, body: string, message: RegExp][] = [
      [
        '/blobs/',
        'x'.repeat(data.length),
        new RegExp(`sha256:[0-9a-f]{64}, and its manifest says sha256:${digest}`),
      ],
      [
        '/blobs/',
        'x'.repeat(data.length + 1),
        new RegExp(`more than ${data.length} bytes, and its manifest says`),
      ],
      ['/blobs/', 'x', new RegExp(`has 1 bytes, and its manifest says ${data.length}`)],
    ];
    for (const [part, body, message] of lies) {
      published.intercept = (request, response) => {
        if (!isFor(request, part)) return false;
        response.end(body);
        return true;
      };
      await assert.rejects(charts.fetch(wanted(), never), { reason, message });
    }
    published.intercept = (request, response) => {
      if (!isFor(request, '/manifests/')) return false;
      response.writeHead(200, { 'docker-content-digest': `sha256:${'ab'.repeat(32)}` }).end('{}');
      return true;
    };
    await assert.rejects(charts.fetch(wanted(), never), {
      reason,
      message: /and the registry says sha256:abab/,
    });
    published.intercept = undefined;
    assert.ok((await charts.fetch(wanted(), never)).data.length > 0);
  });

  test('is refused where what stands there is no chart', async (t) => {
    const charts = repositories(t);
    const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: 'sha256:', size: 2 };
    const helm = { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' };
    const layer = {
      mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
      digest: 'sha512:ab',
      size: 2,
    };
    const large = { ...layer, digest: `sha256:${'ab'.repeat(32)}`, size: 2 ** 40 };
    for (const [manifest, reason, message] of [
      ['no JSON', 'ChartIndexInvalid', /no image manifest/],
      [JSON.stringify({ manifests: [] }), 'ChartIndexInvalid', /no image manifest/],
      [
        JSON.stringify({ config, layers: [layer] }),
        'ChartArchiveInvalid',
        /of no Helm chart, but of .*oci\.image/,
      ],
      [JSON.stringify({ config: helm, layers: [layer] }), 'ChartIndexInvalid', /no SHA-256 digest/],
      [
        JSON.stringify({ config: helm, layers: [large] }),
        'ChartTooLarge',
        /1048576 MiB, and no more than 16 MiB/,
      ],
    ] as const) {
      published.intercept = (request, response) => {
        if (!isFor(request, '/manifests/')) return false;
        response.end(manifest);
        return true;
      };
      await assert.rejects(charts.fetch(wanted(), never), { reason, message });
    }
  });

  test('S4: is fetched from where the registry redirects to, and no token goes there', async (t) => {
    const { data } = await repositories(t).fetch(wanted(), never);
    const given: (string | undefined)[] = [];
    const storage = createServer(published.tls, (request, response) => {
      given.push(request.headers.authorization);
      response.end(data);
    });
    t.after(() => storage.close());
    await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve));
    const { port } = storage.address() as AddressInfo;
    published.intercept = (request, response) => {
      if (!isFor(request, '/blobs/')) return false;
      response.writeHead(307, { location: `https://127.0.0.1:${port}/blob` }).end();
      return true;
    };
    assert.deepEqual((await repositories(t).fetch(wanted(), never)).data, data);
    const { authorization } = published.requests.find(({ path }) => path.includes('/blobs/')) ?? {};
    assert.match(authorization ?? '', /^Bearer /);
    assert.deepEqual(given, [undefined]);
  });

  test('S11: its registry, realm and storage are at no address that Git servers may not have', async (t) => {
    const strict = repositories(t, { allowLoopback: false });
    await assert.rejects(strict.fetch(wanted(), never), { reason: 'AddressRefused' });
    assert.equal(published.requests.length, 0);
    const charts = repositories(t);
    published.realm = 'https://169.254.169.254/token';
    await assert.rejects(charts.fetch(wanted(), never), { reason: 'AddressRefused' });
    published.realm = `http://${published.host}/token`;
    await assert.rejects(charts.fetch(wanted(), never), {
      reason: 'ChartRepositoryInvalid',
      message: /The token realm of the registry .* leads to http:/,
    });
  });

  test('that was fetched is asked for without a pull afterwards, and fetched anew where it is another one', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    const { digest } = await charts.fetch(wanted(), never);
    published.requests.length = 0;
    for (let times = 0; times < 3; times++)
      assert.equal((await charts.fetch(wanted(), never)).digest, digest);
    const asked = () =>
      new Set(published.requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`));
    const manifest = '/v2/public/redis/manifests/1.0.0';
    assert.deepEqual([...asked()], [`HEAD ${manifest}`, 'GET /token']);
    for (const status of [405, 404, 403, 500, 501]) {
      published.requests.length = 0;
      published.intercept = ({ method }, response) => {
        if (method === 'HEAD') response.writeHead(status).end();
        return method === 'HEAD';
      };
      assert.equal((await charts.fetch(wanted(), never)).digest, digest, `HEAD is answered with ${status}`);
      assert.ok(asked().has(`GET ${manifest}`));
    }
    published.intercept = (request) => {
      request.url = request.url?.replace('/manifests/1.0.0', '/manifests/1.1.0');
      return false;
    };
    await assert.rejects(charts.fetch(wanted(), never), { reason: 'ChartReplaced' });
  });

  test('A8: a registry that is asked too often is left alone for as long as it says, and by all who want the same', async (t) => {
    const charts = repositories(t, { recentMs: 0 });
    const { digest } = await charts.fetch(wanted(), never);
    published.intercept = (request, response) => {
      if (!isFor(request, '/manifests/')) return false;
      response.writeHead(429, { 'retry-after': '3600' }).end();
      return true;
    };
    published.requests.length = 0;
    for (let times = 0; times < 10; times++)
      await assert.rejects(charts.fetch(wanted(), never), {
        reason: 'ServerError',
        remedy: 'Time',
        message:
          /answers 429 for the manifest of chart redis 1\.0\.0 .*: it is asked too often\. It is left alone for as long as it asks for, five minutes at most/,
      });
    assert.equal(published.count('/manifests/'), 1);
    assert.equal((await charts.fetch({ ...wanted(), digest }, never)).digest, digest, 'who has it goes on');
    await assert.rejects(charts.fetch(wanted('1.1.0'), never), { reason: 'ServerError' });
    assert.equal(published.count('/manifests/'), 2, 'another one is asked for by itself');
  });

  test('A4: a registry whose token service fails, or hangs, is told, and asked again', async (t) => {
    const charts = repositories(t, { timeouts: { totalMs: 500, busyMs: 0 } });
    for (const [reason, fail] of [
      ['ServerError', (response: ServerResponse) => response.writeHead(503).end()],
      ['Timeout', () => undefined],
      ['ConnectionLost', (response: ServerResponse) => response.destroy()],
    ] as const) {
      published.intercept = (request, response) => {
        if (!isFor(request, '/token')) return false;
        fail(response);
        return true;
      };
      await assert.rejects(charts.fetch(wanted(), never), { reason, remedy: 'Time' });
    }
    published.intercept = undefined;
    assert.ok((await charts.fetch(wanted(), never)).data.length > 0);
  });

  test('A15: of 50,000 versions that take long to compare holds up nobody', async (t) => {
    const long = Array.from({ length: 28 }, () => 'a.1').join('.');
    const perPage = 5_000;
    const pages = Array.from({ length: 10 }, (_, page) => {
      const tags = Array.from(
        { length: perPage },
        (_, index) => `1.0.0-${long}.${(page * perPage + index * 7_919) % 50_000}`,
      );
      return Buffer.from(JSON.stringify({ tags }));
    });
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      const page = Number(new URL(request.url ?? '', 'https://x').searchParams.get('page'));
      const link = `</v2/public/redis/tags/list?page=${page + 1}>; rel="next"`;
      response.writeHead(200, page + 1 < pages.length ? { link } : {}).end(pages[page]);
      return true;
    };
    let bytes = 0;
    const charts = repositories(t, {
      locate: async (_chart, index) => {
        bytes = index.length;
        return { version: '', url: '', digest: '', versions: [] };
      },
    });
    const reason = 'ChartNotFound';
    const longest = await longestTurn(t, async () => {
      await assert.rejects(charts.resolve(wanted('^2.0.0'), never), { reason });
      await assert.rejects(charts.fetch(wanted('2.0.0'), never), { reason });
    });
    assert.ok(bytes > 50_000 * long.length, `${bytes} bytes`);
    assert.ok(longest < scaled(100), `${longest} ms`);
  });

  test('S9: that was handed out stays what it was, also where its tag is another chart by now', async (t) => {
    const charts = repositories(t, { limits: { cacheBytes: 1 } });
    const { digest } = await charts.fetch(wanted(), never);
    await charts.fetch(wanted('1.1.0'), never);
    published.intercept = (request) => {
      request.url = request.url?.replace('/manifests/1.0.0', '/manifests/1.1.0');
      return false;
    };
    await assert.rejects(charts.fetch(wanted(), never), {
      message: new RegExp(
        `^The manifest of .* has the digest sha256:[0-9a-f]{64} for chart redis 1\\.0\\.0, under which sha256:${digest} was fetched`,
      ),
    });
  });

  test('S9: is what its tag is now for who never used it, and the registry is asked for that once in some seconds', async (t) => {
    const charts = repositories(t, { recentMs: 600_000 });
    const { digest } = await charts.fetch(wanted(), never);
    const asked = published.count('/manifests/');
    for (let times = 0; times < 100; times++) await charts.fetch(wanted(), never);
    assert.equal(published.count('/manifests/'), asked);
    const watchful = repositories(t, { recentMs: 0 });
    await watchful.fetch(wanted(), never);
    published.intercept = (request) => {
      request.url = request.url?.replace('/manifests/1.0.0', '/manifests/1.1.0');
      return false;
    };
    await assert.rejects(watchful.fetch(wanted(), never), {
      reason: 'ChartReplaced',
      message: new RegExp(`sha256:[0-9a-f]{64} for chart redis 1\\.0\\.0, under which sha256:${digest}`),
    });
    assert.equal((await watchful.fetch({ ...wanted(), digest }, never)).digest, digest);
  });
});

describe('a registry that wants to know who asks', () => {
  function registries(t: TestContext): OciRegistries {
    const https = new HttpsFiles({ allowLoopback: true, timeouts: defaultChartTimeouts });
    t.after(() => https.stop());
    return new OciRegistries(https, defaultChartLimits, new Slices());
  }
  /** A server whose certificate nobody trusts yet. */
  async function serve(t: TestContext, answer: RequestListener) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const cert = selfSigned(privateKey);
    const server = createServer({ key, cert, requestCert: true, rejectUnauthorized: false }, answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { cert, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const secret = () => ({ ...wanted(), repository: published.privateUrl });
  const basic = ({ username, password }: OciRegistry['credential']) =>
    `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

  test('S4: gives a chart for a credential, which goes to its realm and nowhere else', async (t) => {
    const { credential } = published;
    const found = await registries(t).find(secret(), never, credential);
    assert.ok(found !== undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of await found.open(never)) chunks.push(chunk);
    assert.equal(createHash('sha256').update(Buffer.concat(chunks)).digest('hex'), found.digest);
    for (const { path, authorization } of published.requests)
      assert.equal(authorization === basic(credential), path.startsWith('/token'), path);
    const wrong = { ...credential, password: 'wrong' };
    await assert.rejects(registries(t).find(secret(), never, wrong), {
      reason: 'AuthenticationFailed',
      message: /^(?!.*wrong).*its credential may not read it/,
    });
  });

  test('S4: gets no credential for a realm of others, and those who have none may ask there', async (t) => {
    const { credential } = published;
    published.realm = `https://localhost:${published.host.split(':')[1]}/token`;
    await assert.rejects(registries(t).find(secret(), never, credential), {
      reason: 'AuthenticationFailed',
      message: /wants its credential sent to localhost:\d+, which is neither .* nothing was sent/,
    });
    assert.equal(published.count('/token'), 0);
    assert.ok(published.requests.every(({ authorization }) => authorization === undefined));
    // Its certificate is not for that name: that it was asked is what counts.
    await assert.rejects(registries(t).find(wanted(), never), {
      reason: 'CertificateUnknown',
      message: /localhost/,
    });
  });

  test('S4: has the token service of its domain believed by the authority of its Secret, which gets no client certificate', async (t) => {
    const seen: unknown[] = [];
    const { cert, host } = await serve(t, ({ headers, socket }, response) => {
      seen.push([headers.authorization, socket instanceof TLSSocket && socket.getPeerCertificate()]);
      response.end('{"token":"given"}');
    });
    const realm = `https://${host}/token`;
    published.intercept = (request, response) => {
      if (request.headers.authorization === 'Bearer given') response.writeHead(404).end();
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
      return true;
    };
    const { credential, tls } = published;
    for (const given of [credential, { ...credential, caCert: tls.cert }])
      await assert.rejects(registries(t).find(secret(), never, given), {
        reason: 'CertificateUnknown',
        message:
          /put that into "ca\.crt" of the Secret that spec\.helm\.registries names for it, or .*--ca-file/,
      });
    const all = { ...credential, caCert: `${tls.cert}${cert}`, clientCert: tls.cert, clientKey: tls.key };
    assert.equal(await registries(t).find(secret(), never, all), undefined);
    assert.deepEqual(seen, [[basic(credential), {}]]);
  });

  test('has the token service of its domain believed by the authorities of --ca-file, too, where its Secret has one', async (t) => {
    const { cert, host } = await serve(t, ({ headers }, response) => {
      if (headers.authorization?.startsWith('Bearer ')) response.writeHead(404).end();
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${published.realm}"` }).end();
    });
    const { credential, tls } = published;
    const chart = { ...wanted(), repository: `oci://${host}/private` };
    const find = (caCert: string) => registries(t).find(chart, never, { ...credential, caCert });
    assert.equal(await find(cert), undefined);
    assert.deepEqual(
      published.requests.map(({ path, authorization }) => [path.split('?')[0], authorization]),
      [['/token', basic(credential)]],
    );
    await assert.rejects(find(tls.cert), {
      reason: 'CertificateUnknown',
      message: /^(?!.*--ca-file).*"ca\.crt" of the Secret .* names for it: what stands there counts alone/,
    });
  });

  test('S17: gets no credential for a realm that the list of its Secret lacks', async (t) => {
    const { credential, host } = published;
    const bound = { ...credential, hosts: host };
    published.realm = 'https://127.0.0.1:1/token';
    await assert.rejects(registries(t).find(secret(), never, bound), {
      reason: 'HostNotListed',
      message: /wants its credential sent to 127\.0\.0\.1:1, .* towpath\.dev\/hosts .* and nothing was sent/,
    });
    published.realm = `https://${host}/token`;
    assert.ok((await registries(t).find(secret(), never, bound)) !== undefined);
  });

  test('S4: is given a name and password, or a token, where it wants these themselves', async (t) => {
    const { credential } = published;
    const key = { username: '_json_key', password: '{\n  "type": "service_account"\n}' };
    for (const [challenge, given, expected] of [
      ['Basic realm="x"', credential, basic(credential)],
      ['Basic realm="x"', key, basic(key)],
      ['Bearer realm="https://169.254.169.254"', { bearerToken: 'abc' }, 'Bearer abc'],
    ] as const) {
      published.intercept = (request, response) => {
        if (request.headers.authorization === expected) response.writeHead(404).end();
        else response.writeHead(401, { 'www-authenticate': challenge }).end();
        return true;
      };
      assert.equal(await registries(t).find(secret(), never, given), undefined);
    }
  });

  test('lists all versions of a chart, and no other tags', async (t) => {
    const pages = [
      ['1.0.0', 'latest', '2.0.0_build'],
      ['1.10.0', 7],
      ['1.9.0-rc.1', '1.9.0'],
    ];
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      const at = Number(new URL(request.url ?? '', 'https://x').searchParams.get('last'));
      const more = at + 1 < pages.length ? { link: `</v2/x/tags/list?last=${at + 1}>; rel="next"` } : {};
      response.writeHead(200, more).end(JSON.stringify({ name: 'x', tags: pages[at] }));
      return true;
    };
    const versions = async (name: string) =>
      (await Array.fromAsync(registries(t).versions({ ...wanted(), name }, never))).flat();
    assert.deepEqual(await versions('redis'), ['1.0.0', '2.0.0+build', '1.10.0', '1.9.0-rc.1', '1.9.0']);
    await assert.rejects(repositories(t).fetch(wanted('3.0.0'), never), {
      reason: 'ChartNotFound',
      message: /It has 1\.0\.0, 1\.10\.0, 2\.0\.0\+build, 1\.9\.0, 1\.9\.0-rc\.1\./,
    });
    published.intercept = undefined;
    assert.deepEqual(await versions('redis'), ['1.0.0', '1.1.0', '1.1.0+build.7']);
    assert.deepEqual(await versions('rediss'), []);
  });

  test('has its list of versions to the end where its pages are named by http, or elsewhere, or says so', async (t) => {
    let origin = `http://${published.host}`;
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      const isLast = isFor(request, 'last=1');
      const link = `<${origin}/v2/public/redis/tags/list?last=1>; rel="next"`;
      response
        .writeHead(200, isLast ? {} : { link })
        .end(JSON.stringify({ tags: [isLast ? '2.0.0' : '1.0.0'] }));
      return true;
    };
    const versions = async () => (await Array.fromAsync(registries(t).versions(wanted(), never))).flat();
    assert.deepEqual(await versions(), ['1.0.0', '2.0.0']);
    origin = 'http://registry.internal:5000';
    await assert.rejects(versions(), {
      reason: 'ChartIndexInvalid',
      message:
        /^The list of versions of chart redis of oci:.* goes on at http:\/\/registry\.internal:5000\/v2\/public/,
    });
  });

  test('has its list of versions to the end, too, where it redirects to a page that names the next one from there', async (t) => {
    published.intercept = ({ url = '' }, response) => {
      if (url.startsWith('/v2/public/redis/tags/list'))
        response.writeHead(307, { location: '/cache/v2/redis/tags/list' }).end();
      else if (url === '/cache/v2/redis/tags/list')
        response.writeHead(200, { link: '<list2>; rel="next"' }).end('{"tags":["1.0.0"]}');
      else if (url === '/cache/v2/redis/tags/list2') response.end('{"tags":["2.0.0"]}');
      else response.writeHead(404).end();
      return true;
    };
    const pages = await Array.fromAsync(registries(t).versions(wanted(), never));
    assert.deepEqual(pages.flat(), ['1.0.0', '2.0.0']);
  });

  test('S9: whose list of versions never ends is asked no further', async (t) => {
    published.intercept = (request, response) => {
      if (!isFor(request, '/tags/list')) return false;
      response.writeHead(200, { link: '</v2/x/tags/list>; rel="next"' }).end('{"tags":["1.0.0"]}');
      return true;
    };
    await assert.rejects(Array.fromAsync(registries(t).versions(wanted(), never)), {
      reason: 'ChartTooLarge',
    });
    assert.equal(published.count('/tags/list'), 64);
  });
});
