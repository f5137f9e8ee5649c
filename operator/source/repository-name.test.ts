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

test('every way to write the URL of a repository of Azure DevOps gives the same name', () => {
  const known = hostAliases('tfs.example.com=fabrikam.visualstudio.com') ?? new Map();
  const table: [string, ...string[]][] = [
    [
      'dev.azure.com/fabrikam/web shop/_git/site',
      'https://dev.azure.com/fabrikam/web%20shop/_git/site',
      'https://fabrikam@dev.azure.com/Fabrikam/Web%20Shop/_git/Site/',
      'https://fabrikam.visualstudio.com/web%20shop/_git/site',
      'https://fabrikam.visualstudio.com/DefaultCollection/web%20shop/_git/site',
      'https://tfs.example.com/web%20shop/_git/site',
      'git@ssh.dev.azure.com:v3/fabrikam/web%20shop/site',
      'git@ssh.dev.azure.com:/v3/fabrikam/web%20shop/site',
      'ssh://git@ssh.dev.azure.com/v3/fabrikam/web%20shop/site',
      'ssh://git@ssh.dev.azure.com:22/v3/fabrikam/web%20shop/site',
      'fabrikam@vs-ssh.visualstudio.com:v3/fabrikam/web%20shop/site',
      'ssh://fabrikam@vs-ssh.visualstudio.com:22/v3/fabrikam/web%20shop/site',
      'ssh://fabrikam@vs-ssh.visualstudio.com:22/web%20shop/_ssh/site',
      'ssh://fabrikam@vs-ssh.visualstudio.com:22/DefaultCollection/web%20shop/_ssh/site',
      'ssh://fabrikam@fabrikam.visualstudio.com:22/DefaultCollection/web%20shop/_git/site',
    ],
    // A project's first repository has its name.
    [
      'dev.azure.com/fabrikam/_git/site',
      'https://dev.azure.com/fabrikam/site/_git/site',
      'https://dev.azure.com/fabrikam/_git/site',
      'https://fabrikam.visualstudio.com/_git/site',
      'https://fabrikam.visualstudio.com/DefaultCollection/_git/site',
      'git@ssh.dev.azure.com:v3/fabrikam/site/site',
      'ssh://fabrikam@vs-ssh.visualstudio.com:22/_ssh/site',
    ],
    [
      'dev.azure.com/_git/site',
      'https://dev.azure.com/site/site/_git/site',
      'https://dev.azure.com/site/_git/site',
      'https://site.visualstudio.com/site/_git/site',
      'git@ssh.dev.azure.com:v3/site/site/site',
    ],
    // Names that look like a part of another form.
    [
      'dev.azure.com/v3/p/_git/site',
      'https://dev.azure.com/v3/p/_git/site',
      'https://v3.visualstudio.com/p/_git/site',
      'git@ssh.dev.azure.com:v3/v3/p/site',
    ],
    ['visualstudio.com/shop/site', 'https://visualstudio.com/shop/site'],
    ['notdev.azure.com/v3/a/b/c', 'git@notdev.azure.com:v3/a/b/c'],
    [
      'git.example.com/tfs/shop/web/_git/site',
      'https://git.example.com/tfs/Shop/Web/_git/site',
      'ssh://git.example.com:22/tfs/Shop/Web/_ssh/site',
    ],
    [
      'git.example.com/tfs/shop/_git/web',
      'https://git.example.com/tfs/Shop/_git/web',
      'https://git.example.com/tfs/Shop/Web/_git/web',
    ],
  ];
  for (const [name, ...urls] of table)
    for (const url of urls) assert.equal(repositoryName(url, known), name, url);
  assert.equal(repositoryName('git@ssh.dev.azure.com:v3/a/b/%zz', known), undefined);
});

test('aliases chain, in whatever order they are given and wherever they end', () => {
  const same = (aliasText: string, ...hosts: string[]) => {
    const known = hostAliases(aliasText);
    assert.ok(known !== undefined, aliasText);
    const names = hosts.map((host) => repositoryName(`https://${host}/a/b`, known));
    assert.equal(new Set(names).size, 1, `${aliasText}: ${names.join(', ')}`);
    assert.notEqual(names[0], repositoryName('https://other.example/a/b', known), aliasText);
    return names[0];
  };
  for (const text of ['x=y,y=z', 'y=z,x=y', 'X=y.,Y=Z', 'x=y,y=z,z=z', 'x=y,x=y,y=z', 'y=z,x=z'])
    assert.equal(same(text, 'x', 'y', 'z'), 'z/a/b', text);
  same('a=b,c=d,b=c', 'a', 'b', 'c', 'd');
  same('c=d,a=b,b=c,d=e', 'a', 'b', 'c', 'd', 'e');
  // Of two servers that one name stands for, both are meant.
  same('x=y,x=z', 'x', 'y', 'z');
  same('x=y,y=z,z=x', 'x', 'y', 'z');
  same('ssh.github.com=git.example.com', 'ssh.github.com', 'github.com', 'git.example.com');
  assert.equal(same('x=ssh.github.com', 'x', 'ssh.github.com', 'github.com'), 'github.com/a/b');
  assert.equal(same('x=x', 'x'), 'x/a/b');
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
