import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { newCertificates } from '../../test/harness/certificates.ts';
import { startChartRepository } from '../../test/harness/chart-repository.ts';
import { startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../test/harness/git-repository.ts';
import { startGitSsh, withoutSsh } from '../../test/harness/git-ssh.ts';
import { startOciRegistry } from '../../test/harness/oci-registry.ts';
import { freePort, temporaryDirectory } from '../../test/harness/process.ts';
import { TestRenderer } from '../../test/harness/render.ts';
import { TowpathError } from '../api/errors.ts';
import { ChartRepositories } from './charts/chart-repositories.ts';
import type { Credential } from './credential.ts';
import { Sources } from './sources.ts';
import { Authorities } from './transport/authorities.ts';

/** How something is fetched; what is left out is as it should be. */
interface Terms {
  credential?: Credential;
  /** Another server's, on this machine. */
  port?: number;
  allowLoopback?: boolean;
  /** Bytes that are taken. */
  bytes?: number;
  /** Until all is given up. */
  milliseconds?: number;
}

interface Opened {
  /** Fetches what an identity stands for, and returns the identity of what came. */
  fetch(identity: string): Promise<string>;
  stop(): Promise<void>;
}

type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A server with one thing in it, which wants a credential. */
interface Served {
  pinned: string;
  /** Nothing has it. */
  unknown: string;
  wrong: Credential;
  open(terms: Terms): Opened;
  /** Absent where it speaks no HTTP. */
  http?: {
    /** Of the server. */
    certificate: { key: string; cert: string };
    /** Answers requests in its place. */
    intercept(intercept: Intercept | undefined): void;
  };
  stop(): Promise<void>;
}

const SECRET = { username: 'reader', password: 'correct horse' };
const WRONG = { username: 'reader', password: 'guessed' };
const HOUR = 3_600_000;
const never = new AbortController().signal;
const engine = new TestRenderer();
const nobody = () => undefined;

const KINDS: { name: string; skip?: string | false; serve(): Promise<Served> }[] = [
  { name: 'a Git repository over HTTPS', serve: serveGitHttps },
  { name: 'a Git repository over SSH', skip: withoutSsh(), serve: serveGitSsh },
  { name: 'a Helm repository', serve: serveHelmRepository },
  { name: 'an OCI registry', serve: serveRegistry },
];

async function gitWithCommit(): Promise<{ root: string; git: GitRepository; pinned: string }> {
  const root = temporaryDirectory('common-conformance');
  // What a small limit is for: no compression makes it small.
  const noise = Array.from({ length: 20_000 }, (_, at) => Math.sin(at).toString(36)).join('\n');
  const git = await createRepository({ root, name: 'shop.git', files: { 'web/values.yaml': noise } });
  return { root, git, pinned: await git.revParse('HEAD') };
}

function openGit(url: string, { credential, allowLoopback, bytes, milliseconds }: Terms): Opened {
  const timeouts =
    milliseconds === undefined
      ? {}
      : {
          connectMs: milliseconds,
          idleMs: milliseconds,
          advertiseMs: milliseconds,
          fetchMs: milliseconds,
        };
  const sources = new Sources({
    allowLoopback: allowLoopback ?? true,
    limits: bytes === undefined ? {} : { packBytes: bytes },
    timeouts,
  });
  return {
    fetch: async (commit) => {
      const access = credential === undefined ? { url } : { url, credential };
      const repository = sources.watch('it', access, HOUR, nobody);
      await repository.poll();
      return (await repository.open(repository.resolve({ commit }))).revision;
    },
    stop: () => sources.stop(),
  };
}

async function serveGitHttps(): Promise<Served> {
  const { root, git, pinned } = await gitWithCommit();
  const { ca, serverCert, serverKey } = await newCertificates(['127.0.0.1']);
  let intercept: Intercept | undefined;
  const server = await startGitHttp({
    root,
    basic: SECRET,
    tls: { cert: serverCert, key: serverKey },
    intercept: (request, response) => intercept?.(request, response) ?? false,
  });
  const url = server.url(git.name);
  return {
    pinned,
    unknown: 'a'.repeat(40),
    wrong: { ...WRONG, caCert: ca },
    open: ({ port, ...terms }) =>
      openGit(port === undefined ? url : url.replace(`:${server.port}`, `:${port}`), {
        credential: { ...SECRET, caCert: ca },
        ...terms,
      }),
    http: {
      certificate: { key: serverKey, cert: serverCert },
      intercept: (each) => {
        intercept = each;
      },
    },
    stop: () => server.stop(),
  };
}

async function serveGitSsh(): Promise<Served> {
  const { root, git, pinned } = await gitWithCommit();
  const server = await startGitSsh({ root });
  const stranger = await startGitSsh({ root });
  await stranger.stop();
  const { identity, knownHosts } = server;
  const url = server.url(git.name);
  return {
    pinned,
    unknown: 'a'.repeat(40),
    wrong: { identity: stranger.identity, knownHosts },
    open: ({ port, ...terms }) =>
      openGit(port === undefined ? url : url.replace(`:${server.port}`, `:${port}`), {
        credential: {
          identity,
          knownHosts: port === undefined ? knownHosts : knownHosts.replace(`:${server.port}`, `:${port}`),
        },
        ...terms,
      }),
    stop: () => server.stop(),
  };
}

const CHART = {
  'Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 1.0.0\n',
  'templates/a.yaml': `# ${'as long as a small limit'.repeat(100)}\n`,
};

function openChart(repository: string, { credential, allowLoopback, bytes, milliseconds }: Terms): Opened {
  const charts = new ChartRepositories({
    allowLoopback: allowLoopback ?? true,
    locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    limits: bytes === undefined ? {} : { archiveBytes: bytes },
    timeouts:
      milliseconds === undefined
        ? {}
        : { connectMs: milliseconds, idleMs: milliseconds, totalMs: milliseconds },
  });
  return {
    fetch: async (identity) => {
      const [version = '', digest] = identity.split(' ');
      return `${version} ${(await charts.fetch({ name: 'redis', version, repository, digest }, never, credential)).digest}`;
    },
    stop: () => charts.stop(),
  };
}

async function serveHelmRepository(): Promise<Served> {
  const server = await startChartRepository();
  trust(server.caFile);
  await server.publish(CHART);
  const { port } = new URL(server.url);
  const expected = `Basic ${Buffer.from(`${SECRET.username}:${SECRET.password}`).toString('base64')}`;
  let intercept: Intercept | undefined;
  server.intercept = (request, response) => {
    if (intercept?.(request, response) === true) return true;
    if (request.headers.authorization === expected) return false;
    response.writeHead(401).end();
    return true;
  };
  return {
    pinned: await pinnedOf(openChart(server.url, { credential: SECRET })),
    unknown: '9.9.9',
    wrong: WRONG,
    open: ({ port: other, ...terms }) =>
      openChart(other === undefined ? server.url : server.url.replace(`:${port}`, `:${other}`), {
        credential: SECRET,
        ...terms,
      }),
    http: {
      certificate: server.certificate,
      intercept: (each) => {
        intercept = each;
      },
    },
    stop: () => server.stop(),
  };
}

async function serveRegistry(): Promise<Served> {
  const server = await startOciRegistry();
  trust(server.caFile);
  await server.publish(CHART, server.privateUrl);
  const { host, privateUrl, credential } = server;
  return {
    pinned: await pinnedOf(openChart(privateUrl, { credential })),
    unknown: '9.9.9',
    wrong: { ...credential, password: WRONG.password },
    open: ({ port, ...terms }) =>
      openChart(port === undefined ? privateUrl : privateUrl.replace(host, `127.0.0.1:${port}`), {
        credential,
        ...terms,
      }),
    http: {
      certificate: server.tls,
      intercept: (each) => {
        server.intercept = each;
      },
    },
    stop: () => server.stop(),
  };
}

/** As --ca-file does, for this process. */
function trust(path: string): void {
  new Authorities({ path, onChange: nobody, onFault: assert.fail });
}

async function pinnedOf(opened: Opened): Promise<string> {
  try {
    return await opened.fetch('1.0.0');
  } finally {
    await opened.stop();
  }
}

for (const kind of KINDS)
  describe(kind.name, { skip: kind.skip ?? false }, () => {
    let served: Served;
    before(async () => {
      served = await kind.serve();
    });
    after(() => served?.stop());
    conforms(() => served);
  });

async function listening(server: Server, t: TestContext): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server that takes connections and says nothing. */
function silent(t: TestContext): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', nobody);
    t.after(() => socket.destroy());
  });
  return listening(server, t);
}

