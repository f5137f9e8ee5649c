import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../api/v1alpha1/application.ts';
import {
  chartCredentialsOf,
  publishedCredentialOf,
  publishedCredentialsOf,
  registrySecretsOf,
  secretFieldOf,
} from './chart-credentials.ts';
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

test('S4: a published chart is fetched with its own Secret, or with that of the longest prefix', () => {
  const repoURL = 'https://charts.example.com/acme';
  const published = (secretRef: object, ...registries: [prefix: string, secret: string][]): Application => {
    const { metadata, spec } = application(...registries);
    const chart = { repoURL, name: 'web', version: '1.0.0', interval: '5m', ...secretRef };
    return { metadata, spec: { ...spec, helm: { ...spec.helm, chart } } } as Application;
  };
  const other = { username: 'you', password: 'pw' };
  const contents = new Map([
    ['Secret/a', content(pair)],
    ['Secret/b', content(other)],
  ]);
  const own = published({ secretRef: { name: 'b' } }, ['charts.example.com', 'a']);
  assert.deepEqual(
    registrySecretsOf(own).map(({ name }) => name),
    ['b', 'a'],
  );
  assert.deepEqual(publishedCredentialOf(own, contents), other);
  // A registry to which its index leads gets what is named for that, and nothing of the repository's.
  const credentialFor = publishedCredentialsOf(own, contents);
  assert.deepEqual(credentialFor(repoURL), other);
  assert.equal(credentialFor('oci://ghcr.io/acme/web'), undefined);
  assert.deepEqual(credentialFor('oci://charts.example.com/web'), pair);
  const shared = published({}, ['charts.example.com', 'a']);
  assert.deepEqual(publishedCredentialOf(shared, contents), pair);
  assert.equal(secretFieldOf(shared), 'spec.helm.registries');
  const without = published({}, ['other.example', 'a']);
  assert.equal(publishedCredentialOf(without, contents), undefined);
  assert.equal(secretFieldOf(without), 'spec.helm.chart.secretRef');
  assert.throws(() => publishedCredentialOf(published({ secretRef: { name: 'missing' } }), contents), {
    reason: 'SecretMissing',
    message: /^Secret shop\/missing, which spec\.helm\.chart\.secretRef names for the chart, does not exist/,
  });
});
