import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newCertificates } from '../../test/harness/certificates.ts';
import { startConnectProxy } from '../../test/harness/connect-proxy.ts';
import { startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository } from '../../test/harness/git-repository.ts';
import { pollOnce } from '../../test/harness/source.ts';
import type { AddressRules } from './address.ts';
import { proxyRule } from './proxy.ts';
import { parseRemoteUrl } from './remote-url.ts';

const proxy = 'http://proxy.example.com:3128';
const table: [url: string, noProxy: string, proxied: boolean][] = [
  ['https://git.example.com/a/b', '', true],
  ['http://git.example.com/a/b', '', true],
  ['ssh://git@git.example.com/a/b', '', false],
  ['https://git.example.com/a/b', 'example.com', false],
  ['https://git.example.com/a/b', ' other.com , .example.com', false],
  ['https://GIT.example.com/a/b', '*.Example.com', false],
  ['https://notexample.com/a/b', 'example.com', true],
  ['https://git.example.com:8443/a/b', 'git.example.com:8443', false],
  ['https://git.example.com/a/b', 'git.example.com:8443', true],
  ['https://git.example.com/a/b', '*', false],
  ['https://10.1.2.3/a/b', '10.0.0.0/8', false],
  ['https://11.1.2.3/a/b', '10.0.0.0/8,10.1.2.4', true],
  ['https://10.1.2.3/a/b', '10.1.2.3', false],
  ['https://[fd00::1]/a/b', 'fd00::/8', false],
  ['https://10.1.2.3/a/b', '10.0.0.0/99,x/8', true],
  ['http://gitea.git.svc/a/b', '', false],
  ['http://gitea.git.svc:3000/a/b', '', false],
  ['http://gitea.git.svc.cluster.local./a/b', '', false],
  ['http://localhost:3000/a/b', '', false],
  ['http://127.0.0.1:3000/a/b', '', false],
];
for (const [url, NO_PROXY, proxied] of table)
  test(`with NO_PROXY=${NO_PROXY} ${url} is asked ${proxied ? 'through the proxy' : 'directly'}`, () => {
    const rule = proxyRule({ HTTP_PROXY: proxy, https_proxy: proxy, NO_PROXY });
    assert.equal(rule(parseRemoteUrl(url)), proxied ? proxy : undefined);
  });

test('a proxy that is no URL is told at the start, without what may be a password', () => {
  for (const HTTPS_PROXY of ['proxy:3128', 'socks5://a:1', 'user:S3cr3t@proxy'])
    assert.throws(
      () => proxyRule({ HTTPS_PROXY }),
      (error: Error) => /HTTPS_PROXY is no URL/.test(error.message) && !error.message.includes('S3cr3t'),
    );
});

async function behindProxy(t: TestContext) {
  const git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  const { ca, serverCert: cert, serverKey: key } = await newCertificates(['git.example.com']);
  const server = await startGitHttp({ root: git.root, tls: { cert, key } });
  const tunnel = await startConnectProxy(server.port);
  t.after(() => Promise.all([tunnel.stop(), server.stop()]));
  const url = tunnel.url.replace('http://', 'http://user:word@');
  return { tunnel, server, ca, name: git.name, proxies: proxyRule({ HTTPS_PROXY: url }) };
}

/** A resolver that knows one address for every name, or none. */
function resolver(address: string | undefined): NonNullable<AddressRules['lookup']> {
  const lookup = (_: string, __: unknown, answer: (error: Error | null, addresses: unknown) => void) =>
    address === undefined
      ? answer(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), [])
      : answer(null, [{ address, family: 4 }]);
  return lookup as unknown as NonNullable<AddressRules['lookup']>;
}

test("Git over HTTPS goes through the proxy, which alone may know the names, and the certificate is the server's", async (t) => {
  const { tunnel, ca, name, proxies } = await behindProxy(t);
  const access = { url: `https://git.example.com/${name}`, credential: { caCert: ca } };
  for (const address of ['203.0.113.7', undefined]) {
    const { reason } = await pollOnce(access, { proxies, lookup: resolver(address) });
    assert.equal(reason, '');
  }
  assert.deepEqual(new Set(tunnel.asked), new Set(['git.example.com:443']));
  assert.deepEqual(new Set(tunnel.authorizations), new Set([`Basic ${btoa('user:word')}`]));
  const another = await pollOnce(
    { ...access, url: `https://other.example.com/${name}` },
    { proxies, lookup: resolver(undefined) },
  );
  assert.equal(another.reason, 'CertificateUnknown');
  await tunnel.stop();
  const gone = await pollOnce(access, { proxies, lookup: resolver(undefined) });
  assert.equal(gone.reason, 'ConnectionRefused');
  assert.match(gone.message, /through the proxy of the operator's environment/);
  assert.doesNotMatch(gone.message, /word/);
});

test('S11: behind a proxy, too, nothing is asked of a name that leads to a forbidden address, or of such an address', async (t) => {
  const { tunnel, ca, name, proxies } = await behindProxy(t);
  const credential = { caCert: ca };
  for (const address of ['127.0.0.1', '169.254.169.254'])
    for (const [host, lookup] of [
      ['git.example.com', resolver(address)],
      [address, resolver(undefined)],
    ] as const) {
      const { reason } = await pollOnce(
        { url: `https://${host}/${name}`, credential },
        { proxies, lookup, allowLoopback: false },
      );
      assert.equal(reason, 'AddressRefused', `${host} ${address}`);
    }
  assert.deepEqual(tunnel.asked, []);
});
