import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import ssh2, { type Algorithms, type Connection, type ServerChannel } from 'ssh2';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { type GitSshServer, makeKey, startGitSsh, withoutSsh } from '../../../test/harness/git-ssh.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { floodRefs } from '../../../test/harness/ref-flood.ts';
import { pollOnce } from '../../../test/harness/source.ts';
import { newSshKeys } from '../../../test/harness/ssh-keys.ts';
import type { Credential } from '../credential.ts';
import { type Access, type Repository, Sources, type SourcesOptions } from '../sources.ts';
import { flush, packet } from '../wire/pkt-line.ts';

const skip = withoutSsh();

describe('a repository over SSH', { skip }, () => {
  let git: GitRepository;
  let server: GitSshServer;

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    server = await startGitSsh({ root: git.root });
  });
  after(() => server.stop());

  const poll = (credential: Credential, options: SourcesOptions = {}, url = server.url(git.name)) =>
    pollOnce({ url, credential }, options);

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

  it('the public half of a key in the place of the private one is told', async () => {
    const { publicKey } = await makeKey(temporaryDirectory('keys'), 'own', 'ed25519', '');
    const failure = await poll({ identity: publicKey, knownHosts: server.knownHosts });
    assert.equal(failure.reason, 'CredentialInvalid');
    assert.match(
      failure.message,
      /public half of an SSH key in its key "identity"\. Put the private one there/,
    );
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

describe('an SSH server of its own make', () => {
  const keys = newSshKeys();
  const closing: (() => Promise<void>)[] = [];
  after(async () => {
    for (const close of closing) await close();
  });

  /** Lets everyone in, and answers each command by the function. */
  async function serve(
    answer: (channel: ServerChannel) => void,
    algorithms: Algorithms = {},
  ): Promise<Access> {
    const clients = new Set<Connection>();
    const server = new ssh2.Server({ hostKeys: [keys.private], algorithms }, (client) => {
      clients.add(client);
      client.on('error', () => undefined);
      client.on('authentication', (attempt) => attempt.accept());
      client.on('session', (accept) => accept().on('exec', (acceptCommand) => answer(acceptCommand())));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    closing.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          for (const client of clients) client.end();
        }),
    );
    const knownHosts = `[127.0.0.1]:${port} ${keys.public}\n`;
    return {
      url: `ssh://git@127.0.0.1:${port}/shop.git`,
      credential: { identity: keys.private, knownHosts },
    };
  }

  async function watch(access: Access, work: (repository: Repository) => Promise<unknown>): Promise<void> {
    const sources = new Sources({ allowLoopback: true });
    try {
      await work(sources.watch('test', access, 3_600_000, () => undefined));
    } finally {
      await sources.stop();
    }
  }

  it('A15: that compresses is not let: in one turn, what it sends could become a thousand times as large', async () => {
    const refs = packet(`${'a'.repeat(40)} refs/heads/main\0side-band-64k\n`);
    const access = await serve((channel) => void channel.write(Buffer.concat([refs, flush])), {
      compress: ['zlib@openssh.com', 'zlib'],
    });
    await watch(access, (repository) =>
      assert.rejects(repository.poll(), {
        reason: 'ProtocolUnsupported',
        message: /have no C->S compression in common\. Let the server offer what OpenSSH offers/,
      }),
    );
  });

  it('S9: that sends ever more refs is cut off by their bytes, and by the length of a name', async () => {
    const cases: [length: number, message: RegExp, maxBytes: number][] = [
      [1_000, /a list of refs of more than 64 MiB\. Delete/, 96 << 20],
      [1_100, /a ref whose name has more than 1 KiB\. Delete/, 8 << 20],
    ];
    for (const [length, message, maxBytes] of cases) {
      let sent = { bytes: 0 };
      const access = await serve((channel) => {
        sent = floodRefs(channel, (index) => String(index).padStart(length, 'x'));
      });
      await watch(access, (repository) =>
        assert.rejects(repository.poll(), { reason: 'TooLarge', remedy: 'Person', message }),
      );
      assert.ok(sent.bytes < maxBytes, `${sent.bytes} bytes were sent`);
    }
  });

  it('S9: that sends ever more refs before a fetch is cut off by their bytes', async () => {
    let sent = { bytes: 0 };
    let isPoll = true;
    const refs = packet(`${'a'.repeat(40)} refs/heads/main\0side-band-64k symref=HEAD:refs/heads/main\n`);
    const access = await serve((channel) => {
      if (isPoll) channel.write(Buffer.concat([refs, flush]));
      else sent = floodRefs(channel, (index) => String(index).padStart(60_000, 'x'));
    });
    await watch(access, async (repository) => {
      await repository.poll();
      isPoll = false;
      await assert.rejects(repository.open(repository.resolve({})), {
        reason: 'TooLarge',
        message: /a list of refs of more than 64 MiB/,
      });
    });
    assert.ok(sent.bytes < 96 << 20, `${sent.bytes} bytes were sent`);
  });
});
