import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository } from '../../../test/harness/git-repository.ts';
import { Sources } from '../sources.ts';

const FILES = {
  'apps/web/values.yaml': 'a: 1\n',
  'apps/web/templates/a.yaml': 'a: 1\n',
  'apps/shop/values.yaml': 'a: 1\n',
  'docs/a.md': 'text\n',
  link: { symlink: 'docs' },
};

test('the paths that a commit changes are told, a directory that comes or goes as one, and what is a link as that', async (t) => {
  const git = await createRepository({ files: FILES });
  const server = await startGitHttp({ root: git.root });
  t.after(() => server.stop());
  const sources = new Sources({ allowLoopback: true });
  t.after(() => sources.stop());
  const repository = sources.watch('test', { url: server.url(git.name) }, 3_600_000, () => undefined);
  const changedBy = async (files: Parameters<typeof git.commit>[0]) => {
    const from = await git.revParse('main');
    await repository.poll();
    await repository.open(repository.resolve({}));
    const to = await git.commit(files);
    await repository.poll();
    return (await repository.changes(from, to))?.toSorted();
  };
  assert.deepEqual(await changedBy({ 'apps/web/values.yaml': 'a: 2\n', 'apps/web/new.yaml': 'n: 1\n' }), [
    'apps/web/new.yaml',
    'apps/web/values.yaml',
  ]);
  assert.deepEqual(await changedBy({ 'apps/shop': null, 'more/x/y.yaml': 'y: 1\n' }), ['apps/shop', 'more']);
  assert.deepEqual(await changedBy({ link: { symlink: 'apps' }, 'docs/a.md': { executable: 'text\n' } }), [
    'docs/a.md',
    'link',
  ]);
  assert.deepEqual(await changedBy({ 'docs/a.md': null, docs: 'a file now\n' }), ['docs']);
  const many = Object.fromEntries(
    Array.from({ length: 2_001 }, (_, index) => [`many/${index % 9}/${index}`, '']),
  );
  assert.deepEqual(await changedBy({ ...many, 'many/0/0': '' }), ['many']);
  const all = Object.fromEntries(Object.keys(many).map((path) => [path, 'changed']));
  assert.equal(await changedBy(all), undefined, 'more than anybody is told of');
  const head = await git.revParse('main');
  assert.deepEqual(await repository.changes(head, head), []);
});

test('of a commit that is not there any more nothing is told, unless the server gives it', async (t) => {
  const git = await createRepository({ files: FILES });
  const server = await startGitHttp({ root: git.root });
  t.after(() => server.stop());
  const from = await git.revParse('main');
  const to = await git.commit({ 'docs/a.md': 'other\n' });
  const asked = async () => {
    const sources = new Sources({ allowLoopback: true });
    t.after(() => sources.stop());
    const repository = sources.watch('test', { url: server.url(git.name) }, 3_600_000, () => undefined);
    await repository.poll();
    return repository.changes(from, to);
  };
  assert.equal(await asked(), undefined);
  await git.git(['config', 'uploadpack.allowReachableSHA1InWant', 'true']);
  assert.deepEqual(await asked(), ['docs/a.md']);
});
