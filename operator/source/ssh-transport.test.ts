import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createRepository, type GitRepository } from '../../test/harness/git-repository.ts';
import { findSshd, type GitSshServer, makeKey, startGitSsh } from '../../test/harness/git-ssh.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import type { Credential } from './credential.ts';
import { Sources, type SourcesOptions } from './sources.ts';

const skip = findSshd() === undefined && 'sshd is not installed';

describe('a repository over SSH', { skip }, () => {
  let git: GitRepository;
  let server: GitSshServer;

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    server = await startGitSsh({ root: git.root });
  });
  after(() => server.stop());

  async function poll(
    credential: Credential,
    options: SourcesOptions = {},
    url = server.url(git.name),
  ): Promise<{ reason: string; message: string }> {
    const sources = new Sources({ allowLoopback: true, ...options });
    try {
      await sources.watch('test', { url, credential }, 3_600_000, () => undefined).poll();
      return { reason: '', message: '' };
    } catch (error) {
      return error as { reason: string; message: string };
    } finally {
      await sources.stop();
    }
  }

  const host = () => `[127.0.0.1]:${server.port}`;
  const hostKey = () => server.knownHosts.slice(server.knownHosts.indexOf(' ')).trim();

  it('S10: a known host key is accepted, also hashed, by a pattern and among others', async () => {
    const { identity } = server;
    const salt = randomBytes(20);
    const hash = createHmac('sha1', salt).update(host()).digest('base64');
    const { publicKey } = await makeKey(temporaryDirectory('keys'), 'other', 'ed25519', '');
    const accepted = [
      `|1|${salt.toString('base64')}|${hash} ${hostKey()}`,
      `[127.0.0.*]:${server.port} ${hostKey()}`,
      `# comment\n\nexample.com ${publicKey}${host()},example.org ${publicKey}${host()} ${hostKey()} comment`,
    ];
    for (const knownHosts of accepted)
      assert.equal((await poll({ identity, knownHosts })).reason, '', knownHosts);
  });

  it('S10: a wrong host key is refused', async () => {
    const { identity } = server;
    for (const type of ['ed25519', 'ecdsa']) {
      const { publicKey } = await makeKey(temporaryDirectory('keys'), type, type, '');
      const { reason, message } = await poll({ identity, knownHosts: `${host()} ${publicKey}` });
      assert.equal(reason, 'HostKeyMismatch', type);
      assert.match(message, /someone poses as it/);
    }
    const revoked = `${server.knownHosts}@revoked ${host()} ${hostKey()}\n`;
    assert.equal((await poll({ identity, knownHosts: revoked })).reason, 'HostKeyMismatch');
  });

  it('S10: a host without a known key is refused; nothing is trusted on first use', async () => {
    const { identity } = server;
    const unknown = [
      `127.0.0.1 ${hostKey()}`,
      `[127.0.0.1]:${server.port + 1} ${hostKey()}`,
      `!${host()},[127.0.0.*]:${server.port} ${hostKey()}`,
      `@cert-authority ${host()} ${hostKey()}`,
      'not a key at all',
      '\n',
    ];
    for (const knownHosts of unknown) {
      assert.equal((await poll({ identity, knownHosts })).reason, 'HostKeyUnknown', knownHosts);
    }
  });

  it('says that the key is locked or no key', async () => {
    const { knownHosts } = server;
    const { privateKey } = await makeKey(temporaryDirectory('keys'), 'locked', 'ed25519', 'secret phrase');
    const locked = await poll({ identity: privateKey, knownHosts });
    assert.equal(locked.reason, 'CredentialInvalid');
    assert.match(locked.message, /passphrase/);
    const wrong = await poll({ identity: privateKey, identityPassword: 'wrong phrase', knownHosts });
    assert.equal(wrong.reason, 'CredentialInvalid');
    assert.ok(!wrong.message.includes('wrong phrase'));
    assert.equal((await poll({ identity: 'nonsense', knownHosts })).reason, 'CredentialInvalid');
    assert.equal((await poll({})).reason, 'AuthenticationFailed');
  });

  it('a path cannot become a command', async () => {
    const { identity, knownHosts } = server;
    const url = `ssh://127.0.0.1:${server.port}/x';echo%20pwned;'`;
    const { reason, message } = await poll({ identity, knownHosts, username: 'root' }, {}, url);
    assert.notEqual(reason, '');
    assert.ok(['RepositoryNotFound', 'AuthenticationFailed'].includes(reason), message);
  });

  it('a server that stops answering ends in a timeout', async () => {
    const { identity, knownHosts } = server;
    server.process.pause();
    try {
      const options = { timeouts: { connectMs: 1_000, idleMs: 1_000, advertiseMs: 5_000 } };
      assert.equal((await poll({ identity, knownHosts }, options)).reason, 'Timeout');
    } finally {
      server.process.resume();
    }
  });
});
