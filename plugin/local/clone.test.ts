import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clone, isOf } from './clone.ts';

test('a remote is the repository of an Application where host and path are, whatever the protocol', () => {
  const cloneWith = (...remotes: string[]): Clone => ({
    root: '/',
    commit: '',
    branch: undefined,
    changes: [],
    untracked: [],
    tracked: [],
    remotes,
  });
  const url = 'https://git.example.com/shop/web.git';
  for (const remote of [
    'git@git.example.com:shop/web.git',
    'ssh://git@git.example.com:2222/shop/web',
    'https://me:token@Git.example.com/shop/web/',
  ])
    assert.ok(isOf(cloneWith('https://other.example.com/shop/web', remote), url), remote);
  assert.ok(!isOf(cloneWith('https://git.example.com/shop/api.git', '/srv/git/web.git'), url));
  assert.ok(!isOf(cloneWith(), url));
});
