import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneOf } from '../../test/harness/clone.ts';
import { createRepository } from '../../test/harness/git-repository.ts';
import { type Clone, isOf, readClone } from './clone.ts';

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

test('a clone that would be read wrongly is refused, with what helps', async () => {
  const { directory, git } = await cloneOf(await createRepository({ files: { a: 'a' } }));
  const { commit, branch, tracked } = await readClone(directory);
  assert.deepEqual(
    { commit, branch, tracked },
    { commit: await git('rev-parse', 'HEAD'), branch: 'main', tracked: ['a'] },
  );
  await git('update-index', '--index-version', '4');
  await assert.rejects(
    readClone(directory),
    /has an index of version 4, .* git update-index --index-version 2\.$/,
  );
  await git('update-index', '--index-version', '2');
  for (const [name, value] of [
    ['core.splitIndex', 'true'],
    ['index.sparse', 'true'],
    ['extensions.objectFormat', 'sha256'],
    ['extensions.refStorage', 'reftable'],
  ] as const) {
    await git('config', name, value);
    await assert.rejects(
      readClone(directory),
      new RegExp(`has ${name} = ${value}, which cannot be read here: `),
    );
    // git itself would not take it.
    await git('config', '--file', '.git/config', '--unset', name);
  }
});
