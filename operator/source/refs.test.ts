import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { longestTurn } from '../../test/harness/event-loop.ts';
import { scaled } from '../../test/harness/slowness.ts';
import { Slices } from '../observe/event-loop-slices.ts';
import { AdvertisedRefs, type GitRef } from './refs.ts';
import { compareVersions } from './semver.ts';
import type { Advertisement } from './wire/advertisement.ts';

const commit = (digit: string) => digit.repeat(40);

function advertised(refs: Record<string, string>, head?: string, headCommit?: string): Advertisement {
  const nothing = { wants: new Map(), tagged: new Map(), capabilities: new Set<string>() };
  return { refs: new Map(Object.entries(refs)), head, headCommit, ...nothing };
}

function remote(refs: Record<string, string>, head?: string, headCommit?: string): Promise<AdvertisedRefs> {
  return AdvertisedRefs.read(advertised(refs, head, headCommit), undefined, where, new Slices());
}

const where = 'https://git.example.com/shop.git';
const shop = await remote(
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

describe('a ref', () => {
  it('is found among branches and tags', () => {
    assert.deepEqual(shop.resolve({ branch: 'staging' }), {
      commit: commit('3'),
      ref: 'refs/heads/staging',
    });
    assert.deepEqual(shop.resolve({ tag: 'nightly' }), {
      commit: commit('7'),
      ref: 'refs/tags/nightly',
    });
    assert.deepEqual(shop.resolve({}), { commit: commit('1'), ref: 'refs/heads/main' });
    assert.deepEqual(shop.resolve({ commit: commit('A') }), { commit: commit('a'), ref: '' });
  });

  it('by a range of versions is the highest tag in it, by number', () => {
    const ref = (semver: string) => shop.resolve({ semver }).ref;
    assert.equal(ref('1.x'), 'refs/tags/v1.10.0');
    assert.equal(ref('*'), 'refs/tags/v1.10.0');
    assert.equal(ref('<1.10.0'), 'refs/tags/v1.2.0');
    assert.equal(ref('>=2.0.0-0'), 'refs/tags/v2.0.0-rc.1');
  });

  it('by a range of versions is all tags of the highest version, where they lead to different commits', async () => {
    const refs = {
      'refs/tags/1.2.3+9': commit('1'),
      'refs/tags/1.2.3+10': commit('2'),
      'refs/tags/v1.2.3+11': commit('3'),
      'refs/tags/1.2.2': commit('4'),
    };
    const found = (await remote(refs)).resolve({ semver: '1.x' });
    const names = found.equals?.map(({ ref }) => ref);
    assert.deepEqual(names, ['refs/tags/v1.2.3+11', 'refs/tags/1.2.3+10', 'refs/tags/1.2.3+9']);
    const alike = await remote({ 'refs/tags/1.0.0+2': commit('1'), 'refs/tags/1.0.0+10': commit('1') });
    const one = { commit: commit('1'), ref: 'refs/tags/1.0.0+10' };
    assert.deepEqual(alike.resolve({ semver: '*' }), one, 'one commit is no question');
    const many = await remote(
      Object.fromEntries(
        Array.from({ length: 600 }, (_, n) => [`refs/tags/1.0.0+${n}`, `${n}`.padStart(40, '0')]),
      ),
    );
    const last = many.resolve({ semver: '*' });
    assert.deepEqual([last.ref, last.equals?.length], ['refs/tags/1.0.0+599', 512], 'the last are compared');
  });

  it('that is not there is told with names that are near', () => {
    const expected: [GitRef, RegExp][] = [
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
      assert.throws(() => shop.resolve(ref), { reason: 'RefNotFound', remedy: 'Person', message });
    }
  });

  it('that is none is refused', () => {
    for (const ref of [{ commit: 'abc' }, { commit: 'z'.repeat(40) }, { semver: 'latest' }, { semver: '' }]) {
      assert.throws(() => shop.resolve(ref), { reason: 'RefInvalid', remedy: 'Person' });
    }
  });

  it('is not needed where HEAD names a branch, even if the server does not say which', async () => {
    const untold = await remote(
      { 'refs/heads/main': commit('1'), 'refs/heads/x': commit('1') },
      undefined,
      commit('1'),
    );
    assert.deepEqual(untold.resolve({}), { commit: commit('1'), ref: 'refs/heads/main' });
    const detached = await remote({ 'refs/heads/x': commit('2') }, undefined, commit('1'));
    assert.deepEqual(detached.resolve({}), { commit: commit('1'), ref: '' });
    const unborn = await remote({ 'refs/heads/trunk': commit('2') }, 'refs/heads/main');
    assert.throws(() => unborn.resolve({}), {
      reason: 'RefNotFound',
      message: /refs\/heads\/main.*trunk/,
    });
  });

  it('cannot be in an empty repository', async () => {
    const empty = await remote({});
    assert.throws(() => empty.resolve({ branch: 'main' }), { reason: 'RepositoryEmpty' });
  });
});

describe('A15: many refs', () => {
  it('of which 50,000 are versions are sorted in slices, and only once while the tags are the same', async (t) => {
    const tags = Array.from({ length: 50_000 }, (_, index) => {
      const number = (index * 7_919) % 50_000;
      return [`refs/tags/v${number % 7}.${number >> 8}.${number & 255}-rc.${index % 3}`, commit('1')];
    });
    const given = advertised({ ...Object.fromEntries(tags), 'refs/tags/v9.0.0': commit('2') });
    let known: AdvertisedRefs | undefined;
    const longest = await longestTurn(t, async () => {
      known = await AdvertisedRefs.read(given, undefined, where, new Slices());
    });
    assert.ok(longest < scaled(100), `${longest} ms`);
    assert.equal(known?.find({ semver: '*' }), known?.find({ semver: '*' }));
    assert.deepEqual(known?.resolve({ semver: '*' }), { commit: commit('2'), ref: 'refs/tags/v9.0.0' });
    const { descending = [] } = known?.versions ?? {};
    assert.ok(
      descending.every(
        ({ version }, i) => compareVersions(version, descending[i + 1]?.version ?? version) >= 0,
      ),
    );
    const moved = advertised(Object.fromEntries([...given.refs].map(([ref]) => [ref, commit('3')])));
    const again = await AdvertisedRefs.read(moved, known, where, new Slices());
    assert.equal(again.versions, known?.versions);
    assert.equal(again.resolve({ semver: '*' }).commit, commit('3'));
  });

  it('of which 5,000 are versions that take long to compare are sorted in slices', async (t) => {
    const long = Array.from({ length: 250 }, () => 'a.1').join('.');
    const tags = Array.from({ length: 5_000 }, (_, index) => [
      `refs/tags/v1.0.0-${long}.${(index * 7_919) % 5_000}`,
      commit('1'),
    ]);
    const longest = await longestTurn(t, async () => {
      await AdvertisedRefs.read(advertised(Object.fromEntries(tags)), undefined, where, new Slices());
    });
    assert.ok(longest < scaled(100), `${longest} ms`);
  });

  it('are looked through for near names only when one is told, and each only once', async (t) => {
    const branches = Array.from({ length: 5_000 }, (_, index) => {
      const filler = 'abcdefghijklmnopqrstuvwxyz'.repeat(3);
      return [`refs/heads/${filler.slice(index % 26, (index % 26) + 50)}-${index}`, commit('1')];
    });
    const known = await remote(Object.fromEntries(branches));
    const wanted = { branch: 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx-50000' };
    const longest = await longestTurn(t, async () => {
      for (let count = 0; count < 1_000; count++)
        assert.deepEqual(known.find(wanted), { missing: 'RefNotFound' });
      const told = { message: /has no branch .*Did you mean abcdef/ };
      for (let count = 0; count < 1_000; count++) assert.throws(() => known.resolve(wanted), told);
    });
    assert.ok(longest < scaled(200), `${longest} ms`);
  });
});
