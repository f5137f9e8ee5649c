import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Advertisement } from './advertisement.ts';
import { resolveRef } from './refs.ts';

const commit = (digit: string) => digit.repeat(40);

function remote(refs: Record<string, string>, head?: string, headCommit?: string): Advertisement {
  const nothing = { wants: new Map(), tagged: new Map(), capabilities: new Set<string>() };
  return { refs: new Map(Object.entries(refs)), head, headCommit, ...nothing };
}

const shop = remote(
  {
    'refs/heads/main': commit('1'),
    'refs/heads/release-1.x': commit('2'),
    'refs/heads/staging': commit('3'),
    'refs/tags/v1.2.0': commit('4'),
    'refs/tags/v1.10.0': commit('5'),
    'refs/tags/v2.0.0-rc.1': commit('6'),
    'refs/tags/nightly': commit('7'),
  },
  'refs/heads/main',
  commit('1'),
);
const where = 'https://git.example.com/shop.git';

describe('a ref', () => {
  it('is found among branches and tags', () => {
    assert.deepEqual(resolveRef(shop, { branch: 'staging' }, where), {
      commit: commit('3'),
      ref: 'refs/heads/staging',
    });
    assert.deepEqual(resolveRef(shop, { tag: 'nightly' }, where), {
      commit: commit('7'),
      ref: 'refs/tags/nightly',
    });
    assert.deepEqual(resolveRef(shop, {}, where), { commit: commit('1'), ref: 'refs/heads/main' });
    assert.deepEqual(resolveRef(shop, { commit: commit('A') }, where), { commit: commit('a'), ref: '' });
  });

  it('by a range of versions is the highest tag in it, by number', () => {
    const ref = (semver: string) => resolveRef(shop, { semver }, where).ref;
    assert.equal(ref('1.x'), 'refs/tags/v1.10.0');
    assert.equal(ref('*'), 'refs/tags/v1.10.0');
    assert.equal(ref('<1.10.0'), 'refs/tags/v1.2.0');
    assert.equal(ref('>=2.0.0-0'), 'refs/tags/v2.0.0-rc.1');
  });

  it('by a range of versions is all tags of the highest version, where they lead to different commits', () => {
    const refs = {
      'refs/tags/1.2.3+9': commit('1'),
      'refs/tags/1.2.3+10': commit('2'),
      'refs/tags/v1.2.3+11': commit('3'),
      'refs/tags/1.2.2': commit('4'),
    };
    const found = resolveRef(remote(refs), { semver: '1.x' }, where);
    const names = found.equals?.map(({ ref }) => ref);
    assert.deepEqual(names, ['refs/tags/v1.2.3+11', 'refs/tags/1.2.3+10', 'refs/tags/1.2.3+9']);
    const alike = remote({ 'refs/tags/1.0.0+2': commit('1'), 'refs/tags/1.0.0+10': commit('1') });
    const one = { commit: commit('1'), ref: 'refs/tags/1.0.0+10' };
    assert.deepEqual(resolveRef(alike, { semver: '*' }, where), one, 'one commit is no question');
    const many = remote(
      Object.fromEntries(
        Array.from({ length: 500 }, (_, n) => [`refs/tags/1.0.0+${n}`, `${n}`.padStart(40, '0')]),
      ),
    );
    const last = resolveRef(many, { semver: '*' }, where);
    assert.deepEqual([last.ref, last.equals?.length], ['refs/tags/1.0.0+499', 32], 'the last are compared');
  });

  it('that is not there is told with names that are near', () => {
    const expected: [Parameters<typeof resolveRef>[1], RegExp][] = [
      [{ branch: 'mian' }, /has no branch "mian"\. Did you mean main\?$/],
      [{ branch: 'MAIN' }, /Did you mean main\?$/],
      [{ branch: 'nightly' }, /There is a tag of that name\./],
      [{ branch: 'zzz' }, /Its branches are main, release-1\.x, staging\.$/],
      [{ branch: 'release' }, /Did you mean release-1\.x\?$/],
      [{ tag: 'main' }, /There is a branch of that name\./],
      [{ tag: 'v1.2.1' }, /Did you mean v1\.2\.0/],
      [
        { semver: '^3' },
        /no tag whose version is in "\^3"\. The highest versions are v2\.0\.0-rc\.1, v1\.10\.0, v1\.2\.0\./,
      ],
    ];
    for (const [ref, message] of expected) {
      assert.throws(() => resolveRef(shop, ref, where), { reason: 'RefNotFound', remedy: 'Person', message });
    }
  });

  it('that is none is refused', () => {
    for (const ref of [{ commit: 'abc' }, { commit: 'z'.repeat(40) }, { semver: 'latest' }, { semver: '' }]) {
      assert.throws(() => resolveRef(shop, ref, where), { reason: 'RefInvalid', remedy: 'Person' });
    }
  });

  it('is not needed where HEAD names a branch, even if the server does not say which', () => {
    const untold = remote(
      { 'refs/heads/main': commit('1'), 'refs/heads/x': commit('1') },
      undefined,
      commit('1'),
    );
    assert.deepEqual(resolveRef(untold, {}, where), { commit: commit('1'), ref: 'refs/heads/main' });
    const detached = remote({ 'refs/heads/x': commit('2') }, undefined, commit('1'));
    assert.deepEqual(resolveRef(detached, {}, where), { commit: commit('1'), ref: '' });
    const unborn = remote({ 'refs/heads/trunk': commit('2') }, 'refs/heads/main');
    assert.throws(() => resolveRef(unborn, {}, where), {
      reason: 'RefNotFound',
      message: /refs\/heads\/main.*trunk/,
    });
  });

  it('cannot be in an empty repository', () => {
    assert.throws(() => resolveRef(remote({}), { branch: 'main' }, where), { reason: 'RepositoryEmpty' });
  });
});
