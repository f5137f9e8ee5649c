import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startLoopControl } from '../../../test/harness/event-loop.ts';
import { startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { eventually } from '../../../test/harness/wait.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { Turns } from '../../observe/turns.ts';
import { type GitRef, Sources } from '../../source/sources.ts';
import type { Wake } from './commit-wakes.ts';
import { Following } from './following.ts';
import { gitSourceOf } from './spec-inputs.ts';

const APPLICATIONS = 1_000;
const REFS = 5_000;

interface Setting {
  git: GitRepository;
  /** Applications that were told of a change, since this was cleared. */
  woken: Set<string>;
  longestTurn(): number;
  limit(): number;
}

/** So many Applications that follow one repository, which has so many refs below a prefix. */
async function follow(t: TestContext, prefix: string, ref: (index: number) => GitRef): Promise<Setting> {
  const git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  const head = await git.revParse('HEAD');
  const refs = Array.from({ length: REFS }, (_, index) => `create ${prefix}${index} ${head}\n`);
  await git.git(['update-ref', '--stdin'], refs.join(''));
  await git.git(['pack-refs', '--all']);
  const server = await startGitHttp({ root: git.root });
  t.after(() => server.stop());
  const slices = new Slices();
  const sources = new Sources({ allowLoopback: true, slices });
  t.after(() => sources.stop());
  const woken = new Set<string>();
  const following = new Following({
    sources,
    slices,
    nameOf: (url) => url,
    onChange: (key) => woken.add(key),
  });
  const repoURL = server.url(git.name);
  for (let index = 0; index < APPLICATIONS; index++) {
    const source = { repoURL, path: '', interval: '1s', ref: ref(index) };
    const application = { metadata: { namespace: 'shop', name: `app-${index}` }, spec: { source } };
    following.follow(
      {
        key: `shop/app-${index}`,
        application: application as unknown as Application,
        target: {
          name: `shop/app-${index}/default`,
          overlay: { ref: ref(index), path: '', defaults: undefined, layers: [] },
        },
        kept: [],
      },
      new Map(),
    );
  }
  await eventually(() => woken.size === APPLICATIONS, { describe: 'the first look at the refs' });
  woken.clear();
  const turns = new Turns(() => undefined);
  const control = startLoopControl();
  turns.start();
  t.after(() => {
    turns.stop();
    control.stop();
  });
  return { git, woken, longestTurn: () => turns.longest, limit: () => control.limit() };
}

test('A15: 1,000 Applications that follow ranges of 5,000 tags hold up nobody when the tags move', async (t) => {
  const { git, woken, longestTurn, limit } = await follow(t, 'refs/tags/v1.0.', (index) => ({
    // Each range is another one, and its version is far from the highest.
    semver: `<=1.0.${index}`,
  }));
  const moved = await git.commit({ 'a.yaml': 'a: 2\n' });
  const refs = Array.from({ length: REFS }, (_, index) => `update refs/tags/v1.0.${index} ${moved}\n`);
  await git.git(['update-ref', '--stdin'], refs.join(''));
  await eventually(() => woken.size === APPLICATIONS, { describe: 'all to be woken' });
  assert.ok(longestTurn() <= limit(), `${longestTurn()} ms, at most ${limit()} ms`);
});

test('A15: 1,000 Applications whose branches are gone among 5,000 hold up nobody when a ref changes', async (t) => {
  const { git, woken, longestTurn, limit } = await follow(
    t,
    'refs/heads/feature/of-a-long-name-',
    (index) => ({
      branch: index === 0 ? 'main' : `feature/of-another-name-${index}`,
    }),
  );
  await git.commit({ 'a.yaml': 'a: 2\n' });
  await eventually(() => woken.has('shop/app-0'), { describe: 'the one whose branch is there to be woken' });
  assert.deepEqual([...woken], ['shop/app-0'], 'what is still gone is no news');
  assert.ok(longestTurn() <= limit(), `${longestTurn()} ms, at most ${limit()} ms`);
});

const FEWER = 60;

/** So many Applications that follow HEAD of one repository, each with a folder of its own there. */
async function followFolders(t: TestContext, count: number) {
  const paths = Array.from({ length: count }, (_, index) => `apps/${index}`);
  const git = await createRepository({
    files: {
      'shared.yaml': 's: 1\n',
      ...Object.fromEntries(paths.map((path) => [`${path}/a.yaml`, 'a: 1\n'])),
    },
  });
  const server = await startGitHttp({ root: git.root });
  t.after(() => server.stop());
  const slices = new Slices();
  const sources = new Sources({ allowLoopback: true, slices });
  t.after(() => sources.stop());
  const woken: [string, Wake][] = [];
  const onChange = (key: string, wake: Wake) => void woken.push([key, wake]);
  const following = new Following({ sources, slices, nameOf: (url) => url, onChange });
  const source = { repoURL: server.url(git.name), path: '', interval: '1h' };
  const looks = paths.map((path, index) => ({
    key: `shop/app-${index}`,
    application: {
      metadata: { namespace: 'shop', name: `app-${index}` },
      spec: { source },
    } as unknown as Application,
    target: {
      name: `shop/app-${index}/default`,
      overlay: { ref: {}, path, defaults: undefined, layers: [] },
    },
    kept: [],
  }));
  const signal = new AbortController().signal;
  const look = async (input: (typeof looks)[number]) => {
    const repository = following.follow(input, new Map());
    const resolved = await following.resolve(input, repository, undefined, signal);
    await following.open(input, repository, resolved, signal);
    return repository;
  };
  const [repository] = await Promise.all(looks.map(look));
  assert.ok(repository !== undefined);
  await eventually(() => woken.length === count, { describe: 'the first look at the refs' });
  const wakeOf = (key: string) => woken.find(([one]) => one === key)?.[1];
  return { git, following, repository, looks, look, woken, wakeOf, signal };
}

test('A3: of 60 Applications of one repository the one that a commit changes is woken, the others one by one after that', async (t) => {
  const { git, following, repository, looks, woken, wakeOf, signal } = await followFolders(t, FEWER);
  const commit = async (files: Record<string, string>) => {
    woken.length = 0;
    await git.commit(files);
    await repository.poll();
    await eventually(() => woken.length === FEWER, { describe: 'all to be woken' });
  };
  const known = looks.slice(1);
  for (const { target } of known)
    following.followers.noteRead(target.name, 'c-1', [target.overlay.path, 'shared.yaml']);

  await commit({ 'apps/37/a.yaml': 'a: 2\n' });
  const others = woken.filter(([key]) => key !== 'shop/app-37' && key !== 'shop/app-0');
  assert.deepEqual(wakeOf('shop/app-37'), { rank: 'First' });
  assert.deepEqual(wakeOf('shop/app-0'), { rank: 'InTurn' }, 'what it reads is not known');
  assert.equal(others.length, FEWER - 2);
  const delays = others.map(([, { afterMs = 0 }]) => afterMs);
  assert.equal(new Set(delays).size, delays.length, 'one by one');
  assert.equal(Math.min(...delays), 1_000);
  assert.equal(Math.max(...delays), 1_000 + (FEWER - 3) * 20);

  await commit({ 'shared.yaml': 's: 2\n' });
  assert.equal(woken.filter(([, { rank }]) => rank === 'First').length, FEWER - 1, 'whom it changes');

  woken.length = 0;
  await git.commit({ 'apps/5/a.yaml': 'a: 3\n' });
  // Who was asked to look has seen it before it is found out what it changes.
  const [, , , , , fifth] = looks;
  assert.ok(fifth !== undefined);
  await following.resolve(fifth, repository, 'look now', signal);
  await eventually(() => woken.length === FEWER - 1, { describe: 'the others to be woken' });
  assert.equal(wakeOf('shop/app-5'), undefined);
});

test('A3: the first push to a ref that an Application follows from now on is no move from where the former one was', async (t) => {
  const { git, following, repository, looks, look, woken, wakeOf } = await followFolders(t, 12);
  await git.branch('release');
  const changed = { 'apps/0/a.yaml': 'a: 2\n' };
  await git.commit(changed);
  await repository.poll();
  await eventually(() => woken.length === 2 * looks.length, { describe: 'all to be woken' });
  const [first] = looks;
  assert.ok(first !== undefined);
  const ref = { branch: 'release' };
  const { spec } = first.application;
  await look({
    ...first,
    application: {
      ...first.application,
      spec: { ...spec, source: { ...gitSourceOf(first.application), ref } },
    },
    target: { ...first.target, overlay: { ...first.target.overlay, ref } },
  });
  following.followers.noteRead(first.target.name, 'c-1', [first.target.overlay.path]);
  woken.length = 0;
  // By this it is as HEAD is.
  await git.commit(changed, { branch: 'release' });
  await repository.poll();
  await eventually(() => wakeOf('shop/app-0') !== undefined, { describe: 'it to be woken' });
  assert.deepEqual(wakeOf('shop/app-0'), { rank: 'First' });
});
