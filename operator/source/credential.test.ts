import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newCertificates } from '../../test/harness/certificates.ts';
import { parseCredential, redact } from './credential.ts';

function secret(data: Record<string, string>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]));
}

describe('a credential', () => {
  it('is read from the keys of a Secret', async () => {
    const { ca, clientCert, clientKey } = await newCertificates(['127.0.0.1']);
    assert.deepEqual(parseCredential(secret({ username: 'me', password: 'p\n', other: 'x' })), {
      username: 'me',
      password: 'p',
    });
    assert.deepEqual(parseCredential(secret({ bearerToken: 't', 'ca.crt': ca })), {
      bearerToken: 't',
      caCert: ca,
    });
    assert.deepEqual(parseCredential(secret({ 'tls.crt': clientCert, 'tls.key': clientKey })), {
      clientCert,
      clientKey,
    });
    assert.deepEqual(
      parseCredential(secret({ identity: 'key\n', known_hosts: 'host\n', password: 'phrase' })),
      {
        identity: 'key\n',
        knownHosts: 'host\n',
        identityPassword: 'phrase',
      },
    );
  });

  it('S5: that is incomplete is refused, naming the key and no value', () => {
    const marked = 'S3cr3t-marker';
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /none of the keys/],
      [{ token: marked }, /none of the keys/],
      [{ username: marked }, /lacks "password"/],
      [{ password: marked }, /lacks "username"/],
      [{ identity: marked }, /lacks "known_hosts"/],
      [{ 'tls.key': marked }, /lacks "tls\.crt"/],
      [{ bearerToken: marked, username: marked, password: marked }, /both bearerToken and/],
      [{ username: '', password: marked }, /empty key "username"/],
      [{ username: 'a\r\nX-Evil: 1', password: marked }, /control character in its key "username"/],
      [{ bearerToken: 't', 'ca.crt': marked }, /no certificate in PEM form in its key "ca\.crt"/],
    ];
    for (const [data, message] of cases) {
      assert.throws(
        () => parseCredential(secret(data)),
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
