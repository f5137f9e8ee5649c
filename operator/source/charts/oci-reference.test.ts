import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { processorMs } from '../../../test/harness/processor-time.ts';
import { linkedNext } from './link-header.ts';
import { ociReference, ociRepository, tagOf, versionOf } from './oci-reference.ts';
import { isOfRegistry } from './registry-session.ts';

describe('where a registry keeps a chart', () => {
  const named = (url: string, chart = 'redis') => {
    const { origin, name } = ociReference(ociRepository(url), chart);
    return `${origin}/v2/${name}`;
  };

  test('is read as Helm reads it', () => {
    assert.equal(named('oci://ghcr.io/acme/charts'), 'https://ghcr.io/v2/acme/charts/redis');
    assert.equal(named('OCI://GHCR.io:443/acme//'), 'https://ghcr.io/v2/acme/redis');
    assert.equal(named('oci://registry.example.com:5000'), 'https://registry.example.com:5000/v2/redis');
    assert.equal(
      named('oci://[2001:db8::1]:5000/a__b/c-d.e'),
      'https://[2001:db8::1]:5000/v2/a__b/c-d.e/redis',
    );
    assert.equal(named('oci://docker.io/acme'), 'https://registry-1.docker.io/v2/acme/redis');
  });

  test('S4: has no credential, no tag and nothing that leads elsewhere, and no message repeats one', () => {
    for (const url of [
      'oci://me:secret@ghcr.io/acme',
      'oci://secret@ghcr.io/acme',
      'oci://ghcr.io/acme:secret',
      'oci://ghcr.io/acme?secret',
      'oci://ghcr.io/../secret',
      'oci://ghcr.io/%2e%2e/secret',
      'oci://ghcr.io\\@secret/acme',
      'oci://ghcr.io/acme/ secret',
      'oci://ghcr.io:99999/acme',
      'oci:///secret',
      `oci://ghcr.io/${'secret/'.repeat(1_000)}x`,
    ])
      assert.throws(
        () => ociRepository(url),
        { reason: 'ChartRepositoryInvalid', message: /^(?!.*secret)/ },
        url,
      );
    for (const chart of ['Redis', '..', 'a/../b', '', 'x'.repeat(300)])
      assert.throws(() => named('oci://ghcr.io/acme', chart), { reason: 'ChartNotFound' });
  });

  test('has a tag for each version', () => {
    assert.equal(tagOf('1.0.0+build.7'), '1.0.0_build.7');
    assert.equal(versionOf('1.0.0_build.7'), '1.0.0+build.7');
    assert.equal(tagOf('x'.repeat(129)), undefined);
  });
});

test('S4: a realm is of a registry on its own host and domain only', () => {
  for (const [realm, registry, isOf] of [
    ['ghcr.io', 'ghcr.io', true],
    ['auth.docker.io', 'registry-1.docker.io', true],
    ['gitlab.com', 'registry.gitlab.com', true],
    ['auth.ghcr.io', 'ghcr.io', true],
    ['evil.io', 'ghcr.io', false],
    ['evilghcr.io', 'ghcr.io', false],
    ['evildocker.io', 'registry-1.docker.io', false],
    ['docker.io.evil.example', 'registry-1.docker.io', false],
    ['10.0.0.2', '10.0.0.1', false],
    ['[::2]', '[::1]', false],
    ['other', 'registry', false],
  ] as const)
    assert.equal(isOfRegistry(realm, registry), isOf, `${realm} for ${registry}`);
});

describe('the next page of a list', () => {
  const page = new URL('https://ghcr.io/v2/acme/redis/tags/list?n=2');
  const next = (...headers: string[]) => linkedNext(headers, page, 'the list')?.href;

  test('is where the header says', () => {
    assert.equal(next('</v2/acme/redis/tags/list?n=2&last=b>; rel="next"'), `${page.href}&last=b`);
    assert.equal(next('<https://ghcr.io/next>;rel=next'), 'https://ghcr.io/next');
    assert.equal(next('</first>; rel="first", </next>; rel="next"'), 'https://ghcr.io/next');
    assert.equal(next('</first>; rel="first"'), undefined);
    assert.equal(next(), undefined);
  });

  test('is asked of the registry itself where that names it by http, as one behind a proxy that ends TLS', () => {
    const path = '/v2/acme/redis/tags/list?n=2&last=b';
    for (const own of ['http://ghcr.io', 'http://GHCR.io:443', 'http://ghcr.io:80'])
      assert.equal(next(`<${own}${path}>; rel="next"`), `https://ghcr.io${path}`);
    const other = new URL('https://ghcr.io:5000/v2/acme/redis/tags/list');
    assert.equal(
      linkedNext([`<http://ghcr.io:5000${path}>; rel="next"`], other, 'the list')?.href,
      `https://ghcr.io:5000${path}`,
    );
  });

  test('S4: is at the same origin, and one elsewhere is no end of the list, but told', () => {
    for (const [other, shown] of [
      ['https://evil.example/', /^The list goes on at https:\/\/evil\.example\/, by its Link header: /],
      ['//evil.example/', /at https:\/\/evil\.example\/,/],
      ['http://ghcr.io/', /at http:\/\/ghcr\.io\/, .* Have who runs the registry/],
      ['http://ghcr.io:5000/v2/acme/redis/tags/list', /at http:\/\/ghcr\.io:5000\/v2\//],
      ['http://registry:5000/v2/acme/redis/tags/list', /at http:\/\/registry:5000\/v2\//],
      ['http://me:secret@evil.example/v2/', /^(?!.*secret)/],
      ['https://ghcr.io:444/', /at https:\/\/ghcr\.io:444\//],
      ['http://[', /at http:\/\/\[,/],
    ] as const)
      assert.throws(() => next(`<${other}>; rel="next"`), { reason: 'ChartIndexInvalid', message: shown });
    assert.throws(() => next(`<http://evil.example/${'x'.repeat(10_000)}>; rel="next"`), {
      message: /^.{1,600}$/,
    });
  });

  test('S9: is looked for in a time like the length of the header', () => {
    const took = processorMs(() => {
      for (const hostile of ['<', '<>', '<>;', '<>; rel=', '>'])
        assert.equal(next(hostile.repeat(1_000_000)), undefined);
    });
    assert.ok(took < 1_000, `${took} ms`);
  });
});
