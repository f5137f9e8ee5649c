import assert from 'node:assert/strict';
import { test } from 'node:test';
import { named } from './pushed-names.ts';
import { RepositoryIndex } from './repository-index.ts';

const aliases = new Map([['ssh.example.com', 'git.example.com']]);

function meant(index: RepositoryIndex, urls: string[], paths: string[] = []): string[] {
  return [...index.urlsOf(index.matching(named({ urls, paths }, aliases)))].sort();
}

test('what Applications have is found by any way to write it, as long as one has it', () => {
  const index = new RepositoryIndex(aliases);
  const [https, ssh] = ['https://git.example.com/shop/web.git', 'git@ssh.example.com:shop/web'];
  index.set('shop/a', https);
  index.set('shop/b', https);
  index.set('shop/c', ssh);
  index.set('shop/d', 'https://git.example.com/shop/other');
  const pushed = ['ssh://git@git.example.com:2222/Shop/Web'];
  assert.deepEqual(meant(index, pushed), [ssh, https]);
  index.set('shop/a', undefined);
  assert.deepEqual(meant(index, pushed), [ssh, https]);
  index.set('shop/b', 'https://git.example.com/shop/moved');
  index.set('shop/b', 'https://git.example.com/shop/moved');
  assert.deepEqual(meant(index, pushed), [ssh]);
  assert.deepEqual(meant(index, ['https://git.example.com/shop/moved']), [
    'https://git.example.com/shop/moved',
  ]);
  index.set('shop/c', undefined);
  index.set('shop/c', undefined);
  assert.deepEqual(meant(index, pushed), []);
  assert.deepEqual(index.endingLike('shop/web'), []);
});

test('a path without a host is found on every host and below every path', () => {
  const index = new RepositoryIndex(aliases);
  const urls = [
    'https://bitbucket.example.com/scm/shop/web.git',
    'https://example.com/bitbucket/scm/SHOP/web.git',
    'ssh://git@bitbucket.example.com:7999/shop/web.git',
  ];
  for (const [at, url] of urls.entries()) index.set(`a/${at}`, url);
  index.set('a/other', 'https://bitbucket.example.com/scm/workshop/web.git');
  assert.deepEqual(meant(index, [], ['SHOP/web', 'scm/SHOP/web']), [...urls].sort());
});

test('what is no URL of a repository is left out, and does no harm', () => {
  const index = new RepositoryIndex(aliases);
  for (const url of ['', 'https://', 'x'.repeat(9_999)]) {
    index.set('a/a', url);
    assert.deepEqual(meant(index, [url], [url]), []);
  }
  index.set('a/a', undefined);
});

test('A15: of 20,000 repositories the one that was pushed to is found without a look at the others', () => {
  const index = new RepositoryIndex(aliases);
  for (let at = 0; at < 20_000; at += 1) index.set(`a/${at}`, `https://git.example.com/shop/app-${at}`);
  const before = process.cpuUsage();
  for (let times = 0; times < 1_000; times += 1)
    assert.equal(meant(index, [`git@git.example.com:shop/app-${times}.git`]).length, 1);
  const { user, system } = process.cpuUsage(before);
  // One look at all of them takes longer than all of these.
  assert.ok(user + system < 2_000_000, `${user + system} µs`);
});
