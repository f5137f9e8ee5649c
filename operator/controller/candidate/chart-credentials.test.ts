import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../api/v1alpha1/application.ts';
import { chartCredentialsOf, registrySecretsOf } from './chart-credentials.ts';
import type { ReferencedContent } from './references.ts';

const application = (...registries: [prefix: string, secret: string][]): Application =>
  ({
    metadata: { namespace: 'shop', name: 'web' },
    spec: { helm: { registries: registries.map(([prefix, name]) => ({ prefix, secretRef: { name } })) } },
  }) as unknown as Application;

const content = (data: Record<string, string>, hosts?: string): ReferencedContent => ({
  data: new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)])),
  hosts,
});

const pair = { username: 'me', password: 'pw' };

test('S2: the Secrets of charts are those of the Application’s own namespace', () => {
  assert.deepEqual(registrySecretsOf(application(['ghcr.io', 'a'], ['quay.io', 'b'])), [
    { kind: 'Secret', namespace: 'shop', name: 'a' },
    { kind: 'Secret', namespace: 'shop', name: 'b' },
  ]);
});

test('S4: a credential is for what is below its prefix, and one that nothing needs may be missing', () => {
  const credentialFor = chartCredentialsOf(
    application(['charts.example.com/acme', 'a'], ['https://other.example', 'missing']),
    new Map([['Secret/a', content(pair)]]),
  );
  assert.deepEqual(credentialFor('https://charts.example.com/acme/'), pair);
  assert.equal(credentialFor('https://charts.example.com/acme/../public'), undefined);
  assert.equal(credentialFor('https://charts.example.com.evil.example/acme'), undefined);
  assert.throws(() => credentialFor('https://other.example/charts'), {
    reason: 'SecretMissing',
    remedy: 'Resource',
    message:
      /^Secret shop\/missing, which spec\.helm\.registries names for https:\/\/other\.example, does not/,
  });
});

test('S17: a Secret that is bound to hosts goes to no other one', () => {
  const credentialFor = chartCredentialsOf(
    application(['charts.example.com', 'a'], ['bound.example:8443', 'a']),
    new Map([['Secret/a', content(pair, 'bound.example:8443')]]),
  );
  // A registry may want it sent to a token service.
  assert.deepEqual(credentialFor('https://bound.example:8443/x'), { ...pair, hosts: 'bound.example:8443' });
  assert.throws(() => credentialFor('https://charts.example.com'), {
    reason: 'HostNotListed',
    message: /^Secret shop\/a may not be sent to charts\.example\.com:443/,
  });
});

test('S5: a Secret that cannot be read is named, and nothing of it repeated', () => {
  const credentialFor = chartCredentialsOf(
    application(['x.example', 'a']),
    new Map([['Secret/a', content({ username: 'secret' })]]),
  );
  assert.throws(() => credentialFor('https://x.example'), {
    reason: 'CredentialInvalid',
    message:
      /^(?!.*secret[^R])The credential .*"password".* It is in Secret shop\/a, which spec\.helm\.registries/,
  });
});
