import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TURN_LIMIT_MS } from '../../test/harness/event-loop.ts';
import { processorMs } from '../../test/harness/processor-time.ts';
import { scaled } from '../../test/harness/slowness.ts';
import {
  comparableRepository,
  isAllowedChartRepository,
  isAllowedRepository,
} from './allowed-repositories.ts';

const FORMS: readonly (readonly [form: string, ...urls: string[]])[] = [
  [
    'https://git.example.com/shop/web',
    'https://git.example.com/shop/web',
    'https://git.example.com/shop/web.git',
    'https://git.example.com/shop/web.git/',
    'https://git.example.com/shop/web//',
    'HTTPS://Git.Example.COM/shop/web',
    'https://git.example.com./shop/web',
    'https://git.example.com:443/shop/web',
    'https://git.example.com/shop/%77eb',
  ],
  ['https://git.example.com/Shop/web', 'https://git.example.com/Shop/web'],
  ['https://git.example.com:8443/shop/web', 'https://git.example.com:8443/shop/web.git'],
  ['http://git.example.com/shop/web', 'http://git.example.com:80/shop/web'],
  ['https://dev.azure.com/a/web shop/_git/site', 'https://dev.azure.com/a/web%20shop/_git/site'],
  [
    'ssh://git.example.com/shop/web',
    'git@git.example.com:shop/web.git',
    'alice@GIT.example.com:/shop/web',
    'git.example.com:shop/web',
    'ssh://git@git.example.com/shop/web.git',
    'ssh://git.example.com:22/shop/web',
  ],
  ['ssh://git.example.com:2222/shop/web', 'ssh://git@git.example.com:2222/shop/web'],
  ['ssh://git.example.com/~me/web', 'ssh://git@git.example.com/~me/web'],
  ['ssh://[2001:db8::1]/web', 'git@[2001:DB8::1]:web.git', 'ssh://git@[2001:db8::1]/web'],
  ['ssh://git.example.com/a@[b]:c', 'git@git.example.com:a@[b]:c'],
];

test('S2: every way to write an address of a repository is compared in one form', () => {
  for (const [form, ...urls] of FORMS)
    for (const url of urls) assert.equal(comparableRepository(url), form, url);
});

test('S2: an address that a server may read in another way than it is written has no form, and no pattern allows it', () => {
  for (const url of [
    'https://git.example.com/shop/../other/web',
    'https://git.example.com/shop/%2e%2e/other/web',
    'https://git.example.com/shop/%2E./other/web',
    'https://git.example.com/shop/./web',
    'https://git.example.com/shop/..%2fother/web',
    'https://git.example.com/shop%2Fweb',
    'https://git.example.com/shop/%5c..%5cother',
    'https://git.example.com/shop\\..\\other/web',
    'https://git.example.com\\other/web',
    'https://git.example.com/shop/%252e%252e/web',
    'https://git.example.com//shop/web',
    'https://git.example.com/shop//web',
    'https://git.example.com/shop/%00web',
    'https://git.example.com/shop/%zz',
    'https://git.example.com/.git',
    'git@git.example.com:shop/../other/web',
    'git@git.example.com:/../other',
    'git@git.example.com://shop/web',
    'ssh://git@git.example.com/shop/../other/web',
    'https://user@git.example.com/shop/web',
    'https://git.example.com/shop/web?x',
    'https://git.example.com/',
    'file:///srv/git/web',
    '',
  ]) {
    assert.equal(comparableRepository(url), undefined, url);
    assert.equal(isAllowedRepository(['**'], url), false, url);
  }
});

const LONGEST_NAME = `git.example.com:${'a'.repeat(1_024 - 'git.example.com:'.length)}`;

