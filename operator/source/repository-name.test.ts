import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostAliases, repositoryName } from './repository-name.ts';

const aliases = hostAliases('ssh.example.com=git.example.com') ?? new Map();

test('every way to write the URL of a repository gives the same name', () => {
  for (const url of [
    'https://git.example.com/shop/web',
    'https://git.example.com/shop/web.git',
    'https://git.example.com/shop/web/',
    'https://git.example.com/shop/web.git/',
    'https://GIT.example.com/Shop/Web.git',
    'https://git.example.com:8443/shop/web',
    'https://git.example.com./shop/web',
    'https://git.example.com/shop/%77eb',
    'http://git.example.com/shop/web.git',
    'git@git.example.com:shop/web.git',
    'git@git.example.com:/shop/web.git',
    'forgejo@git.example.com:shop/web',
    'git.example.com:shop/web',
    'ssh://git@git.example.com/shop/web.git',
    'ssh://gitea@git.example.com:2222/shop/web.git',
    'ssh://git.example.com/shop/web',
    'ssh://git@ssh.example.com:443/shop/web.git',
    'git@SSH.example.com:shop/web.git',
  ])
    assert.equal(repositoryName(url, aliases), 'git.example.com/shop/web', url);
});

test('other repositories have other names, and what is no URL has none', () => {
  for (const url of ['https://git.example.com/shop/web2', 'https://example.com/shop/web', 'git@x:shop/web'])
    assert.notEqual(repositoryName(url, aliases), 'git.example.com/shop/web', url);
  for (const url of [
    '',
    'shop/web',
    'git://git.example.com/shop/web',
    'https://',
    'https://a/%zz',
    'x'.repeat(9_999),
  ])
    assert.equal(repositoryName(url, aliases), undefined, url.slice(0, 40));
});

test('the hosts that GitHub, GitLab and Bitbucket have for SSH on port 443 are known', () => {
  for (const [alias, host] of [
    ['ssh.github.com', 'github.com'],
    ['altssh.gitlab.com', 'gitlab.com'],
    ['altssh.bitbucket.org', 'bitbucket.org'],
  ])
    assert.equal(
      repositoryName(`ssh://git@${alias}:443/a/b.git`, hostAliases('') ?? new Map()),
      `${host}/a/b`,
    );
});
