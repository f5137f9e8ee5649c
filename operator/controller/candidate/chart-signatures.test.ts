import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test';
import { newChartRepositories } from '../../../test/harness/chart-repositories.ts';
import { type ChartRepository, startChartRepository } from '../../../test/harness/chart-repository.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { newSigningKey, type SigningKey } from '../../../test/harness/signing-key.ts';
import type { ChartRepositoriesOptions } from '../../source/charts/chart-repositories.ts';
import { Authorities } from '../../source/transport/authorities.ts';
import { ChartSignatures } from './chart-signatures.ts';
import { Quarantine } from './quarantine.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;
let published: ChartRepository;
let mine: SigningKey;
let theirs: SigningKey;

before(async () => {
  published = await startChartRepository();
  // As --ca-file does, for this process.
  new Authorities({ path: published.caFile, onChange: () => undefined, onFault: assert.fail });
  [mine, theirs] = await Promise.all([newSigningKey('Mine'), newSigningKey('Theirs')]);
  await publish('1.0.0', mine);
  await publish('1.1.0');
  await publish('1.2.0+build.7', mine);
});
after(() => published.stop());
beforeEach(() => {
  published.intercept = undefined;
  published.requests.length = 0;
});

function publish(version: string, key?: SigningKey): Promise<void> {
  return published.publish({ 'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n` }, key);
}

function verifying(t: TestContext, options: Partial<ChartRepositoriesOptions> = {}) {
  const charts = newChartRepositories(t, engine, options);
  const signatures = new ChartSignatures({ charts, renderer: engine.renderer });
  return async (version: string, key = mine) => {
    const chart = { name: 'redis', version, repository: published.url };
    const archive = await charts.fetch(chart, never);
    const { repository } = chart;
    const keyring = key.public;
    const who = { credentialFor: () => undefined, tenant: 'shop' };
    const terms = { ...who, revision: version, patience: 'Unlimited' as const };
    return signatures.verify({ repository, archive, keyring, ...terms }, never);
  };
}

/** Quarantined for that reason. */
async function refused(verifying: Promise<unknown>, reason: string, message: RegExp): Promise<void> {
  await assert.rejects(verifying, (thrown) => {
    assert.ok(thrown instanceof Quarantine);
    assert.equal(thrown.error.reason, reason);
    assert.match(thrown.error.message, message);
    return true;
  });
}

describe('who signed a chart', () => {
  test('is found out once, however many environments it is for, and anew where the keyring is another one', async (t) => {
    const verify = verifying(t);
    for (let times = 0; times < 3; times++)
      assert.equal((await verify('1.0.0')).fingerprint, mine.fingerprint);
    assert.equal(published.count('redis-1.0.0.tgz.prov'), 1);
    await refused(
      verify('1.0.0', theirs),
      'ChartSignatureInvalid',
      new RegExp(`is signed with the key ${mine.fingerprint}, .* that has Theirs`),
    );
    assert.equal(published.count('redis-1.0.0.tgz.prov'), 2);
    assert.equal((await verify('1.2.0+build.7')).fingerprint, mine.fingerprint);
  });

  test('S9: is nobody where there is no provenance file, until there is one', async (t) => {
    const verify = verifying(t);
    const message = /^Chart redis 1\.1\.0 of https:.* is not signed: .* Have who publishes it sign it/;
    for (let times = 0; times < 2; times++) await refused(verify('1.1.0'), 'ChartUnsigned', message);
    published.intercept = (request) => {
      request.url = request.url?.replace('1.1.0.tgz.prov', '1.0.0.tgz.prov');
      return false;
    };
    await refused(
      verify('1.1.0'),
      'ChartSignatureInvalid',
      /is signed by Mine .* for another archive: of redis-1\.1\.0\.tgz it has the digest none/,
    );
    published.intercept = undefined;
    await publish('1.1.0', mine);
    assert.equal((await verifying(t)('1.1.0')).fingerprint, mine.fingerprint);
  });

  test('S9: is nobody where storage answers 403 for what it has not; a question for a credential is told as that', async (t) => {
    await publish('1.3.0');
    let status = 403;
    published.intercept = ({ url = '' }, response) => {
      if (!url.endsWith('1.3.0.tgz.prov')) return false;
      response.writeHead(status).end();
      return true;
    };
    await refused(verifying(t)('1.3.0'), 'ChartUnsigned', /^Chart redis 1\.3\.0 of https:.* is not signed/);
    status = 401;
    await assert.rejects(verifying(t)('1.3.0'), {
      reason: 'AuthenticationFailed',
      message: /answers 401 for the provenance file/,
    });
  });

  test('S9: is read no further than its limit', async (t) => {
    const verify = verifying(t, { limits: { provenanceBytes: 100 } });
    await assert.rejects(verify('1.0.0'), {
      reason: 'ChartTooLarge',
      message: /^The provenance file of chart redis 1\.0\.0 .* more than 100 bytes/,
    });
  });

  test('S4: is asked of the host of the repository with its credential, and of no other', async (t) => {
    const given: (string | undefined)[] = [];
    published.intercept = ({ url = '', headers }) => {
      if (url.endsWith('.prov')) given.push(headers.authorization);
      return false;
    };
    const charts = newChartRepositories(t, engine);
    const chart = { name: 'redis', version: '1.0.0', repository: published.url };
    const credential = { bearerToken: 'token' };
    const { digest } = await charts.fetch(chart, never, credential);
    assert.ok(await charts.provenance({ ...chart, digest }, never, credential));
    assert.deepEqual([...given], ['Bearer token']);
    const index = await readFile(join(published.directory, 'index.yaml'), 'utf8');
    const elsewhere = published.url.replace('127.0.0.1', 'localhost');
    published.intercept = ({ url = '', headers }, response) => {
      if (url.endsWith('.prov')) given.push(headers.authorization);
      if (!url.endsWith('index.yaml')) return false;
      response.end(index.replaceAll('- redis-', `- ${elsewhere}/redis-`));
      return true;
    };
    const other = newChartRepositories(t, engine);
    // Its certificate is not for that name: that nothing was given away is what counts.
    await assert.rejects(other.provenance({ ...chart, digest }, never, credential), {
      reason: 'CertificateUnknown',
    });
    assert.deepEqual([...given], ['Bearer token']);
  });

  test('S9: is not asked of a version that has other bytes by now', async (t) => {
    const charts = newChartRepositories(t, engine);
    const chart = { name: 'redis', version: '1.0.0', repository: published.url, digest: 'ab'.repeat(32) };
    await assert.rejects(charts.provenance(chart, never), { reason: 'ChartReplaced' });
    assert.equal(published.count('.prov'), 0);
  });
});