const MATCHES: readonly (readonly [
  pattern: string,
  allowed: readonly string[],
  refused: readonly string[],
])[] = [
  [
    'https://git.example.com/shop/*',
    ['https://git.example.com/shop/web', 'https://GIT.example.com/shop/web.git'],
    [
      'https://git.example.com/shop',
      'https://git.example.com/shop/a/web',
      'https://git.example.com/shopping/web',
      'https://git.example.com/Shop/web',
      'https://git.example.com.evil.example/shop/web',
      'https://evil.example/git.example.com/shop/web',
      'https://git.example.com:8443/shop/web',
      'http://git.example.com/shop/web',
      'git@git.example.com:shop/web',
    ],
  ],
  [
    'https://git.example.com/shop/**',
    ['https://git.example.com/shop/web', 'https://git.example.com/shop/a/b/web.git'],
    ['https://git.example.com/shop', 'https://git.example.com/other/shop/web'],
  ],
  ['https://git.example.com/*/web', ['https://git.example.com/a/web'], ['https://git.example.com/a/b/web']],
  [
    'https://git.example.com/**/web',
    ['https://git.example.com/a/b/web'],
    ['https://git.example.com/a/b/web2'],
  ],
  [
    'https://git.example.com/shop-*/web-*-api',
    ['https://git.example.com/shop-a/web-b-api', 'https://git.example.com/shop-/web-a-api-api'],
    ['https://git.example.com/shop-a/web-api', 'https://git.example.com/shop-a/b/web-c-api'],
  ],
  [
    'HTTPS://bot@GIT.example.com:443/shop/web.git/',
    ['https://git.example.com/shop/web'],
    ['https://git.example.com/shop/web2'],
  ],
  [
    'https://git.example.com/a/web%20shop/*',
    ['https://git.example.com/a/web%20shop/x'],
    ['https://git.example.com/a/web/x'],
  ],
  [
    'git@git.example.com:shop/*',
    ['ssh://git.example.com/shop/web', 'me@git.example.com:shop/web'],
    ['https://git.example.com/shop/web'],
  ],
  [
    'ssh://git.example.com:22/shop/*.git',
    ['git@git.example.com:shop/web'],
    ['ssh://git.example.com:2222/shop/web'],
  ],
  [
    'https://*.example.com/shop/*',
    ['https://git.example.com/shop/web'],
    ['https://example.com/shop/web', 'https://git.example.com.evil.example/shop/web'],
  ],
  ['https://*.example.com:8443/**', ['https://a.example.com:8443/b/c'], ['https://a.example.com/b/c']],
  ['**', ['https://git.example.com/a/b', 'git@git.example.com:a'], []],
  ['*', [], ['https://git.example.com/a/b']],
  ['', [], ['https://git.example.com/a/b']],
  ['https://git.example.com', [], ['https://git.example.com/a/b']],
  // As long as an Environment takes one, and one character more.
  [LONGEST_NAME, [LONGEST_NAME, `ssh://${LONGEST_NAME.replace(':', '/')}`], ['git.example.com:a']],
  [`${LONGEST_NAME}*`, [], [LONGEST_NAME]],
  ['https://git.example.com/***', ['https://git.example.com/a/b'], ['https://example.com/a/b']],
];

test('S2: `*` stands for anything but `/`, `**` for anything', () => {
  for (const [pattern, allowed, refused] of MATCHES) {
    for (const url of allowed) assert.ok(isAllowedRepository([pattern], url), `${pattern} allows ${url}`);
    for (const url of refused) assert.ok(!isAllowedRepository([pattern], url), `${pattern} refuses ${url}`);
  }
});

test('S2: one pattern of several is enough, and an empty list allows none', () => {
  const url = 'https://git.example.com/shop/web';
  assert.ok(isAllowedRepository(['https://git.example.com/a/*', 'https://git.example.com/shop/*'], url));
  assert.ok(!isAllowedRepository([], url));
});

test('S17: a chart of a registry is allowed by itself, or by where it is', () => {
  const isAllowed = (pattern: string, repository: string, chart = 'redis') =>
    isAllowedChartRepository([pattern], repository, chart);
  const acme = 'oci://ghcr.io/acme';
  for (const pattern of [
    '**',
    'oci://ghcr.io/**',
    'oci://ghcr.io/acme/redis',
    'OCI://bot@GHCR.io:443/acme/*/',
    'oci://ghcr.io/acme',
    'oci://*.io/acme',
  ])
    for (const spelling of [acme, 'OCI://GHCR.io:443/acme/'])
      assert.ok(isAllowed(pattern, spelling), `${pattern} allows ${spelling}`);
  for (const pattern of [
    '*',
    'https://ghcr.io/**',
    'oci://ghcr.io/acme/redis.git',
    'oci://ghcr.io/acme/mysql',
    'oci://ghcr.io/acme/redis/*',
    'oci://ghcr.io:5000/**',
  ])
    assert.ok(!isAllowed(pattern, acme), `${pattern} refuses`);
  assert.ok(isAllowed('oci://ghcr.io/*', 'oci://ghcr.io'));
  for (const [repository, chart] of [
    [acme, '../evil/redis'],
    [acme, ''],
    ['oci://ghcr.io/acme/../evil', 'redis'],
    ['oci://ghcr.io/acme%2fevil', 'redis'],
    ['oci://ghcr.io@evil.example/acme', 'redis'],
    ['oci://ghcr.io\\@evil.example/acme', 'redis'],
  ] as const)
    assert.ok(!isAllowed('**', repository, chart), `${repository} ${chart}`);
});

test('what a tenant writes is compared in time that grows with its length alone', () => {
  for (const middle of ['**', '*']) {
    const pattern = `https://git.example.com/${'*a'.repeat(250)}${middle}${'*a'.repeat(248)}b`;
    assert.ok(pattern.length <= 1_024);
    const times = [250, 1_000, 2_000].map((length) =>
      processorMs(() =>
        assert.ok(!isAllowedRepository([pattern], `https://git.example.com/${'a'.repeat(length)}`)),
      ),
    );
    assert.ok(Math.max(...times) < scaled(TURN_LIMIT_MS), `${middle}: ${times.join(' ms, ')} ms`);
  }
});
