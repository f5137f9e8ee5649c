import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Certificates, newCertificates } from '../../test/harness/certificates.ts';
import { type GitHttpOptions, startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../test/harness/git-repository.ts';
import { startGitSsh, withoutSsh } from '../../test/harness/git-ssh.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import type { Credential } from './credential.ts';
import { type Access, type CommitTree, type GitRef, type Repository, Sources } from './sources.ts';

/** A server for repositories below a directory, and how to be let in. */
interface Served {
  access(repositoryName: string): Access;
  /** The same with a credential that the server does not take; absent where it takes everyone. */
  wrong?: Credential;
  stop(): Promise<void>;
}

interface TransportUnderTest {
  name: string;
  skip?: string | false;
  serve(root: string): Promise<Served>;
}

const sshMissing = withoutSsh();

function http(name: string, set: (certificates: Certificates) => HttpSetting): TransportUnderTest {
  return {
    name,
    async serve(root) {
      const setting = set(await newCertificates(['127.0.0.1']));
      const server = await startGitHttp({ root, ...setting.server });
      return {
        access: (repository) => ({
          url: server.url(repository),
          ...(setting.credential ? { credential: setting.credential } : {}),
        }),
        ...(setting.wrong ? { wrong: setting.wrong } : {}),
        stop: () => server.stop(),
      };
    },
  };
}

interface HttpSetting {
  server: Omit<GitHttpOptions, 'root'>;
  credential?: Credential;
  wrong?: Credential;
}

const basic = { username: 'reader', password: 'correct horse' };

const transports: TransportUnderTest[] = [
  http('HTTP', () => ({ server: {} })),
  http('HTTP with basic authentication', () => ({
    server: { basic },
    credential: basic,
    wrong: { ...basic, password: 'wrong' },
  })),
  http('HTTPS with basic authentication and a private CA', ({ ca, serverCert, serverKey }) => ({
    server: { basic, tls: { cert: serverCert, key: serverKey } },
    credential: { ...basic, caCert: ca },
    wrong: { ...basic, username: 'stranger', caCert: ca },
  })),
  http('HTTPS with a bearer token and a private CA', ({ ca, serverCert, serverKey }) => ({
    server: { bearerToken: 'token-1', tls: { cert: serverCert, key: serverKey } },
    credential: { bearerToken: 'token-1', caCert: ca },
    wrong: { bearerToken: 'token-2', caCert: ca },
  })),
  http(
    'HTTPS with a client certificate and a private CA',
    ({ ca, serverCert, serverKey, clientCert, clientKey }) => ({
      server: { tls: { cert: serverCert, key: serverKey, clientCa: ca } },
      credential: { caCert: ca, clientCert, clientKey },
    }),
  ),
  ssh('SSH'),
  ssh('SSH with a passphrase', 'pass phrase'),
];

function ssh(name: string, passphrase?: string): TransportUnderTest {
  return {
    name,
    skip: sshMissing,
    async serve(root) {
      const server = await startGitSsh({ root, ...(passphrase === undefined ? {} : { passphrase }) });
      const other = await startGitSsh({ root });
      await other.stop();
      const { identity, knownHosts } = server;
      return {
        access: (repository) => ({
          url: server.url(repository),
          credential: {
            identity,
            knownHosts,
            ...(passphrase === undefined ? {} : { identityPassword: passphrase }),
          },
        }),
        wrong: { identity: other.identity, knownHosts },
        stop: () => server.stop(),
      };
    },
  };
}

for (const transport of transports) {
  describe(`a repository over ${transport.name}`, { skip: transport.skip ?? false }, () =>
    conforms(transport),
  );
}

function conforms(transport: TransportUnderTest): void {
  let served: Served;
  let git: GitRepository;
  let sources: Sources;
  let repository: Repository;
  let first = '';

  before(async () => {
    const root = temporaryDirectory('conformance');
    git = await createRepository({ root, name: 'shop.git', files: { 'web/values.yaml': 'replicas: 1\n' } });
    first = await git.revParse('HEAD');
    await createRepository({ root, name: 'empty.git' });
    served = await transport.serve(root);
    sources = new Sources({ allowLoopback: true, allowPlainHttpCredentials: true });
    repository = sources.watch('shop', served.access('shop.git'), 3_600_000, () => undefined);
  });
  after(async () => {
    await sources?.stop();
    await served?.stop();
  });

  async function openRef(ref: GitRef): Promise<CommitTree> {
    await repository.poll();
    return repository.open(repository.resolve(ref));
  }
  const text = async (tree: CommitTree, path: string) => Buffer.from(await tree.read(path)).toString();

  it('reads the default branch', async () => {
    const tree = await openRef({});
    assert.equal(tree.revision, first);
    assert.deepEqual(tree.commit, {
      message: 'Initial commit',
      author: 'Test <test@example.com>',
      committedAt: '2026-09-21T14:13:21Z',
    });
    assert.deepEqual(repository.resolve({}), { commit: first, ref: 'refs/heads/main' });
    assert.equal(await text(tree, 'web/values.yaml'), 'replicas: 1\n');
  });

  it('reads a branch, and notices and reads a new commit on it', async () => {
    await git.branch('staging', first);
    assert.equal((await openRef({ branch: 'staging' })).revision, first);
    const second = await git.commit({ 'web/values.yaml': 'replicas: 2\n' }, { branch: 'staging' });
    const tree = await openRef({ branch: 'staging' });
    assert.equal(tree.revision, second);
    assert.equal(await text(tree, 'web/values.yaml'), 'replicas: 2\n');
  });

  it('reads tags, also annotated ones that no branch leads to', async () => {
    const lone = await git.commit({ 'web/values.yaml': 'replicas: 3\n' }, { branch: 'short-lived' });
    await git.tag('v1.0.0', { commit: first });
    await git.tag('v1.1.0', { annotated: true, commit: lone });
    await git.deleteRef('refs/heads/short-lived');
    assert.equal((await openRef({ tag: 'v1.0.0' })).revision, first);
    const tree = await openRef({ tag: 'v1.1.0' });
    assert.equal(tree.revision, lone);
    assert.equal(await text(tree, 'web/values.yaml'), 'replicas: 3\n');
    assert.deepEqual(repository.resolve({ semver: '^1.0' }), { commit: lone, ref: 'refs/tags/v1.1.0' });
  });

  it("says that a tag's own id is no commit, and reads on", async () => {
    const tagged = await git.commit({ 'web/values.yaml': 'replicas: 9\n' }, { branch: 'tagged' });
    const tag = await git.tag('v0.9.0', { annotated: true, commit: tagged });
    const expected = { reason: 'RefNotFound', remedy: 'Person', message: new RegExp(`tag.*it is ${tagged}`) };
    await assert.rejects(openRef({ commit: tag }), expected);
    await git.deleteRef('refs/tags/v0.9.0');
    await assert.rejects(openRef({ commit: tag }), { reason: 'RefNotFound' });
    const next = await git.commit({ 'web/values.yaml': 'replicas: 10\n' }, { branch: 'tagged' });
    assert.equal((await openRef({ branch: 'tagged' })).revision, next);
  });

  it('reads a commit that is no tip', async () => {
    const middle = await git.commit({ 'web/values.yaml': 'replicas: 4\n' });
    await git.commit({ 'web/values.yaml': 'replicas: 5\n' });
    const tree = await openRef({ commit: middle });
    assert.equal(tree.revision, middle);
    assert.equal(await text(tree, 'web/values.yaml'), 'replicas: 4\n');
  });

  it('says that a commit is not there', async () => {
    await assert.rejects(openRef({ commit: 'a'.repeat(40) }), { reason: 'RefNotFound', remedy: 'Person' });
  });

  it('follows a branch that was moved to an unrelated commit', async () => {
    const other = await git.commit({ 'other.txt': 'other\n', 'web/values.yaml': null }, { branch: 'orphan' });
    await git.branch('staging', other);
    const tree = await openRef({ branch: 'staging' });
    assert.equal(tree.revision, other);
    assert.equal(await tree.stat('web/values.yaml'), undefined);
    assert.equal(await text(tree, 'other.txt'), 'other\n');
  });

  it('reads large and binary files as they are', async () => {
    const bytes = Buffer.alloc(3 << 20);
    for (let index = 0; index < bytes.length; index++) bytes[index] = (index * 7919) >> 5;
    await git.commit({ 'large.bin': bytes });
    const tree = await openRef({ branch: 'main' });
    assert.ok(Buffer.from(await tree.read('large.bin')).equals(bytes));
  });

  it('says that a branch is not there, with names that are near', async () => {
    await repository.poll();
    assert.throws(() => repository.resolve({ branch: 'stagin' }), {
      reason: 'RefNotFound',
      message: /no branch "stagin"\. Did you mean staging\?/,
    });
  });

  it('says that the repository is empty', async () => {
    const empty = sources.watch('empty', served.access('empty.git'), 3_600_000, () => undefined);
    await empty.poll();
    assert.throws(() => empty.resolve({}), { reason: 'RepositoryEmpty', remedy: 'Person' });
  });

  it('says that there is no repository', async () => {
    const missing = sources.watch('missing', served.access('nothing.git'), 3_600_000, () => undefined);
    await assert.rejects(missing.poll(), {
      reason: 'RepositoryNotFound',
      remedy: 'Person',
      message: /nothing\.git/,
    });
    assert.equal(missing.error?.reason, 'RepositoryNotFound');
  });

  it('says that a credential is not accepted, without repeating it', async (t) => {
    if (!served.wrong) return t.skip('the server takes everyone');
    const access = { ...served.access('shop.git'), credential: served.wrong };
    const refused = sources.watch('wrong', access, 3_600_000, () => undefined);
    await assert.rejects(refused.poll(), (error: Error & { reason: string }) => {
      assert.equal(error.reason, 'AuthenticationFailed');
      for (const secret of Object.values(served.wrong ?? {})) assert.ok(!error.message.includes(secret));
      return true;
    });
  });
}
