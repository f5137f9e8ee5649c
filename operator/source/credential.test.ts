import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { newCertificates } from '../../test/harness/certificates.ts';
import { parseCredential, redact } from './credential.ts';

function secret(data: Record<string, string>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]));
}

describe('a credential', () => {
  it('is read from the keys of a Secret', async () => {
    const { ca, clientCert, clientKey } = await newCertificates(['127.0.0.1']);
    const parsed = (data: Record<string, string>) => parseCredential(secret(data), 'https');
    assert.deepEqual(parsed({ username: 'me', password: 'p\n', other: 'x' }), {
      username: 'me',
      password: 'p',
    });
    assert.deepEqual(parsed({ bearerToken: 't', 'ca.crt': ca }), { bearerToken: 't', caCert: ca });
    assert.deepEqual(parsed({ 'tls.crt': clientCert, 'tls.key': clientKey }), { clientCert, clientKey });
    assert.deepEqual(
      parseCredential(secret({ identity: 'key\n', known_hosts: 'host\n', password: 'phrase' }), 'ssh'),
      {
        identity: 'key\n',
        knownHosts: 'host\n',
        identityPassword: 'phrase',
      },
    );
  });

  it('is read for what the URL needs where the Secret has more', () => {
    const both = secret({ identity: 'key', known_hosts: 'host', username: 'me', password: 'p' });
    for (const scheme of ['https', 'http'] as const)
      assert.deepEqual(parseCredential(both, scheme), { username: 'me', password: 'p' });
    assert.deepEqual(parseCredential(both, 'ssh'), {
      username: 'me',
      identity: 'key',
      knownHosts: 'host',
      identityPassword: 'p',
    });
    const withToken = secret({ identity: 'key', known_hosts: 'host', bearerToken: 't', 'tls.key': 'x' });
    assert.deepEqual(parseCredential(withToken, 'ssh'), { identity: 'key', knownHosts: 'host' });
  });

  it('that cannot be used for the URL is refused', async () => {
    const { clientCert, serverKey } = await newCertificates(['127.0.0.1']);
    const { privateKey: locked } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'phrase' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const cases: [Record<string, string>, 'https' | 'ssh', RegExp][] = [
      [{ identity: 'key', known_hosts: 'host' }, 'https', /none of the keys .* over HTTPS: username/],
      [{ username: 'me', password: 'p' }, 'ssh', /none of the keys .* over SSH: identity/],
      [
        { identity: 'x'.repeat(66_000), known_hosts: 'host' },
        'ssh',
        /more than 64 KiB .* "identity"; put one/,
      ],
      [{ known_hosts: 'host' }, 'ssh', /lacks "identity"/],
      [
        { identity: 'key', known_hosts: 'host key\n'.repeat(70_000) },
        'ssh',
        /more than 256 KiB in its key "known_hosts"; keep the lines/,
      ],
      [
        { 'tls.crt': clientCert, 'tls.key': 'S3cr3t' },
        'https',
        /no private key in PEM form in its key "tls\.key"/,
      ],
      [{ 'tls.crt': clientCert, 'tls.key': clientCert }, 'https', /no private key in PEM form/],
      [{ 'tls.crt': clientCert, 'tls.key': locked }, 'https', /with a passphrase in its key "tls\.key"/],
      [
        { 'tls.crt': clientCert, 'tls.key': serverKey },
        'https',
        /does not belong to the certificate in "tls\.crt"/,
      ],
    ];
    for (const [data, scheme, message] of cases) {
      const expected = { reason: 'CredentialInvalid', remedy: 'Person', message };
      assert.throws(() => parseCredential(secret(data), scheme), expected);
    }
  });

  it('S5: that is incomplete is refused, naming the key and no value', () => {
    const marked = 'S3cr3t-marker';
    const cases: [Record<string, string>, RegExp, 'ssh'?][] = [
      [{}, /none of the keys/],
      [{ token: marked }, /none of the keys/],
      [{ username: marked }, /lacks "password"/],
      [{ password: marked }, /lacks "username"/],
      [{ identity: marked }, /lacks "known_hosts"/, 'ssh'],
      [{ 'tls.key': marked }, /lacks "tls\.crt"/],
      [{ bearerToken: marked, username: marked, password: marked }, /both bearerToken and/],
      [{ username: '', password: marked }, /empty key "username"/],
      [{ username: 'a\r\nX-Evil: 1', password: marked }, /control character in its key "username"/],
      [{ bearerToken: `${marked}\n${marked}` }, /control character in its key "bearerToken"/],
      [{ bearerToken: 't', 'ca.crt': marked }, /no certificate in PEM form in its key "ca\.crt"/],
    ];
    for (const [data, message, scheme = 'https'] of cases) {
      assert.throws(
        () => parseCredential(secret(data), scheme),
        (error: Error & { reason: string; remedy: string }) => {
          assert.equal(error.reason, 'CredentialInvalid');
          assert.equal(error.remedy, 'Person');
          assert.match(error.message, message);
          assert.ok(!error.message.includes(marked));
          return true;
        },
      );
    }
  });

  it('S5: is taken out of texts that a server sent, in every form it travels in', () => {
    const credential = { username: 'me', password: 'p@ss w' };
    const base64 = Buffer.from('me:p@ss w').toString('base64');
    const clean = redact(`a p@ss w b ${base64} c p%40ss%20w`, credential);
    assert.equal(clean, 'a [redacted] b [redacted] c [redacted]');
  });
});
