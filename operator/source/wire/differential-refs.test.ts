import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GitRepository } from '../../../test/harness/git-repository.ts';
import { referenceRefs } from '../../../test/harness/isomorphic-git.ts';
import { watchedRepository } from '../../../test/harness/source.ts';
import type { GitRef, Repository } from '../sources.ts';
import type { Advertisement } from './advertisement.ts';

/** Repositories by what is special about their refs. */
const REPOSITORIES: Readonly<Record<string, (git: GitRepository) => Promise<unknown>>> = {
  'nothing at all': async () => undefined,
  'one branch': (git) => git.commit({ a: '1' }),
  'branches and tags': async (git) => {
    const first = await git.commit({ a: '1' });
    await git.branch('release/1.x', first);
    await git.branch('ärger/🚢', first);
    await git.branch('HEAD', first);
    await git.tag('v1.0.0');
    await git.commit({ a: '2' });
    await git.tag('v1.1.0', { annotated: true });
    await git.tag('v1.1.0-again', { annotated: true, commit: 'v1.1.0^{}' });
    await git.git(['update-ref', 'refs/pull/7/head', first]);
    await git.git(['update-ref', 'refs/tags/same-object', 'refs/tags/v1.1.0']);
  },
  'tags of tags, of trees and of files': async (git) => {
    await git.commit({ 'app/values.yaml': 'a: 1\n' });
    await git.tag('inner', { annotated: true });
    await git.tag('outer', { annotated: true, commit: 'inner' });
    await git.tag('outermost', { annotated: true, commit: 'outer' });
    await git.tag('tree', { annotated: true, commit: 'HEAD:app' });
    await git.tag('file', { annotated: true, commit: 'HEAD:app/values.yaml' });
    await git.tag('bare-file', { commit: 'HEAD:app/values.yaml' });
  },
  'a detached HEAD': async (git) => {
    await git.commit({ a: '1' });
    await git.git(['update-ref', '--no-deref', 'HEAD', 'refs/heads/main']);
  },
  'a HEAD that names a branch that does not exist': async (git) => {
    await git.commit({ a: '1' }, { branch: 'trunk' });
  },
  'a HEAD that names an annotated tag': async (git) => {
    await git.commit({ a: '1' });
    await git.tag('v1', { annotated: true });
    await git.git(['symbolic-ref', 'HEAD', 'refs/tags/v1']);
  },
  'symbolic refs besides HEAD': async (git) => {
    await git.commit({ a: '1' });
    await git.git(['symbolic-ref', 'refs/heads/latest', 'refs/heads/main']);
    await git.git(['symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/heads/main']);
  },
  'refs that are hidden': async (git) => {
    await git.commit({ a: '1' });
    await git.branch('internal/one');
    await git.git(['config', 'uploadpack.hideRefs', 'refs/heads/internal']);
  },
  '5,000 refs, packed and loose': async (git) => {
    const commit = await git.commit({ a: '1' });
    const tag = await git.tag('v0.0.0', { annotated: true });
    const many = Array.from({ length: 5_000 }, (_, index) => {
      const name = index % 2 === 0 ? `tags/v1.${index}.0` : `heads/branch-${index}`;
      return `create refs/${name} ${index % 4 === 0 ? tag : commit}\n`;
    });
    await git.git(['update-ref', '--stdin'], many.slice(10).join(''));
    await git.git(['pack-refs', '--all']);
    await git.git(['update-ref', '--stdin'], many.slice(0, 10).join(''));
  },
};

describe('what a server says of its refs is read as isomorphic-git reads it:', () => {
  for (const [name, write] of Object.entries(REPOSITORIES)) {
    it(name, async (t) => {
      const { git, url, repository } = await watchedRepository(t, write);
      assert.ok(repository.advertisement);
      for (const version of [1, 2] as const)
        assert.deepEqual(told(repository.advertisement), await expected(url, version), `version ${version}`);
      await assertOpens(repository, git);
    });
  }
});

/** What leads to a commit can be opened, whatever the server lets us ask for it. */
async function assertOpens(repository: Repository, git: GitRepository): Promise<void> {
  const { headCommit, refs = new Map() } = repository.advertisement ?? {};
  const wanted: [string, GitRef][] = headCommit === undefined ? [] : [['HEAD', {}]];
  for (const ref of [...refs.keys()].slice(0, 12)) {
    if (ref.startsWith('refs/heads/')) wanted.push([ref, { branch: ref.slice('refs/heads/'.length) }]);
    if (ref.startsWith('refs/tags/')) wanted.push([ref, { tag: ref.slice('refs/tags/'.length) }]);
  }
  for (const [name, ref] of wanted) {
    const type = await git.git(['cat-file', '-t', `${name}^{}`]);
    const opened = repository.open(repository.resolve(ref));
    if (type === 'commit') assert.equal((await opened).revision, await git.revParse(`${name}^{}`), name);
    else await assert.rejects(opened, { reason: 'RefNotFound', remedy: 'Person' }, name);
  }
}

function told({ refs, head, headCommit }: Advertisement): unknown {
  return { head, headCommit, refs: Object.fromEntries(refs) };
}

async function expected(url: string, protocolVersion: 1 | 2): Promise<unknown> {
  const all = await referenceRefs(url, protocolVersion);
  const head = all.find(({ ref }) => ref === 'HEAD');
  const others = all.filter((each) => each !== head);
  return {
    head: head?.target,
    headCommit: head?.peeled ?? head?.oid,
    refs: Object.fromEntries(others.map(({ ref, oid, peeled }) => [ref, peeled ?? oid])),
  };
}
