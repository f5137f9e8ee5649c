import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import ssh2 from 'ssh2';
import { longestTurn, TURN_LIMIT_MS } from '../../test/harness/event-loop.ts';
import { createRepository, type GitRepository } from '../../test/harness/git-repository.ts';
import { makeKey, startGitSsh, withoutSsh } from '../../test/harness/git-ssh.ts';
import { hugeKey } from '../../test/harness/huge-key.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { scaled } from '../../test/harness/slowness.ts';
import { pollOnce } from '../../test/harness/source.ts';

/** How ssh-keygen makes them. */
const KEYS: readonly { what: string; type: string; options?: readonly string[]; passphrase?: string }[] = [
  { what: 'of 100 rounds', type: 'ed25519', options: ['-a', '100'], passphrase: 'open sesame' },
  { what: 'of 128 rounds', type: 'ed25519', options: ['-a', '128'], passphrase: 'öäüß🔑' },
  { what: 'without a passphrase', type: 'ed25519' },
  { what: 'with a passphrase', type: 'rsa', passphrase: 'secret' },
  { what: 'with a passphrase, in PEM form', type: 'rsa', options: ['-m', 'PEM'], passphrase: 'secret' },
  { what: 'without a passphrase, in PEM form', type: 'rsa', options: ['-m', 'PEM'] },
  { what: 'of 256 bits', type: 'ecdsa', options: ['-b', '256'], passphrase: 'secret' },
  { what: 'of 384 bits', type: 'ecdsa', options: ['-b', '384'] },
  {
    what: 'of 521 bits, in PEM form',
    type: 'ecdsa',
    options: ['-b', '521', '-m', 'PEM'],
    passphrase: 'secret',
  },
];

/** As ssh-keygen would write one of 14,336 bits. */
function hugePair(): { privateKey: string; publicKey: string } {
  const privateKey = hugeKey().export({ type: 'pkcs1', format: 'pem' }).toString();
  const parsed = ssh2.utils.parseKey(privateKey);
  assert.ok(!(parsed instanceof Error));
  return { privateKey, publicKey: `ssh-rsa ${parsed.getPublicSSH().toString('base64')} huge\n` };
}

const beginning = (type: string) => `-----BEGIN ${type} PRIVATE KEY-----\n`;
const ending = (type: string) => `\n-----END ${type} PRIVATE KEY-----\n`;

describe('A15: an SSH key', { skip: withoutSsh() }, () => {
  let git: GitRepository;

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  });

  for (const { what, type, options, passphrase = '' } of KEYS) {
    it(`of type ${type} ${what} opens a repository, and holds up nobody`, async (t) => {
      const key = await makeKey(temporaryDirectory('keys'), 'own', type, passphrase, options);
      await assertOpens(t, key, passphrase);
    });
  }

  it('of type rsa and 14,336 bits opens a repository, and holds up nobody', async (t) => {
    await assertOpens(t, hugePair(), '');
  });

  it('that takes long to read is refused beside the event loop', async (t) => {
    const { url, knownHosts, stop } = await startGitSsh({ root: git.root });
    t.after(stop);
    const many = await makeKey(temporaryDirectory('keys'), 'many', 'ed25519', 'secret', ['-a', '300']);
    const hostile = [
      many.privateKey,
      beginning('RSA') + 'a: b\n'.repeat(12_000),
      `${beginning('RSA')}${'a:'.repeat(30_000)}${ending('RSA')}`,
      `${beginning('OPENSSH')}${'\n'.repeat(60_000)}`,
      `PuTTY-User-Key-File-2: ssh-rsa\n${'a: b\n'.repeat(12_000)}`,
    ];
    for (const identity of hostile) {
      const credential = { identity, identityPassword: 'secret', knownHosts };
      const longest = await longestTurn(t, async () =>
        assert.equal((await pollOnce({ url: url(git.name), credential })).reason, 'CredentialInvalid'),
      );
      assert.ok(longest < scaled(TURN_LIMIT_MS), `${longest} ms: ${identity.slice(0, 50)}`);
    }
  });

  it('is used after a key exchange whose group is no invention of the server', async (t) => {
    const exchange = async (algorithm: string) => {
      const configuration = [`KexAlgorithms ${algorithm}`];
      const { url, identity, knownHosts, stop } = await startGitSsh({ root: git.root, configuration });
      t.after(stop);
      let answer = { reason: '', message: '' };
      const longest = await longestTurn(t, async () => {
        answer = await pollOnce({ url: url(git.name), credential: { identity, knownHosts } });
      });
      assert.ok(longest < scaled(TURN_LIMIT_MS), `${algorithm}: ${longest} ms`);
      return answer;
    };
    const refused = await exchange('diffie-hellman-group-exchange-sha256');
    assert.equal(refused.reason, 'ProtocolUnsupported');
    assert.match(refused.message, /key exchanges that are taken: curve25519-sha256, .*KexAlgorithms\.$/);
    for (const algorithm of [
      'ecdh-sha2-nistp521',
      'diffie-hellman-group14-sha256',
      'diffie-hellman-group18-sha512',
    ])
      assert.deepEqual(await exchange(algorithm), { reason: '', message: '' }, algorithm);
  });

  async function assertOpens(
    t: { after(end: () => unknown): void },
    { privateKey, publicKey }: { privateKey: string; publicKey: string },
    passphrase: string,
  ): Promise<void> {
    const { url, knownHosts, stop } = await startGitSsh({ root: git.root, authorized: [publicKey] });
    t.after(stop);
    const credential = {
      identity: privateKey,
      knownHosts,
      ...(passphrase === '' ? {} : { identityPassword: passphrase }),
    };
    const longest = await longestTurn(t, async () => {
      const { reason, message } = await pollOnce({ url: url(git.name), credential });
      assert.equal(reason, '', message);
    });
    assert.ok(longest < scaled(TURN_LIMIT_MS), `${longest} ms`);
  }
});
