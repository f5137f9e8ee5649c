import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RenderTree } from '../../operator/render/tree.ts';
import { cloneOf } from '../../test/harness/clone.ts';
import type { FileContent } from '../../test/harness/git-repository.ts';
import { watchedRepository } from '../../test/harness/source.ts';
import { readClone } from './clone.ts';
import { WorkingTree } from './working-tree.ts';

/** The same commit as the operator reads it from its pack, and as it lies in a clone. */
async function bothTrees(
  t: TestContext,
  files: Record<string, FileContent>,
): Promise<{ pack: RenderTree; clone: RenderTree }> {
  const { git, repository } = await watchedRepository(t, (written) => written.commit(files));
  const { directory } = await cloneOf(git);
  const clone = new WorkingTree(await readClone(directory));
  return { pack: await repository.open(repository.resolve({ branch: 'main' })), clone };
}

async function told<T>(work: Promise<T>): Promise<T | string> {
  return work.catch((error: { reason?: string }) => error.reason ?? String(error));
}

const textsIn = async (tree: RenderTree, path: string, suffixes?: readonly string[]) => {
  const { files } = await tree.readAll(path, suffixes === undefined ? {} : { suffixes });
  return Object.fromEntries(files.map((file) => [file.path, Buffer.from(file.data).toString()]));
};

test('a clone without changes is read as the operator reads the commit', async (t) => {
  const files: Record<string, FileContent> = {
    'web/Chart.yaml': 'name: web\n',
    'web/templates/a.yaml': 'a\n',
    'web/templates/deep/b.json': '{}',
    'web/.hidden/c.yaml': 'c\n',
    'web/run.sh': { executable: '#!/bin/sh\n' },
    'web/shared.yaml': { symlink: '../shared/values.yaml' },
    'web/charts': { symlink: '../shared/charts' },
    'shared/values.yaml': 'v: 1\n',
    'shared/charts/lib/Chart.yaml': 'name: lib\n',
    'loop/a': { symlink: 'b' },
    'loop/b': { symlink: 'a' },
    'round/again': { symlink: '../round' },
    'out/etc': { symlink: '/etc' },
    'up/out': { symlink: '../../elsewhere' },
  };
  const { pack, clone } = await bothTrees(t, files);
  for (const path of ['', 'web', 'web/charts', 'shared']) {
    const names = async (tree: RenderTree) =>
      (await tree.list(path)).map(({ name, type }) => `${type} ${name}`).sort();
    assert.deepEqual(await names(clone), await names(pack), path);
  }
  assert.deepEqual(await textsIn(clone, 'web'), await textsIn(pack, 'web'));
  const suffixes = ['.yaml', '.json'];
  assert.deepEqual(await textsIn(clone, 'web', suffixes), await textsIn(pack, 'web', suffixes));
  const paths = ['web', 'web/shared.yaml', 'web/charts/lib', 'web/Chart.yaml/x', 'none', 'loop/a', 'out/etc'];
  for (const path of [...paths, 'out/etc/passwd', 'up/out', 'web/charts/../values.yaml']) {
    const type = async (tree: RenderTree) => {
      const found = await told(tree.stat(path));
      return typeof found === 'string' ? found : found?.type;
    };
    assert.equal(await type(clone), await type(pack), path);
  }
  for (const path of ['loop', 'round', 'out', 'up', 'none'])
    assert.equal(
      await told(clone.readAll(path).then(() => '')),
      await told(pack.readAll(path).then(() => '')),
    );
});
