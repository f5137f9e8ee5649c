import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { processorMs } from '../../test/harness/processor-time.ts';
import { refusedBy } from './bound-hosts.ts';
import { parseRemoteUrl } from './remote-url.ts';

const opens = (list: string, url: string) => refusedBy(list, parseRemoteUrl(url)) === undefined;

describe('S17: the hosts that a Secret lists', () => {
  it('S17: are opened as they are written, with or without a port, over HTTPS and SSH', () => {
    for (const [list, url] of [
      ['git.example.com', 'https://git.example.com/shop.git'],
      ['git.example.com', 'https://git.example.com:8443/shop.git'],
      ['git.example.com:443', 'https://git.example.com/shop.git'],
      ['git.example.com:22', 'git@git.example.com:shop.git'],
      ['git.example.com:2222', 'ssh://git@git.example.com:2222/shop.git'],
      ['other.example.com , git.example.com', 'git@git.example.com:shop.git'],
      ['GIT.Example.com', 'https://git.example.COM/shop.git'],
      ['git.example.com', 'git@GIT.example.com:shop.git'],
      ['git.example.com.', 'https://git.example.com/shop.git'],
      ['git.example.com', 'https://git.example.com./shop.git'],
      ['münchen.example', 'https://xn--mnchen-3ya.example/shop.git'],
      ['xn--mnchen-3ya.example', 'https://MÜNCHEN.example/shop.git'],
      ['10.0.0.1:3000', 'http://10.0.0.1:3000/shop.git'],
      ['[2001:db8::1]:8443', 'https://[2001:DB8:0::1]:8443/shop.git'],
      ['2001:db8::1', 'https://[2001:db8::1]/shop.git'],
      ['[2001:db8::1]', 'git@[2001:db8:0:0::1]:shop.git'],
    ] as const)
      assert.ok(opens(list, url), `${list} opens ${url}`);
  });

  it('S17: open no other, however alike', () => {
    for (const [list, url] of [
      ['', 'https://git.example.com/shop.git'],
      [' , ', 'https://git.example.com/shop.git'],
      ['git.example.com', 'https://git.example.com.evil.example/shop.git'],
      ['git.example.com', 'https://evilgit.example.com/shop.git'],
      ['example.com', 'https://git.example.com/shop.git'],
      ['git.example.com', 'https://example.com/git.example.com'],
      ['git.example.com', 'ssh://git.example.com@evil.example/shop.git'],
      ['git.example.com:443', 'https://git.example.com:8443/shop.git'],
      ['git.example.com:443', 'http://git.example.com/shop.git'],
      ['git.example.com:443', 'git@git.example.com:443/shop.git'],
      ['*.example.com', 'https://git.example.com/shop.git'],
      ['*', 'https://git.example.com/shop.git'],
      ['https://git.example.com', 'https://git.example.com/shop.git'],
      ['git.example.com/shop', 'https://git.example.com/shop.git'],
      ['me@git.example.com', 'https://git.example.com/shop.git'],
      ['git.example.com:0', 'https://git.example.com/shop.git'],
      ['git.example.com:99999', 'https://git.example.com/shop.git'],
      ['10.0.0.1', 'https://10.0.0.10/shop.git'],
      ['[2001:db8::1]:8443', 'https://[2001:db8::1]/shop.git'],
      ['2001:db8::1:8443', 'https://[2001:db8::1]:8443/shop.git'],
    ] as const)
      assert.ok(!opens(list, url), `${list} does not open ${url}`);
  });

  it('S17: are told where another is asked for, and what is no host among them', () => {
    const remote = { host: 'evil.example', port: 443 };
    assert.equal(refusedBy('', remote), 'lists no host');
    assert.equal(refusedBy('a, b,c,d,e', remote), 'lists a, b, c and 2 more');
    assert.match(
      refusedBy('a,https://b', remote) ?? '',
      /^has "https:\/\/b", which is no host: write git\.example\.com or/,
    );
  });

  it('S17: are read in linear time, whatever the annotation holds', () => {
    for (const list of [
      ','.repeat(250_000),
      'a:'.repeat(125_000),
      '['.repeat(250_000),
      `${'a'.repeat(290)},`.repeat(860),
    ]) {
      const took = processorMs(() => refusedBy(list, { host: 'evil.example', port: 443 }));
      assert.ok(took < 50, `${list.slice(0, 4)}: ${took} ms`);
    }
  });
});
