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

test('what Git has not checked out, or tells in parts only, is found in the index, whatever made it so', async () => {
  const files = { 'in/a': 'a', 'in/b': 'b', 'out/c': 'c', top: 't' };
  const repository = await createRepository({ files });
  const all = Object.keys(files);
  const split =
    /has a split index, which .* git config core\.splitIndex false and git update-index --no-split/;
  const sparse = /has a sparse index, which .* git sparse-checkout disable\.$/;
  const skipped =
    /has a file \(out\/c\) that Git knows and leaves alone on disk .* git sparse-checkout disable, or/;
  const cases: [refused: RegExp, make: string[][], mend: string[][]][] = [
    [
      split,
      [['update-index', '--split-index']],
      [
        ['config', 'core.splitIndex', 'false'],
        ['update-index', '--no-split-index'],
      ],
    ],
    [
      split,
      [['-c', 'core.splitIndex=yes', 'reset', '--quiet', '--hard']],
      [['update-index', '--no-split-index']],
    ],
    [
      sparse,
      [['sparse-checkout', 'set', '--cone', '--sparse-index', 'in']],
      [['sparse-checkout', 'disable']],
    ],
    [skipped, [['sparse-checkout', 'set', '--no-cone', '/in', '/top']], [['sparse-checkout', 'disable']]],
    [
      skipped,
      [['update-index', '--skip-worktree', 'out/c']],
      [['update-index', '--no-skip-worktree', 'out/c']],
    ],
  ];
  for (const [refused, make, mend] of cases) {
    const { directory, git } = await cloneOf(repository);
    for (const args of make) await git(...args);
    await assert.rejects(readClone(directory), refused, make.join());
    for (const args of mend) await git(...args);
    assert.deepEqual((await readClone(directory)).tracked, all, mend.join());
  }
});

test('an index with what Git needs no reader to know, and with files only announced, is read', async () => {
  const { directory, git, write } = await cloneOf(await createRepository({ files: { a: 'a', 'd/b': 'b' } }));
  write('new', 'new');
  await git('add', '--intent-to-add', 'new');
  await git('update-index', '--force-untracked-cache');
  const { tracked, changes } = await readClone(directory);
  assert.deepEqual(tracked, ['a', 'd/b', 'new']);
  assert.deepEqual(changes, [{ path: 'new', change: 'added' }]);
});