function conforms(served: () => Served): void {
  function open(t: TestContext, terms: Terms = {}): Opened {
    const opened = served().open(terms);
    t.after(() => opened.stop());
    return opened;
  }

  /** What a fetch that must fail says. */
  async function failure(t: TestContext, terms: Terms, identity = served().pinned): Promise<TowpathError> {
    const error = await open(t, terms)
      .fetch(identity)
      .then(
        () => assert.fail('it was fetched'),
        (thrown: unknown) => thrown,
      );
    assert.ok(error instanceof TowpathError, String(error));
    return error;
  }

  test('gives what an identity stands for, and the same again', async (t) => {
    const { pinned } = served();
    const opened = open(t);
    assert.equal(await opened.fetch(pinned), pinned);
    assert.equal(await opened.fetch(pinned), pinned);
    assert.equal(await open(t).fetch(pinned), pinned);
  });

  test('says that it has nothing of an identity', async (t) => {
    const { remedy, reason, message } = await failure(t, {}, served().unknown);
    assert.equal(remedy, 'Person');
    assert.match(reason, /NotFound$/);
    assert.ok(message.includes(served().unknown), message);
  });

  test('S4: lets in nobody with another credential, and repeats none', async (t) => {
    const { wrong, pinned } = served();
    const { remedy, reason, message } = await failure(t, { credential: wrong });
    assert.deepEqual([remedy, reason], ['Person', 'AuthenticationFailed']);
    for (const secret of [wrong.password, wrong.identity, SECRET.password])
      assert.ok(secret === undefined || !message.includes(secret));
    assert.equal(await open(t).fetch(pinned), pinned);
  });

  test('A4: that is down, or says nothing, is told within its limit of time, and tried again', async (t) => {
    const down = await failure(t, { port: await freePort() });
    assert.deepEqual([down.remedy, down.reason], ['Time', 'ConnectionRefused']);
    const began = performance.now();
    const mute = await failure(t, { port: await silent(t), milliseconds: 500 });
    assert.deepEqual([mute.remedy, mute.reason], ['Time', 'Timeout']);
    assert.ok(performance.now() - began < 30_000);
  });

  test('S9: gives no more than is taken', async (t) => {
    const { remedy, reason } = await failure(t, { bytes: 100 });
    assert.equal(remedy, 'Person');
    assert.match(reason, /TooLarge$/);
  });

  test('S11: is asked at no address that is not allowed', async (t) => {
    const { remedy, reason } = await failure(t, { allowLoopback: false });
    assert.deepEqual([remedy, reason], ['Person', 'AddressRefused']);
  });

  test('S4: takes a credential to nobody whom it redirects to', async (t) => {
    const { http } = served();
    if (http === undefined) return t.skip('it does not redirect');
    const given: (string | undefined)[] = [];
    const other = createHttps(http.certificate, ({ headers }, response) => {
      given.push(headers.authorization);
      response.writeHead(404).end();
    });
    const port = await listening(other, t);
    http.intercept(({ url }, response) => {
      response.writeHead(302, { location: `https://127.0.0.1:${port}${url}` }).end();
      return true;
    });
    t.after(() => http.intercept(undefined));
    await failure(t, {});
    assert.ok(given.every((each) => each === undefined));
  });

  test('A7: that is waited for when it is stopped is waited for no longer', async (t) => {
    const opened = served().open({ port: await silent(t) });
    const fetching = assert.rejects(opened.fetch(served().pinned), { reason: 'Stopping' });
    await new Promise((resolve) => setImmediate(resolve));
    await opened.stop();
    await fetching;
  });
}
