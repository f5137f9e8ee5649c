import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { longestPrefix, registryCredential } from './registry-credential.ts';

const bytes = (text: string) => Buffer.from(text);

describe('the credential of a chart repository', () => {
  test('S4: is that of the longest prefix, and a prefix ends where a part of the path does', () => {
    const entries = [
      'ghcr.io',
      'ghcr.io/acme',
      'https://charts.example.com/',
      'charts.example.com/private',
      'oci://charts.example.com',
      '[::1]:5000',
    ].map((prefix) => ({ prefix }));
    const found = (url: string) => longestPrefix(entries, url)?.prefix;
    assert.equal(found('oci://ghcr.io/acme/charts'), 'ghcr.io/acme');
    assert.equal(found('oci://GHCR.io:443/acme/'), 'ghcr.io/acme');
    assert.equal(found('oci://ghcr.io/acme2'), 'ghcr.io');
    assert.equal(found('oci://ghcr.io/Acme'), 'ghcr.io');
    assert.equal(found('https://charts.example.com'), 'https://charts.example.com/');
    assert.equal(found('https://charts.example.com/private/a'), 'charts.example.com/private');
    assert.equal(found('oci://charts.example.com/a'), 'oci://charts.example.com');
    assert.equal(found('oci://[::1]:5000/a'), '[::1]:5000');
    for (const foreign of [
      'https://charts.example.com.evil.example/private',
      'https://charts.example.com:8443/private',
      'https://evil.example/charts.example.com',
      'https://evilghcr.io/acme',
      'https://xcharts.example.com/',
    ])
      assert.equal(found(foreign), undefined, foreign);
    for (const prefix of ['', '/', 'https://', 'https:///'])
      assert.equal(longestPrefix([{ prefix }], 'https://charts.example.com'), undefined, prefix);
  });

  test('is read as for Git, or as docker login writes it', () => {
    const url = 'https://charts.example.com/acme';
    assert.deepEqual(registryCredential({ username: bytes('me'), password: bytes('pw\n') }, url), {
      username: 'me',
      password: 'pw',
    });
    assert.deepEqual(registryCredential({ bearerToken: bytes('t') }, url), { bearerToken: 't' });
    const docker = (auths: unknown) => ({ '.dockerconfigjson': bytes(JSON.stringify({ auths })) });
    const auth = Buffer.from('me:p:w').toString('base64');
    assert.deepEqual(registryCredential(docker({ 'https://charts.example.com': { auth } }), url), {
      username: 'me',
      password: 'p:w',
    });
    const several = docker({
      'charts.example.com': { username: 'all', password: 'x' },
      'charts.example.com/acme': { username: 'acme', password: 'x' },
      'charts.example.com/acme2': { username: 'other', password: 'x' },
    });
    assert.equal(registryCredential(several, url).username, 'acme');
    const hub = docker({ 'https://index.docker.io/v1/': { auth } });
    for (const host of ['docker.io', 'registry-1.docker.io'])
      assert.equal(registryCredential(hub, `oci://${host}/acme`).username, 'me');
  });

  test('may have a key of several lines for a password, as Google Artifact Registry gives it', () => {
    const password = JSON.stringify({ type: 'service_account', private_key: '-----BEGIN\nx\n' }, null, 2);
    const expected = { username: '_json_key', password };
    const url = 'oci://europe-docker.pkg.dev/acme/charts';
    const keys = { username: bytes('_json_key'), password: bytes(`${password}\n`) };
    assert.deepEqual(registryCredential(keys, url), expected);
    for (const entry of [expected, { auth: Buffer.from(`_json_key:${password}`).toString('base64') }]) {
      const config = JSON.stringify({ auths: { 'europe-docker.pkg.dev': entry } });
      assert.deepEqual(registryCredential({ '.dockerconfigjson': bytes(config) }, url), expected);
    }
  });

  test('S5: is refused where it cannot be used, and its values are not repeated', () => {
    const url = 'https://charts.example.com/acme';
    for (const [config, expected] of [
      ['secret', /no JSON with a map "auths"/],
      ['{"auths":[]}', /no JSON with a map "auths"/],
      ['{"auths":{"other.example":{"auth":"c2VjcmV0OnNlY3JldA=="}}}', /no entry for this registry/],
      ['{"auths":{"charts.example.com":{"auth":"secret"}}}', /without a user name and password/],
    ] as const)
      assert.throws(() => registryCredential({ '.dockerconfigjson': bytes(config) }, url), {
        reason: 'CredentialInvalid',
        message: new RegExp(`^(?!.*secret).*${expected.source}`),
      });
    assert.throws(() => registryCredential({ other: bytes('secret') }, url), { reason: 'CredentialInvalid' });
  });
});
