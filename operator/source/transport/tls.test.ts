import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer } from 'node:tls';
import { longestTurn, TURN_LIMIT_MS } from '../../../test/harness/event-loop.ts';
import { hugeKey } from '../../../test/harness/huge-key.ts';
import { dhParameters, selfSigned } from '../../../test/harness/self-signed.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { parseCredential } from '../credential.ts';
import { Sources } from '../sources.ts';

test('A15: a server with a group of its own for Diffie-Hellman holds up nobody', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const cert = selfSigned(privateKey);
  const group = randomBytes(1_024);
  group[0] = 0xff;
  group[group.length - 1] = 0xff;
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({
    key,
    cert,
    dhparam: dhParameters(group),
    maxVersion: 'TLSv1.2',
    ciphers: 'kDHE',
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sources = new Sources({ allowLoopback: true });
  t.after(() => sources.stop());
  t.after(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/shop.git`;
  const repository = sources.watch('test', { url, credential: { caCert: cert } }, 3_600_000, () => undefined);
  const longest = await longestTurn(t, () =>
    assert.rejects(repository.poll(), { reason: 'TLSFailed', message: /with ECDHE/ }),
  );
  assert.ok(longest < scaled(TURN_LIMIT_MS), `${longest} ms`);
});

test('A15: a client key that takes long to sign with is refused', () => {
  const key = hugeKey();
  const data = {
    'tls.crt': Buffer.from(selfSigned(key)),
    'tls.key': Buffer.from(key.export({ type: 'pkcs8', format: 'pem' })),
  };
  assert.throws(() => parseCredential(data, 'https'), {
    reason: 'CredentialInvalid',
    message: /an RSA key of 14336 bits in its key "tls\.key".*at most 8192/,
  });
});
