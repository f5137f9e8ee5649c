import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { getCACertificates } from 'node:tls';
import { type Certificates, newCertificates } from '../../../test/harness/certificates.ts';
import { startConnectProxy } from '../../../test/harness/connect-proxy.ts';
import { startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository } from '../../../test/harness/git-repository.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { pollOnce } from '../../../test/harness/source.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { Authorities } from './authorities.ts';
import { proxyRule } from './proxy.ts';

/** A Git server with a certificate of a new authority, and what a poll of it says: '' where all is well. */
async function privateServer(t: TestContext) {
  const git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  const certificates = await newCertificates(['127.0.0.1', 'git.example.com']);
  const tls = { cert: certificates.serverCert, key: certificates.serverKey };
  const server = await startGitHttp({ root: git.root, tls });
  t.after(() => server.stop());
  const url = server.url(git.name);
  const poll = async (credential?: { caCert: string }) => {
    const { reason } = await pollOnce(credential === undefined ? { url } : { url, credential });
    return reason;
  };
  return { ...certificates, tls, port: server.port, name: git.name, poll };
}

/** A file as kubelet mounts it: a link to a directory, of which each change makes a new one. */
function mounted(text: string) {
  const root = temporaryDirectory('authorities');
  let count = 0;
  const write = (next: string) => {
    count += 1;
    const directory = temporaryDirectory(`authorities-${count}`);
    writeFileSync(join(directory, 'ca.crt'), next);
    symlinkSync(directory, join(root, '..next'));
    renameSync(join(root, '..next'), join(root, '..data'));
  };
  write(text);
  symlinkSync('..data/ca.crt', join(root, 'ca.crt'));
  return { path: join(root, 'ca.crt'), write, remove: () => rmSync(join(root, '..data')) };
}

/** What connections are trusted by that say nothing else: the certificates' fingerprints. */
const trusted = () => getCACertificates('default').map((pem) => new X509Certificate(pem).fingerprint256);

function trusting(t: TestContext, path: string) {
  const told: string[] = [];
  const authorities = new Authorities({
    path,
    onChange: (count) => told.push(`${count} certificates`),
    onFault: (message) => told.push(message),
    checkMs: 20,
  });
  authorities.start();
  t.after(() => authorities.stop());
  return told;
}

test('authorities of a file are trusted beside the public ones, and follow the file without a restart', async (t) => {
  const standard = trusted();
  const [one, two] = [await privateServer(t), await privateServer(t)];
  assert.equal(await one.poll(), 'CertificateUnknown');
  const file = mounted(`# ours\n${one.ca}`);
  const told = trusting(t, file.path);
  assert.equal(await one.poll(), '');
  assert.equal(await two.poll(), 'CertificateUnknown');
  const now = new Set(trusted());
  assert.ok(standard.length > 100);
  assert.deepEqual(
    standard.filter((authority) => !now.has(authority)),
    [],
    'the public ones are still there',
  );

  file.write(`${one.ca}${two.ca}${getCACertificates('default')[0]}`);
  await eventually(() => told.includes('3 certificates'), { describe: 'the new file to be read' });
  assert.equal(await one.poll(), '');
  assert.equal(await two.poll(), '');

  file.write(two.ca);
  await eventually(() => told.includes('1 certificates'), { describe: 'the third file to be read' });
  assert.equal(await one.poll(), 'CertificateUnknown', 'what is taken out is trusted no longer');
  assert.equal(await two.poll(), '');
  assert.equal(new Set(trusted()).size, new Set(standard).size + 1);
});

test('a file that went bad is told once, and what it had before goes on', async (t) => {
  const server = await privateServer(t);
  const file = mounted(server.ca);
  const told = trusting(t, file.path);
  const untilTold = (pattern: RegExp) =>
    eventually(() => told.some((message) => pattern.test(message)), { describe: String(pattern) });
  file.write('nothing');
  await untilTold(/it holds no certificate/);
  assert.equal(await server.poll(), '');
  file.remove();
  await untilTold(/ENOENT/);
  assert.equal(await server.poll(), '');
  file.write(`${server.ca}\n`);
  await untilTold(/^1 certificates$/);
  assert.equal(told.length, 3, told.join('\n'));
});

test("a Secret's own ca.crt counts alone", async (t) => {
  const [one, two] = [await privateServer(t), await privateServer(t)];
  trusting(t, mounted(one.ca).path);
  assert.equal(await one.poll({ caCert: two.ca }), 'CertificateUnknown');
  assert.equal(await two.poll({ caCert: two.ca }), '');
});

test('a proxy that is reached over HTTPS may have a certificate of such an authority', async (t) => {
  const server = await privateServer(t);
  const proxy = await startConnectProxy(server.port, server.tls);
  t.after(() => proxy.stop());
  const proxies = proxyRule({ HTTPS_PROXY: proxy.url });
  const lookup = ((_: string, __: unknown, answer: (error: null, found: object[]) => void) =>
    answer(null, [{ address: '203.0.113.7', family: 4 }])) as never;
  const url = `https://git.example.com/${server.name}`;
  const through = () => pollOnce({ url }, { proxies, lookup });
  assert.equal((await through()).reason, 'CertificateUnknown');
  assert.deepEqual(proxy.asked, []);
  trusting(t, mounted(server.ca).path);
  assert.equal((await through()).reason, '');
  assert.deepEqual(proxy.asked, ['git.example.com:443']);
});

const key = ({ serverKey }: Certificates) => serverKey;
for (const [what, text, says] of [
  ['an empty file', () => '', /it holds no certificate/],
  ['a private key', key, /it holds no certificate/],
  ['a broken certificate', ({ ca }) => ca.replace(/\n[^\n]{10}/, '\n'), /certificate number 1 cannot/],
  ['a second one that is cut off', ({ ca }) => `${ca}${ca.slice(0, 100)}`, /certificate number 2 cannot/],
  ['a file that is far too large', ({ ca }) => ca.repeat(2_000), /larger than 1 MiB/],
] as const satisfies readonly (readonly [string, (of: Certificates) => string, RegExp])[])
  test(`${what} is no file of authorities, and the sentence says so`, async (t) => {
    const { path } = mounted(text(await newCertificates(['127.0.0.1'])));
    assert.throws(() => trusting(t, path), says);
    assert.throws(() => trusting(t, path), new RegExp(`--ca-file is ${path}, .*certificates in PEM form`));
  });

test('a file that there is not, and a directory, are told as such', (t) => {
  assert.throws(() => trusting(t, '/nowhere/ca.crt'), /--ca-file is \/nowhere\/ca\.crt.*ENOENT/);
  assert.throws(() => trusting(t, '/'), /EISDIR/);
});
