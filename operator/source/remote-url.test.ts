import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRemoteUrl } from './remote-url.ts';

describe('a repository URL', () => {
  it('is https, http, ssh:// or like scp', () => {
    const cases: [string, Partial<ReturnType<typeof parseRemoteUrl>>][] = [
      ['https://git.example.com/shop/web.git', { scheme: 'https', host: 'git.example.com', port: 443 }],
      ['http://git.example.com:3000/x', { scheme: 'http', port: 3000, path: '/x' }],
      ['ssh://git@git.example.com/x.git', { scheme: 'ssh', port: 22, user: 'git', path: '/x.git' }],
      ['ssh://git.example.com:2222/~me/x', { scheme: 'ssh', port: 2222, path: '~me/x' }],
      ['git@git.example.com:shop/web.git', { scheme: 'ssh', user: 'git', path: 'shop/web.git' }],
      ['git.example.com:/srv/x.git', { scheme: 'ssh', host: 'git.example.com', path: '/srv/x.git' }],
      ['git@[2001:db8::1]:x.git', { scheme: 'ssh', host: '2001:db8::1' }],
    ];
    for (const [text, expected] of cases) {
      const url = parseRemoteUrl(text);
      assert.deepEqual({ ...url, ...expected }, url, text);
    }
  });

  it('S11: of another scheme or form is refused', () => {
    const refused = [
      'file:///etc/passwd',
      'git://git.example.com/x',
      'ftp://git.example.com/x',
      'ext::sh -c id',
      'ext::id',
      'javascript://x/y',
      '/srv/git/x.git',
      './x',
      '-oProxyCommand=id:x',
      'git@-oProxyCommand=id:x',
      '-u@host:x',
      'git@host:-x',
      'https://',
      'https://git.example.com',
      'https://git.example.com/',
      'https:///x',
      'https://git.example.com/x?y=z',
      'https://git.example.com/x#y',
      'https://git.example.com/x\ny',
      'https://git example.com/x',
      'ssh://host/%00x',
      'ssh://host/%zz',
      `https://git.example.com/${'x'.repeat(2100)}`,
      '',
    ];
    for (const text of refused) {
      assert.throws(
        () => parseRemoteUrl(text),
        { reason: 'URLInvalid', remedy: 'Person' },
        JSON.stringify(text),
      );
    }
  });

  it('S5: with credentials in it is refused by a message that does not repeat them', () => {
    const marked = 'S3cr3t-marker';
    for (const text of [
      `https://user:${marked}@git.example.com/x.git`,
      `https://${marked}@git.example.com/x.git`,
      `http://:${marked}@git.example.com/x.git`,
      `ssh://git:${marked}@git.example.com/x.git`,
      `git:${marked}@git.example.com:x.git`,
      `https://user:${marked}@`,
      `${marked}://user@x/y`,
    ]) {
      assert.throws(
        () => parseRemoteUrl(text),
        (error: Error & { reason: string }) => {
          assert.equal(error.reason, 'URLInvalid');
          return !error.message.includes(marked) && !String(error.stack).includes(marked);
        },
        text.replace(marked, '…'),
      );
    }
  });
});
