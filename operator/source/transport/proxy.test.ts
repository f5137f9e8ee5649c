import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newCertificates } from '../../../test/harness/certificates.ts';
import { startConnectProxy } from '../../../test/harness/connect-proxy.ts';
import { startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository } from '../../../test/harness/git-repository.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { pollOnce } from '../../../test/harness/source.ts';
import { parseRemoteUrl } from '../remote-url.ts';
import { Sources } from '../sources.ts';
import { type AddressRules, checkName } from './address.ts';
import { proxyRule } from './proxy.ts';

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

for (const [status, reason, says] of [
  [407, 'ProxyRefused', /answers 407: it lets in nobody without a user and a password/],
  [403, 'ProxyRefused', /answers 403: it does not let Towpath go there/],
  [405, 'ProxyRefused', /answers 405\. Ask who runs the proxy/],
  [502, 'ConnectionRefused', /answers 502, so it cannot reach it either/],
] as const)
  test(`a proxy that answers ${status} to a tunnel is told from the Git server`, async (t) => {
    const { tunnel, ca, name, proxies } = await behindProxy(t);
    tunnel.refuse = status;
    const answer = await pollOnce(
      { url: `https://git.example.com/${name}`, credential: { caCert: ca } },
      { proxies, lookup: resolver(undefined) },
    );
    assert.equal(answer.reason, reason, answer.message);
    assert.match(answer.message, says);
    assert.match(answer.message, /^The Git server git\.example\.com:443 is not reached: the proxy of/);
    assert.doesNotMatch(answer.message, /word@git|user:word/);
  });

async function plainBehindProxy(t: TestContext) {
  const git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  const server = await startGitHttp({ root: git.root, basic: { username: 'me', password: 'S3cr3t' } });
  const proxy = await startConnectProxy(server.port);
  t.after(() => Promise.all([proxy.stop(), server.stop()]));
  const access = {
    url: `http://git.example.com/${git.name}`,
    credential: { username: 'me', password: 'S3cr3t' },
  };
  const options = {
    proxies: proxyRule({ HTTP_PROXY: proxy.url.replace('http://', 'http://user:word@') }),
    lookup: resolver(undefined),
    allowPlainHttpCredentials: true,
  };
  return { proxy, server, access, options };
}

test('Git over plain HTTP is asked of the proxy without a tunnel, which proxies open to ports of TLS only', async (t) => {
  const { proxy, server, access, options } = await plainBehindProxy(t);
  const sources = new Sources({ ...options, allowLoopback: true });
  t.after(() => sources.stop());
  const repository = sources.watch('test', access, 3_600_000, () => undefined);
  await repository.poll();
  // The pack, too.
  await repository.open(repository.resolve({}));
  assert.ok(proxy.asked.length >= 2);
  for (const asked of proxy.asked) assert.ok(asked.startsWith(`${access.url}/`), asked);
  assert.deepEqual(new Set(proxy.authorizations), new Set([`Basic ${btoa('user:word')}`]));
  for (const { headers } of server.requests) assert.equal(headers['proxy-authorization'], undefined);
});

for (const [status, reason, says] of [
  [407, 'ProxyRefused', /^The Git server git\.example\.com:80 is not reached: the proxy of .* answers 407/],
  // Either of them may have said so.
  [403, 'AuthenticationFailed', /answers 403: .* It is asked through the proxy of/],
  [503, 'ServerError', /answers 503.* It is asked through the proxy of/],
] as const)
  test(`a proxy that answers ${status} to plain HTTP is named`, async (t) => {
    const { proxy, access, options } = await plainBehindProxy(t);
    proxy.refuse = status;
    const answer = await pollOnce(access, options);
    assert.equal(answer.reason, reason, answer.message);
    assert.match(answer.message, says);
  });

for (const scheme of ['http', 'https'])
  test(`a proxy that never answers is told in the time for silence, over ${scheme}`, async (t) => {
    const { proxy, access, options } = await plainBehindProxy(t);
    proxy.refuse = 0;
    const proxies = proxyRule({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
    const { reason } = await pollOnce(
      { ...access, url: access.url.replace('http:', `${scheme}:`) },
      { ...options, proxies, timeouts: { connectMs: 300, idleMs: 300, advertiseMs: 5_000 } },
    );
    assert.equal(reason, 'Timeout');
  });

/** A resolver that never answers. */
const silent = (() => undefined) as unknown as NonNullable<AddressRules['lookup']>;

test('S11: where our own DNS never answers, the proxy is asked all the same, and soon', async (t) => {
  const { tunnel, ca, name, proxies } = await behindProxy(t);
  const access = { url: `https://git.example.com/${name}`, credential: { caCert: ca } };
  const { reason } = await pollOnce(access, { proxies, lookup: silent });
  assert.equal(reason, '');
  assert.ok(tunnel.asked.length > 0);
});

test('what waits for our own DNS ends with its signal', async (t) => {
  const { tunnel, name, proxies } = await behindProxy(t);
  const stopping = new AbortController();
  const began = performance.now();
  const checked = checkName('git.example.com', { lookup: silent }, stopping.signal);
  stopping.abort(new Error('stopping'));
  await assert.rejects(checked, /stopping/);
  assert.ok(performance.now() - began < scaled(1_000));
  // So it ends with the repository that nobody watches any more.
  const sources = new Sources({ proxies, lookup: silent });
  const repository = sources.watch(
    'test',
    { url: `https://git.example.com/${name}` },
    3_600_000,
    () => undefined,
  );
  const polled = assert.rejects(repository.poll(), { reason: 'Stopping' });
  await new Promise((resolve) => setImmediate(resolve));
  await sources.stop();
  await polled;
  assert.deepEqual(tunnel.asked, []);
});
