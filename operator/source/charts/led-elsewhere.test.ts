import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { newChartRepositories } from '../../../test/harness/chart-repositories.ts';
import { type ChartRepository, startChartRepository } from '../../../test/harness/chart-repository.ts';
import { type OciRegistry, startOciRegistry } from '../../../test/harness/oci-registry.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { newSigningKey } from '../../../test/harness/signing-key.ts';
import { TowpathError } from '../../api/errors.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { Authorities } from '../transport/authorities.ts';
import type { ChartRepositoriesOptions } from './chart-repositories.ts';
import { asChartOfSpec } from './chart-words.ts';
import { HttpsFiles } from './https-files.ts';
import { defaultChartLimits, defaultChartTimeouts } from './limits.ts';
import { type OciArchive, OciRegistries } from './oci-registries.ts';
import type { CredentialFor } from './published.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;
const other = 'ab'.repeat(32);
let repository: ChartRepository;
let registry: OciRegistry;
/** Of version 1.0.0, which is signed. */
let pushed: OciArchive;

before(async () => {
  registry = await startOciRegistry();
  repository = await startChartRepository(registry.tls);
  // As --ca-file does, for this process.
  new Authorities({ path: registry.caFile, onChange: () => undefined, onFault: assert.fail });
  const redis = (version: string) => ({ 'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n` });
  const key = await newSigningKey('Publisher');
  for (const version of ['1.0.0', '1.1.0+build.7']) {
    await registry.publish(redis(version), registry.url, key);
    await registry.publish(redis(version), registry.privateUrl, key);
  }
  const https = new HttpsFiles({ allowLoopback: true, timeouts: defaultChartTimeouts });
  const registries = new OciRegistries(https, defaultChartLimits, new Slices());
  const found = await registries.find({ ...redisOf('1.0.0'), repository: registry.url }, never);
  assert.ok(found !== undefined);
  pushed = found;
  await https.stop();
});
after(() => Promise.all([repository.stop(), registry.stop()]));
beforeEach(() => {
  registry.intercept = undefined;
  repository.requests.length = 0;
  registry.requests.length = 0;
});

const charts = (t: TestContext, options: Partial<ChartRepositoriesOptions> = {}) =>
  newChartRepositories(t, engine, options);
const redisOf = (version = '1.0.0') => ({ name: 'redis', version, repository: repository.url });

/** What the Authorization headers were that the Helm repository was sent. */
let given: (string | undefined)[] = [];

/** Has the index name an archive of redis there. */
function indexHas(url: string, digest: string, version = '1.0.0'): void {
  given = [];
  repository.intercept = ({ headers, url: path = '' }, response) => {
    given.push(headers.authorization);
    if (!path.endsWith('/index.yaml')) return false;
    response.end(
      `apiVersion: v1\nentries:\n  redis:\n  - name: redis\n    version: ${version}\n    digest: ${digest}\n    urls:\n    - ${url}\n`,
    );
    return true;
  };
}

describe('a chart whose Helm repository has its archive in a registry', () => {
  test('is fetched from there, whichever digest the index has, and once however many want it', async (t) => {
    const at = `${registry.url}/redis`;
    for (const [url, digest] of [
      [`${at}:1.0.0`, pushed.digest],
      [`${at}:1.0.0`, `sha256:${pushed.manifestDigest}`],
      [at, pushed.digest],
      [`${at}@sha256:${pushed.manifestDigest}`, pushed.digest],
      [`${at}:1.0.0@sha256:${pushed.manifestDigest}`, pushed.manifestDigest],
    ] as const) {
      indexHas(url, digest);
      registry.requests.length = 0;
      const fetching = charts(t);
      const all = await Promise.all(Array.from({ length: 100 }, () => fetching.fetch(redisOf(), never)));
      all.push(await fetching.fetch(redisOf(), never));
      assert.ok(
        all.every((each) => each.digest === pushed.digest && each.data.length > 0),
        url,
      );
      assert.equal(registry.count('/blobs/'), 1, url);
      assert.equal(registry.count('/manifests/'), 2, 'once it is refused without a token');
    }
  });

  test('has the tag of a version with a plus sign as Helm writes it', async (t) => {
    const registries = charts(t);
    const { digest } = await registries.fetch(
      { ...redisOf('1.1.0+build.7'), repository: registry.url },
      never,
    );
    for (const tag of [':1.1.0+build.7', ':1.1.0_build.7', '']) {
      indexHas(`${registry.url}/redis${tag}`, digest, '1.1.0+build.7');
      assert.equal((await charts(t).fetch(redisOf('1.1.0+build.7'), never)).digest, digest);
    }
  });

  test('S9: is refused where the index has another digest than both, which are told', async (t) => {
    for (const url of [
      `${registry.url}/redis:1.0.0`,
      `${registry.url}/redis@sha256:${pushed.manifestDigest}`,
    ]) {
      indexHas(url, other);
      await assert.rejects(charts(t).fetch(redisOf(), never), {
        reason: 'ChartDigestMismatch',
        message: new RegExp(
          `sha256:${pushed.digest}, and its manifest sha256:${pushed.manifestDigest}; index\\.yaml of .* says sha256:${other}`,
        ),
      });
      assert.equal(registry.count('/blobs/'), 0);
    }
    indexHas(`${registry.url}/redis@sha256:${pushed.manifestDigest}`, pushed.digest);
    registry.intercept = (request) => {
      request.url = request.url?.replace(/sha256:[0-9a-f]{64}$/, '1.1.0_build.7');
      return false;
    };
    await assert.rejects(charts(t).fetch(redisOf(), never), {
      reason: 'ChartDigestMismatch',
      message: new RegExp(`and it was asked for by sha256:${pushed.manifestDigest}`),
    });
  });

  test('S4, D14: is fetched with the credential for that registry, which goes to no other host, and handed out to nobody else', async (t) => {
    indexHas(`${registry.privateUrl}/redis:1.0.0`, pushed.digest);
    const { digest } = await charts(t).fetch(
      { ...redisOf(), repository: registry.privateUrl },
      never,
      registry.credential,
    );
    indexHas(`${registry.privateUrl}/redis:1.0.0`, digest);
    const fetching = charts(t);
    const own = { username: 'me', password: 'of-the-repository' };
    const asked: string[] = [];
    const credentialFor: CredentialFor = (url) => {
      asked.push(url);
      return registry.credential;
    };
    const basic = (name: string, word: string) =>
      `Basic ${Buffer.from(`${name}:${word}`).toString('base64')}`;
    registry.requests.length = 0;
    assert.equal((await fetching.fetch(redisOf(), never, own, credentialFor)).digest, digest);
    assert.deepEqual([...new Set(asked)], [`${registry.privateUrl}/redis`]);
    assert.deepEqual([...new Set(given)], [basic(own.username, own.password)]);
    for (const { path, authorization } of registry.requests) {
      assert.notEqual(authorization, basic(own.username, own.password), path);
      const { username, password } = registry.credential;
      assert.equal(authorization === basic(username, password), path.startsWith('/token'), path);
    }
    const wrong = { ...registry.credential, password: 'wrong' };
    for (const wanted of [redisOf(), { ...redisOf(), digest }])
      for (const none of [undefined, wrong])
        for (const credential of [own, undefined])
          await assert.rejects(
            fetching.fetch(wanted, never, credential, () => none),
            { reason: 'AuthenticationFailed' },
          );
    assert.equal((await fetching.fetch({ ...redisOf(), digest }, never, own, credentialFor)).digest, digest);
  });

  test('is asked for with what spec.helm.registries names, also where spec.helm.chart names another Secret', async (t) => {
    indexHas(`${registry.privateUrl}/redis:1.0.0`, pushed.digest);
    const fetching = charts(t).fetch(redisOf(), never);
    const told = fetching.catch((error: unknown) => {
      throw asChartOfSpec(error, 'spec.helm.chart.secretRef');
    });
    await assert.rejects(told, {
      reason: 'AuthenticationFailed',
      message:
        /^The manifest of chart redis 1\.0\.0 of https:.* is refused by the registry 127.* Secret with a credential in spec\.helm\.registries\.$/,
    });
  });

  test('that is not in the registry, or at no place of one, is told with the entry', async (t) => {
    indexHas(`${registry.url}/redis:9.0.0`, other);
    await assert.rejects(charts(t).fetch(redisOf(), never), {
      reason: 'ChartNotFound',
      message:
        /^There is no chart redis 1\.0\.0 at oci:.*\/public\/redis \(9\.0\.0\), where index\.yaml of https:/,
    });
    for (const url of [
      'oci://me:secret@ghcr.io/acme/redis:1.0.0',
      'oci://ghcr.io/acme/redis:se cret',
      'oci://ghcr.io/acme/redis:1.0.0:secret',
      'oci://ghcr.io/acme/redis@sha256:secret',
      'oci://ghcr.io/acme/../secret:1.0.0',
      'oci://ghcr.io',
    ]) {
      indexHas(JSON.stringify(url), other);
      await assert.rejects(charts(t).fetch(redisOf(), never), {
        reason: 'ChartRepositoryInvalid',
        message: /^(?!.*secret)The entry of chart redis 1\.0\.0 in index\.yaml of https:/,
      });
    }
  });

  test('S11: is at no address that Git servers may not have', async (t) => {
    for (const host of ['169.254.169.254', '[fe80::1]']) {
      indexHas(`oci://${host}/acme/redis:1.0.0`, other);
      await assert.rejects(charts(t).fetch(redisOf(), never), { reason: 'AddressRefused' });
    }
  });

  test('A4: comes to who used it before while both are down, and to nobody else', async (t) => {
    indexHas(`${registry.url}/redis:1.0.0`, pushed.digest);
    const fetching = charts(t, { recentMs: 0 });
    await fetching.fetch(redisOf(), never);
    const down = (_request: unknown, response: { writeHead(status: number): { end(): void } }) => {
      response.writeHead(503).end();
      return true;
    };
    [repository.intercept, registry.intercept] = [down, down];
    const pinned = { ...redisOf(), digest: pushed.digest };
    assert.ok((await fetching.fetch(pinned, never)).data.length > 0);
    await assert.rejects(fetching.fetch(redisOf(), never), { reason: 'ServerError' });
  });

  test('S9: that was replaced there is refused with both digests for who never used it, too', async (t) => {
    indexHas(`${registry.url}/redis:1.0.0`, pushed.digest);
    const fetching = charts(t, { recentMs: 0 });
    await fetching.fetch(redisOf(), never);
    const newer = { ...redisOf('1.1.0+build.7'), repository: registry.url };
    const { digest } = await fetching.fetch(newer, never);
    indexHas(`${registry.url}/redis:1.1.0_build.7`, digest);
    await assert.rejects(fetching.fetch(redisOf(), never), {
      reason: 'ChartReplaced',
      message: new RegExp(`sha256:${digest} for chart redis 1\\.0\\.0, under which sha256:${pushed.digest}`),
    });
  });

  test('is fetched from its repository once the index has it there again, whatever the registry was asked with', async (t) => {
    indexHas(`${registry.url}/redis:1.0.0`, pushed.digest);
    const fetching = charts(t, { recentMs: 0 });
    const { data } = await fetching.fetch(redisOf(), never);
    const missing = new TowpathError('Resource', 'SecretMissing', 'Secret shop/registry does not exist.');
    const withoutSecret = () =>
      fetching.fetch(redisOf(), never, undefined, () => {
        throw missing;
      });
    await assert.rejects(withoutSecret(), { reason: 'SecretMissing', message: missing.message });
    indexHas('redis-1.0.0.tgz', pushed.digest);
    const index = repository.intercept;
    repository.intercept = (request, response) => {
      if (!request.url?.endsWith('.tgz')) return index?.(request, response) === true;
      response.end(data);
      return true;
    };
    assert.deepEqual((await withoutSecret()).data, data);
    const { text } = (await fetching.provenance({ ...redisOf(), digest: pushed.digest }, never)) ?? {};
    assert.equal(text, undefined, 'nor is the registry asked for what was signed');
  });

  test('has what its publisher signed where its archive is', async (t) => {
    indexHas(`${registry.url}/redis:1.0.0`, pushed.digest);
    const signed = await charts(t).provenance({ ...redisOf(), digest: pushed.digest }, never);
    assert.match(Buffer.from(signed?.text ?? '').toString(), /BEGIN PGP SIGNATURE/);
    assert.deepEqual(signed?.files, ['redis-1.0.0.tgz']);
  });
});
