import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { existsSync, renameSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newCertificates } from '../../../test/harness/certificates.ts';
import { type GitHttpOptions, type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { freePort } from '../../../test/harness/process.ts';
import { floodRefs } from '../../../test/harness/ref-flood.ts';
import { pollOnce } from '../../../test/harness/source.ts';
import { type Access, Sources, type SourcesOptions } from '../sources.ts';
import { packet } from '../wire/pkt-line.ts';
import type { AddressRules } from './address.ts';

const secret = 'S3cr3t-marker';
const credential = { username: 'reader', password: secret };

describe('a repository over HTTP', () => {
  let git: GitRepository;
  const cleanups: (() => Promise<void>)[] = [];

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  });
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  async function serve(options: Omit<GitHttpOptions, 'root'> = {}): Promise<GitHttpServer> {
    const server = await startGitHttp({ root: git.root, ...options });
    cleanups.push(() => server.stop());
    return server;
  }

  async function serveRaw(
    answer: (write: (bytes: Buffer | string) => boolean, server: Server) => void,
  ): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => answer((bytes) => socket.write(bytes), server));
      cleanups.push(async () => void socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(async () => void server.close());
    const address = server.address();
    return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}/raw.git`;
  }

  /** Asks once; every message is searched for the password. */
  async function poll(
    access: Access,
    options: SourcesOptions = {},
  ): Promise<{ reason: string; message: string }> {
    const { reason, message } = await pollOnce(access, { allowPlainHttpCredentials: true, ...options });
    assert.ok(!message.includes(secret), `the secret is in: ${message}`);
    return { reason, message };
  }

  it('follows redirects within the origin, for the fetch too', async () => {
    const server = await serve({
      intercept(request, response) {
        if (!request.url?.startsWith('/old.git')) return false;
        response.writeHead(301, { location: request.url.replace('/old.git', `/${git.name}`) }).end();
        return true;
      },
    });
    const sources = new Sources({ allowLoopback: true });
    cleanups.push(() => sources.stop());
    const repository = sources.watch('test', { url: server.url('old.git') }, 3_600_000, () => undefined);
    await repository.poll();
    const tree = await repository.open(repository.resolve({}));
    assert.equal(Buffer.from(await tree.read('a.yaml')).toString(), 'a: 1\n');
  });

  it('begins each poll at the given URL: what was renamed may be renamed back', async () => {
    const shop = await createRepository({ files: { 'a.yaml': 'a: 1\n' }, name: 'shop.git' });
    const [here, there] = [shop.path, join(shop.root, 'moved.git')];
    const server = await startGitHttp({
      root: shop.root,
      intercept(request, response) {
        if (!request.url?.startsWith('/shop.git') || existsSync(here)) return false;
        response.writeHead(302, { location: request.url.replace('/shop.git', '/moved.git') }).end();
        return true;
      },
    });
    cleanups.push(() => server.stop());
    const sources = new Sources({ allowLoopback: true });
    cleanups.push(() => sources.stop());
    const repository = sources.watch('test', { url: server.url('shop.git') }, 3_600_000, () => undefined);
    for (const branch of ['moved', 'back']) await shop.commit({ 'b.yaml': branch }, { branch });
    renameSync(here, there);
    await repository.poll();
    assert.ok(await repository.open(repository.resolve({ branch: 'moved' })));
    renameSync(there, here);
    await repository.poll();
    assert.ok(await repository.open(repository.resolve({ branch: 'back' })));
  });

  it('S4: a redirect to another origin gets no request at all, hence no credential', async () => {
    const thief = await serve();
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await serve({
        intercept(request, response) {
          response.writeHead(status, { location: `${thief.url(git.name)}${request.url}` }).end();
          return true;
        },
      });
      const { reason, message } = await poll({ url: server.url(git.name), credential });
      assert.equal(reason, 'RedirectRefused');
      assert.match(message, new RegExp(`127\\.0\\.0\\.1:${thief.port}`));
    }
    assert.deepEqual(thief.requests, []);
  });

  it('S4: a redirect of the fetch itself is not followed', async () => {
    const thief = await serve();
    const server = await serve({
      intercept(request, response) {
        if (request.method !== 'POST') return false;
        response.writeHead(307, { location: `${thief.url(git.name)}/git-upload-pack` }).end();
        return true;
      },
    });
    const sources = new Sources({ allowLoopback: true, allowPlainHttpCredentials: true });
    cleanups.push(() => sources.stop());
    const repository = sources.watch(
      'test',
      { url: server.url(git.name), credential },
      3_600_000,
      () => undefined,
    );
    await repository.poll();
    await assert.rejects(repository.open(repository.resolve({})), { name: 'TowpathError' });
    assert.deepEqual(thief.requests, []);
  });

  it('S4: a redirect from HTTPS to plain HTTP gets no request at all', async () => {
    const { ca, serverCert, serverKey } = await newCertificates(['127.0.0.1']);
    const thief = await serve();
    const credentials = [
      { username: 'reader', password: secret, caCert: ca },
      { bearerToken: secret, caCert: ca },
      { caCert: ca },
    ];
    // The same host with another port, and the very same port, where a server may speak both.
    const places = [(own: number) => own, () => thief.port];
    for (const credential of credentials) {
      for (const place of places) {
        const server = await serve({
          tls: { cert: serverCert, key: serverKey },
          intercept(request, response) {
            const location = `http://127.0.0.1:${place(server.port)}/${git.name}${request.url}`;
            response.writeHead(302, { location }).end();
            return true;
          },
        });
        const { reason, message } = await poll({ url: server.url(git.name), credential });
        assert.equal(reason, 'RedirectRefused', message);
      }
    }
    assert.deepEqual(thief.requests, []);
  });

  it('S4: a bearer token goes to its own origin only, and is sent there', async () => {
    const thief = await serve();
    const guarded = await serve({ bearerToken: secret });
    const access = { url: guarded.url(git.name), credential: { bearerToken: secret } };
    assert.equal((await poll(access)).reason, '');
    for (const method of ['GET', 'POST']) {
      const server = await serve({
        bearerToken: secret,
        intercept(request, response) {
          if (request.method !== method) return false;
          response.writeHead(307, { location: `${thief.url(git.name)}${request.url}` }).end();
          return true;
        },
      });
      const sources = new Sources({ allowLoopback: true, allowPlainHttpCredentials: true });
      cleanups.push(() => sources.stop());
      const url = server.url(git.name);
      const repository = sources.watch('test', { ...access, url }, 3_600_000, () => undefined);
      const opened = repository.poll().then(() => repository.open(repository.resolve({})));
      await assert.rejects(opened, (error: Error) => !error.message.includes(secret));
      assert.ok(server.requests.some((seen) => seen.headers.authorization === `Bearer ${secret}`));
    }
    assert.deepEqual(thief.requests, []);
  });

  it('S4: credentials do not travel over plain HTTP unless allowed', async () => {
    const server = await serve();
    const access = { url: server.url(git.name), credential };
    assert.equal((await poll(access, { allowPlainHttpCredentials: false })).reason, 'PlainHTTPRefused');
    assert.deepEqual(server.requests, []);
    assert.equal((await poll(access, { allowPlainHttpCredentials: true })).reason, '');
  });

  it('S4: no credential is sent to a server whose certificate cannot be verified', async () => {
    const ours = await newCertificates(['127.0.0.1']);
    const theirs = await newCertificates(['127.0.0.1', 'git.example.com']);
    const server = await serve({ tls: { cert: theirs.serverCert, key: theirs.serverKey } });
    const access = { url: server.url(git.name), credential: { ...credential, caCert: ours.ca } };
    assert.equal((await poll(access)).reason, 'CertificateUnknown');
    const other = await newCertificates(['git.example.com']);
    const misnamed = await serve({ tls: { cert: other.serverCert, key: other.serverKey } });
    const named = { url: misnamed.url(git.name), credential: { ...credential, caCert: other.ca } };
    assert.equal((await poll(named)).reason, 'CertificateUnknown');
    assert.deepEqual([...server.requests, ...misnamed.requests], []);
  });

  it('says that a server wants a client certificate', async () => {
    const { ca, serverCert, serverKey } = await newCertificates(['127.0.0.1']);
    const server = await serve({ tls: { cert: serverCert, key: serverKey, clientCa: ca } });
    const { reason, message } = await poll({ url: server.url(git.name), credential: { caCert: ca } });
    // Which of the two depends on whether the server's alert or its close arrives first.
    assert.match(reason, /^(TLSFailed|ConnectionLost)$/);
    assert.match(message, /"tls\.crt" and "tls\.key"/);
  });

  it('says that a certificate or key cannot be used', async () => {
    const { ca, serverCert, serverKey, clientCert } = await newCertificates(['127.0.0.1']);
    const server = await serve({ tls: { cert: serverCert, key: serverKey, clientCa: ca } });
    for (const clientKey of ['S3cr3t-marker', serverKey]) {
      const access = { url: server.url(git.name), credential: { caCert: ca, clientCert, clientKey } };
      const { reason, message } = await poll(access);
      assert.equal(reason, 'CredentialInvalid', message);
      assert.match(message, /"tls\.crt" and "tls\.key"/);
    }
  });

  it('says that a branch moved between poll and fetch, which the next poll heals', async () => {
    const server = await serve();
    const sources = new Sources({ allowLoopback: true });
    cleanups.push(() => sources.stop());
    const moved = await git.commit({ 'b.yaml': '' }, { branch: 'moving' });
    const repository = sources.watch('test', { url: server.url(git.name) }, 3_600_000, () => undefined);
    await repository.poll();
    assert.equal(repository.resolve({ branch: 'moving' }).commit, moved);
    await git.branch('moving', 'HEAD');
    const opening = repository.open(repository.resolve({ branch: 'moving' }));
    await assert.rejects(opening, { reason: 'RefMoved', remedy: 'Time' });
    await repository.poll();
    assert.ok(await repository.open(repository.resolve({ branch: 'moving' })));
  });

  it('S5: a server that sends the credential back does not get it into a message', async () => {
    const server = await serve({
      intercept(request, response) {
        response.writeHead(500, { 'content-type': 'text/plain' });
        response.end(`no: ${request.headers.authorization} ${credential.username}:${secret}`);
        return true;
      },
    });
    const { reason, message } = await poll({ url: server.url(git.name), credential });
    assert.equal(reason, 'ServerError');
    assert.ok(!message.includes(Buffer.from(`reader:${secret}`).toString('base64')));
    assert.match(message, /\[redacted\]/);
  });

  const basic = Buffer.from(`reader:${secret}`).toString('base64');
  for (const [what, sent, known] of [
    ['a password', secret, credential],
    ['an Authorization header', basic, credential],
    ['a token', secret, { bearerToken: secret }],
    ['a long token', secret.repeat(100), { bearerToken: secret.repeat(100) }],
  ] as const) {
    it(`S5: nothing is left of ${what} that a server sends back, wherever it is cut`, async () => {
      let body = '';
      let answer: 'text' | 'ERR' | 'content type' = 'text';
      const server = await serve({
        intercept(_, response) {
          if (answer === 'text') response.writeHead(500, { 'content-type': 'text/plain' }).end(body);
          else if (answer === 'content type') response.writeHead(200, { 'content-type': body }).end();
          else {
            response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
            response.end(`001e# service=git-upload-pack\n0000${packet(`ERR ${body}\n`)}`);
          }
          return true;
        },
      });
      for (const form of ['text', 'ERR', 'content type'] as const) {
        answer = form;
        for (const before of [0, 110, 118, 150, 158, 195, 1_990]) {
          body = 'x'.repeat(before) + sent + ` ${sent}`.repeat(3);
          const { message } = await poll({ url: server.url(git.name), credential: known });
          assert.ok(!message.includes(sent.slice(0, 2)), `${form} ${before}: ${message}`);
        }
      }
    });
  }

  it('S11: loopback, link-local and metadata addresses are refused, however they are written', async () => {
    const server = await serve();
    const refused = [
      `http://127.0.0.1:${server.port}/x.git`,
      `http://2130706433:${server.port}/x.git`,
      `http://0x7f.1:${server.port}/x.git`,
      `http://0.0.0.0:${server.port}/x.git`,
      `http://[::1]:${server.port}/x.git`,
      `http://[::ffff:127.0.0.1]:${server.port}/x.git`,
      `http://[64:ff9b::7f00:1]:${server.port}/x.git`,
      'http://169.254.169.254/x.git',
      'http://169.254.170.23/x.git',
      'http://192.0.0.192/x.git',
      'http://[fd00:ec2::254]/x.git',
      'http://[fd00:ec2::23]/x.git',
      'http://[fd00:ec2:0:0:0:0:0:23]/x.git',
      'http://[fd20:ce::254]/x.git',
      'http://[fd00:c1::a9fe:a9fe]/x.git',
      'http://[fd00:c1::169.254.169.254]/x.git',
      'http://[fd00:42::42]/x.git',
      'http://[fd00:a9fe:a9fe::1]/x.git',
      'http://[fd00:100::100:200]/x.git',
      'http://[fe80::1]/x.git',
      'http://100.100.100.200/x.git',
      `http://localhost:${server.port}/x.git`,
      'ssh://git@127.0.0.1/x.git',
    ];
    const key = { identity: 'x', knownHosts: 'x' };
    for (const url of refused) {
      const access = url.startsWith('ssh') ? { url, credential: key } : { url };
      assert.equal((await poll(access, { allowLoopback: false })).reason, 'AddressRefused', url);
    }
    assert.deepEqual(server.requests, []);
    assert.equal(
      (await poll({ url: 'http://169.254.169.254/x.git' }, { allowLoopback: true })).reason,
      'AddressRefused',
    );
  });

  it('S11: a name that leads to such an address is refused when it has been looked up', async () => {
    const server = await serve();
    for (const addresses of [['169.254.169.254'], ['127.0.0.1'], ['192.0.2.1', '::1']]) {
      const lookup = fakeLookup(addresses);
      const url = `http://git.example.com:${server.port}/${git.name}`;
      const { reason, message } = await poll({ url }, { allowLoopback: false, lookup });
      assert.equal(reason, 'AddressRefused');
      assert.match(message, /git\.example\.com \(/);
    }
    assert.deepEqual(server.requests, []);
  });

  it('S11: a redirect cannot lead to such an address', async () => {
    const server = await serve({
      intercept(_, response) {
        response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
        return true;
      },
    });
    assert.equal((await poll({ url: server.url(git.name) })).reason, 'RedirectRefused');
  });

  it('tells a refused connection, an unknown host and other failures apart', async () => {
    const port = await freePort();
    assert.equal((await poll({ url: `http://127.0.0.1:${port}/x.git` })).reason, 'ConnectionRefused');
    assert.equal(
      (await poll({ url: 'http://nowhere.invalid/x.git' }, { lookup: failingLookup })).reason,
      'HostUnknown',
    );
    const answers: [number, string, string][] = [
      [401, 'text/plain', 'AuthenticationFailed'],
      [403, 'text/plain', 'AuthenticationFailed'],
      [404, 'text/plain', 'RepositoryNotFound'],
      [200, 'text/html', 'RepositoryNotFound'],
      [200, 'application/x-git-upload-pack-advertisement', 'RepositoryNotFound'],
      [500, 'text/html', 'ServerError'],
      [503, 'text/plain', 'ServerError'],
      [429, 'text/plain', 'ServerError'],
    ];
    for (const [status, type, reason] of answers) {
      const server = await serve({
        intercept(_, response) {
          response.writeHead(status, { 'content-type': type }).end('0009text\n0000');
          return true;
        },
      });
      assert.equal((await poll({ url: server.url(git.name) })).reason, reason, `${status} ${type}`);
    }
  });

  it('a server that never answers, or stops in the middle, ends in a timeout', async () => {
    const silent = await serveRaw(() => undefined);
    const stalled = await serveRaw((write) => {
      write('HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement\r\n');
      write('content-length: 1000\r\n\r\n001e# service=git-upload-pack\n');
    });
    const timeouts = { connectMs: 500, idleMs: 500, advertiseMs: 5_000 };
    assert.equal((await poll({ url: silent }, { timeouts })).reason, 'Timeout');
    assert.equal((await poll({ url: stalled }, { timeouts })).reason, 'Timeout');
  });

  it('S9: a server that never stops sending refs is cut off by time', async () => {
    const endless = await serveRaw((write, server) => {
      write('HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement\r\n\r\n');
      write('001e# service=git-upload-pack\n0000');
      const line = packet(`${'a'.repeat(40)} refs/heads/endless\n`);
      const more = () => {
        write(line);
        if (server.listening) setTimeout(more, 20);
      };
      more();
    });
    assert.equal((await poll({ url: endless }, { timeouts: { advertiseMs: 700 } })).reason, 'Timeout');
  });

  it('S9: a server that sends ever more refs is cut off by their bytes, and by the length of a name', async () => {
    const cases: [name: (index: number) => string, message: RegExp, maxBytes: number][] = [
      [
        (index) => String(index).padStart(1_000, 'x'),
        /a list of refs of more than 64 MiB\. Delete/,
        96 << 20,
      ],
      // What comes after a NUL counts, too.
      [(index) => `${index}\0${'x'.repeat(60_000)}`, /a list of refs of more than 64 MiB\. Delete/, 96 << 20],
      [
        (index) => String(index).padStart(1_100, 'x'),
        /a ref whose name has more than 1 KiB\. Delete/,
        8 << 20,
      ],
    ];
    for (const [name, expected, maxBytes] of cases) {
      let sent = { bytes: 0 };
      const server = await serve({
        intercept(_, response) {
          response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
          response.write('001e# service=git-upload-pack\n0000');
          sent = floodRefs(response, name);
          return true;
        },
      });
      const { reason, message } = await poll({ url: server.url(git.name) });
      assert.equal(reason, 'TooLarge', message);
      assert.match(message, expected);
      assert.ok(sent.bytes < maxBytes, `${sent.bytes} bytes were sent`);
    }
  });
});

function fakeLookup(addresses: string[]): NonNullable<AddressRules['lookup']> {
  const found = addresses.map(
    (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
  );
  const lookup = (
    _host: string,
    _options: unknown,
    callback: (error: null, found: LookupAddress[]) => void,
  ) => callback(null, found);
  return lookup as unknown as NonNullable<AddressRules['lookup']>;
}

const failingLookup = ((_host: string, _options: unknown, callback: (error: Error) => void) =>
  callback(
    Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }),
  )) as unknown as NonNullable<AddressRules['lookup']>;
