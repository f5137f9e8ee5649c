import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { before, describe, it } from 'node:test';
import ssh2 from 'ssh2';
import { longestTurn, TURN_LIMIT_MS } from '../../../test/harness/event-loop.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { makeKey, startGitSsh, withoutSsh } from '../../../test/harness/git-ssh.ts';
import { hugeKey } from '../../../test/harness/huge-key.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { pollOnce } from '../../../test/harness/source.ts';
import { newSshKeys } from '../../../test/harness/ssh-keys.ts';

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

/** An RSA key in PEM form of numbers with so many bits, which are no key's. */
function rsaOf(bits: number, exponent: Buffer = Buffer.from([1, 0, 1])): string {
  const number = (size: number) => {
    const bytes = Buffer.alloc(size / 8, 0xa5);
    bytes[0] = 0xff;
    return bytes;
  };
  const [whole, half] = [number(bits), number(bits / 2)];
  const numbers = [Buffer.from([0]), whole, exponent, whole, half, half, half, half, half];
  const content = Buffer.concat(numbers.map((each) => der(2, Buffer.concat([Buffer.from([0]), each]))));
  const text = der(0x30, content).toString('base64').replace(/.{64}/g, '$&\n');
  return `${beginning('RSA')}${text}${ending('RSA')}`;
}

/** A value in DER (X.690). */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head = length < 128 ? [length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

/** Of one key the public half, of another the private one. */
function mismatched(): string {
  const [one, other] = [0, 1].map(() => newSshKeys());
  const bytesOf = (text = '') => Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64');
  const publicOf = (text = '') => Buffer.from(text.split(' ')[1] ?? '', 'base64').subarray(-32);
  const file = bytesOf(one?.private);
  // It stands there three times: as the public key, and twice beside the private one.
  for (let at = file.indexOf(publicOf(one?.public)); at >= 0; at = file.indexOf(publicOf(one?.public)))
    publicOf(other?.public).copy(file, at);
  return `${beginning('OPENSSH')}${file.toString('base64')}${ending('OPENSSH')}`;
}

/** What is read as a key, and is none that could be used. */
const UNUSABLE: readonly (readonly [string, () => string, RegExp])[] = [
  ['of type rsa and 65,536 bits', () => rsaOf(65_536), /an RSA key of 65536 bits .* at most 16384 are taken/],
  ['of type rsa and 16,392 bits', () => rsaOf(16_392), /an RSA key of 16392 bits/],
  [
    'of type rsa with a huge exponent',
    () => rsaOf(8_192, Buffer.alloc(1_024, 0x7f)),
    /public exponent of 8191 bits/,
  ],
  [
    'of type rsa whose numbers are no key',
    () => rsaOf(4_096),
    /cannot be signed with|do not belong together/,
  ],
  [
    'of type rsa and 512 bits',
    () =>
      generateKeyPairSync('rsa', { modulusLength: 512 })
        .privateKey.export({ type: 'pkcs1', format: 'pem' })
        .toString(),
    /cannot be signed with/,
  ],
  [
    'of type ed25519 whose halves are of two keys',
    mismatched,
    /do not belong together|cannot be signed with/,
  ],
];

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

  for (const [what, identity, says] of UNUSABLE)
    it(`${what} is refused in words, soon, and holds up nobody`, async (t) => {
      const { url, knownHosts, stop } = await startGitSsh({ root: git.root });
      t.after(stop);
      const began = performance.now();
      const longest = await longestTurn(t, async () => {
        const credential = { identity: identity(), knownHosts };
        const { reason, message } = await pollOnce({ url: url(git.name), credential });
        assert.equal(reason, 'CredentialInvalid', message);
        assert.match(message, says);
      });
      assert.ok(performance.now() - began < scaled(10_000), `${performance.now() - began} ms`);
      assert.ok(longest < scaled(TURN_LIMIT_MS), `${longest} ms`);
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
