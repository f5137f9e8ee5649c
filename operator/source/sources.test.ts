import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type GitHttpServer, startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../test/harness/git-repository.ts';
import { freePort, temporaryDirectory } from '../../test/harness/process.ts';
import { always, eventually } from '../../test/harness/wait.ts';
import { TowpathError } from '../api/errors.ts';
import { pollDelay } from './poll-delay.ts';
import { type Access, Sources, type SourcesOptions } from './sources.ts';

const hour = 3_600_000;
const nobody = () => undefined;

describe('sources', () => {
  let git: GitRepository;
  let server: GitHttpServer;
  const opened: Sources[] = [];

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    server = await startGitHttp({ root: git.root });
  });
  beforeEach(() => {
    server.requests.length = 0;
  });
  afterEach(async () => {
    server.hang = false;
    server.holdPacksAt = undefined;
    for (const sources of opened.splice(0)) await sources.stop();
  });
  after(() => server.stop());

  function openSources(options: SourcesOptions = {}): Sources {
    const sources = new Sources({ allowLoopback: true, allowPlainHttpCredentials: true, ...options });
    opened.push(sources);
    return sources;
  }
  const access = () => ({ url: server.url(git.name) });
  const count = (method: string) => server.requests.filter((request) => request.method === method).length;

  it('share one ls-remote and one fetch among a thousand subscribers', async () => {
    const sources = openSources();
    const repositories = Array.from({ length: 1_000 }, (_, index) =>
      sources.watch(`app-${index}`, access(), hour, nobody),
    );
    await Promise.all(repositories.map((repository) => repository.poll()));
    const [repository] = repositories;
    assert.ok(repository);
    assert.equal(count('GET'), 1);
    assert.equal(new Set(repositories).size, 1);
    const resolved = repository.resolve({});
    await Promise.all(repositories.map((each) => each.open(resolved)));
    assert.equal(count('POST'), 1);
    await repository.poll();
    await repository.open(repository.resolve({}));
    assert.equal(count('POST'), 1, 'nothing changed, so nothing is fetched');
  });

  it('ask a new repository once, also where somebody asks before its turn among the first polls has come', async () => {
    const sources = openSources();
    server.hang = true;
    const polled = sources.watch('first', access(), hour, nobody).poll();
    // Another credential, another repository: its turn comes after that of the first.
    const credential = { username: 'somebody', password: 'else' };
    sources.watch('later', { ...access(), credential }, hour, nobody);
    await eventually(() => count('GET') === 2, { describe: 'both to be asked' });
    server.hang = false;
    await polled;
    await always(
      () => count('GET'),
      (polls) => assert.equal(polls, 2),
      300,
    );
  });

  it('tell of each fetch how it ended, also of one that only asks which of two equal tags is newer', async () => {
    const mine = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    const other = await startGitHttp({ root: mine.root });
    await mine.tag('v1.0.0+a');
    await mine.commit({ 'a.yaml': 'a: 2\n' });
    await mine.tag('v1.0.0+b');
    const told: string[] = [];
    const sources = openSources({ observer: { fetched: ({ reason }) => told.push(reason) } });
    const repository = sources.watch('app', { url: other.url(mine.name) }, hour, nobody);
    await repository.poll();
    const resolved = repository.resolve({ semver: '1.x' });
    assert.equal(resolved.equals?.length, 2);
    await other.stop();
    await assert.rejects(repository.newest(resolved));
    await assert.rejects(repository.open(resolved));
    assert.deepEqual(told, ['ConnectionRefused', 'ConnectionRefused']);
  });

  it('choose the newest commit of however many tags of one version, whatever order their names have', async () => {
    const mine = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    const count = 40;
    for (let n = 0; n < count; n += 1) {
      await mine.commit({ 'a.yaml': `a: ${n}\n` });
      await mine.tag(`1.2.3+g${String(count - n).padStart(3, '0')}abc`);
    }
    const other = await startGitHttp({ root: mine.root });
    const repository = openSources().watch('app', { url: other.url(mine.name) }, hour, nobody);
    await repository.poll();
    const chosen = await repository.newest(repository.resolve({ semver: '1.x' }));
    await other.stop();
    assert.deepEqual(chosen, { commit: await mine.revParse('main'), ref: 'refs/tags/1.2.3+g001abc' });
  });

  it('ask a repository once for a push, however many follow it, and for the next ones once in a second', async () => {
    const sources = openSources();
    const urls = new Set([access().url]);
    let told = 0;
    const repositories = Array.from({ length: 1_000 }, (_, index) =>
      sources.watch(`app-${index}`, access(), hour, () => {
        told += 1;
      }),
    );
    const [repository] = repositories;
    assert.ok(repository);
    await eventually(() => told === 1_000, { describe: 'the first answer' });
    server.requests.length = 0;
    const commit = await git.commit({ 'a.yaml': 'a: pushed\n' });
    const first = performance.now();
    for (let times = 0; times < 20; times += 1) sources.ask(urls);
    sources.ask(new Set(['https://git.example.com/another']));
    await eventually(() => told === 2_000, { describe: 'all to be told of the push' });
    const resolved = repository.resolve({});
    assert.equal(resolved.commit, commit);
    await Promise.all(repositories.map((each) => each.open(resolved)));
    assert.deepEqual([count('GET'), count('POST')], [1, 1]);
    // Asked for again and again, as whoever replays a delivery would.
    for (let next = 1; next <= 2; next += 1)
      await eventually(
        () => {
          sources.ask(urls);
          return count('GET') > next;
        },
        { describe: 'the next question', every: 10 },
      );
    assert.ok(performance.now() - first > 1_900, 'a second between two questions');
  });

  it('ask again for a push that the server could not tell of, long before the interval is over', async () => {
    let failing = false;
    const flaky = await startGitHttp({
      root: git.root,
      intercept: (_, response) => {
        if (failing) response.writeHead(503).end();
        return failing;
      },
    });
    try {
      const url = flaky.url(git.name);
      const sources = openSources();
      const repository = sources.watch('app', { url }, hour, nobody);
      await repository.poll();
      failing = true;
      const commit = await git.commit({ 'a.yaml': `a: ${Date.now()}\n` });
      sources.ask(new Set([url]));
      await eventually(() => repository.error !== undefined, { describe: 'the question to fail' });
      failing = false;
      await eventually(() => repository.error === undefined, { describe: 'the server to be asked again' });
      assert.equal(repository.resolve({}).commit, commit);
    } finally {
      await flaky.stop();
    }
  });

  it('share a fetch that fails with all who wait for it, those who came back after they gave up included', async () => {
    let fetches = 0;
    const gate = Promise.withResolvers<void>();
    const slow = await startGitHttp({
      root: git.root,
      intercept: (request, response) => {
        if (request.method !== 'POST') return false;
        fetches += 1;
        void gate.promise.then(() => response.writeHead(500).end('made by the test'));
        return true;
      },
    });
    try {
      const repository = openSources().watch('app', { url: slow.url(git.name) }, hour, nobody);
      await repository.poll();
      const resolved = repository.resolve({});
      const waiting: Promise<unknown>[] = [];
      for (let round = 0; round < 3; round += 1) {
        await assert.rejects(repository.open(resolved, AbortSignal.timeout(50)), { name: 'TimeoutError' });
        waiting.push(repository.open(resolved));
      }
      gate.resolve();
      const settled = await Promise.allSettled(waiting);
      assert.deepEqual(new Set(settled.map(({ status }) => status)), new Set(['rejected']));
      assert.equal(fetches, 1);
    } finally {
      await slow.stop();
    }
  });

  it('a poll begins no earlier than it was asked for', async () => {
    const sources = openSources();
    const repository = sources.watch('app', access(), hour, nobody);
    await repository.poll();
    server.hang = true;
    const before = count('GET');
    const early = repository.poll();
    await eventually(() => count('GET') === before + 1);
    const commit = await git.commit({ 'a.yaml': 'a: 2\n' });
    const late = [repository.poll(), repository.poll()];
    server.hang = false;
    await Promise.all([early, ...late]);
    assert.equal(count('GET'), before + 2);
    assert.equal(repository.resolve({}).commit, commit);
  });

  it('ask again at the shortest interval, and tell each subscriber of a change', async () => {
    const sources = openSources();
    const told = { slow: 0, fast: 0 };
    sources.watch('slow', access(), hour, () => told.slow++);
    const repository = sources.watch('fast', access(), 50, () => told.fast++);
    await eventually(() => repository.advertisement);
    const commit = await git.commit({ 'a.yaml': 'a: 3\n' });
    await eventually(() => told.fast >= 2 && told.slow >= 2, { describe: 'the second change' });
    assert.equal(repository.resolve({}).commit, commit);
    await eventually(() => count('GET') > 6);
    assert.deepEqual(told, { slow: 2, fast: 2 });
  });

  it('no longer ask for whom nobody watches', async () => {
    const sources = openSources();
    const other = await createRepository({ root: git.root, name: 'other.git', files: { x: '' } });
    const gone = sources.watch('gone', { url: server.url(other.name) }, 20, nobody);
    await eventually(() => gone.advertisement);
    sources.watch('gone', access(), 20, nobody);
    await assert.rejects(gone.poll(), { reason: 'Stopping' });
    const asked = () => server.requests.filter(({ url }) => url.includes('other.git')).length;
    const [before, polls] = [asked(), count('GET')];
    await eventually(() => count('GET') > polls + 5);
    assert.equal(asked(), before);
  });

  it('no longer ask with what was valid before, when what follows it is not usable', async () => {
    const sources = openSources({ allowPlainHttpCredentials: false });
    const unusable: [Access, string][] = [
      [{ ...access(), credential: { username: 'reader', password: 'secret' } }, 'PlainHTTPRefused'],
      [{ url: 'ftp://example.com/x.git' }, 'URLInvalid'],
      [{ url: 'http://169.254.169.254/x.git' }, 'AddressRefused'],
      [{ url: 'ssh://git@example.com/x.git' }, 'AuthenticationFailed'],
      [
        { url: 'ssh://git@example.com/x.git', credential: { identity: 'x', knownHosts: 'x' } },
        'HostKeyUnknown',
      ],
    ];
    for (const [next, reason] of unusable) {
      const repository = sources.watch('app', access(), 20, nobody);
      await repository.poll();
      assert.throws(() => sources.watch('app', next, 20, nobody), { reason });
      await assert.rejects(repository.poll(), { reason: 'Stopping' }, reason);
      assert.equal(await sources.watch('app', access(), 20, nobody).poll(), undefined);
    }
  });

  it('D14: with another credential it is another repository, which shares nothing', async () => {
    const basic = { username: 'reader', password: 'secret' };
    const guarded = await startGitHttp({ root: git.root, basic });
    try {
      const sources = openSources();
      const url = guarded.url(git.name);
      const mine = sources.watch('mine', { url, credential: basic }, hour, nobody);
      await mine.poll();
      const resolved = mine.resolve({});
      await mine.open(resolved);
      for (const credential of [undefined, { ...basic, password: 'guess' }]) {
        const theirs = sources.watch('theirs', { url, ...(credential ? { credential } : {}) }, hour, nobody);
        assert.notEqual(theirs.key, mine.key);
        await assert.rejects(theirs.poll(), { reason: 'AuthenticationFailed' });
        await assert.rejects(theirs.open(resolved), { reason: 'AuthenticationFailed' });
        assert.equal(theirs.advertisement, undefined);
      }
      assert.ok(!mine.key.includes('secret'));
    } finally {
      await guarded.stop();
    }
  });

  it('A11: the first polls of many repositories are spread', async () => {
    const times: number[] = [];
    const counting = await startGitHttp({
      root: git.root,
      intercept: () => {
        times.push(performance.now());
        return false;
      },
    });
    try {
      const sources = openSources();
      const number = 50;
      for (let index = 0; index < number; index += 1) {
        const credential = { username: `user-${index}`, password: 'x' };
        sources.watch(`app-${index}`, { url: counting.url(git.name), credential }, hour, nobody);
      }
      await eventually(() => times.length >= number, { describe: `${number} polls` });
      assert.equal(times.length, number, 'one each');
      const [first = 0] = times;
      const last = times.at(-1) ?? 0;
      assert.ok(last - first > (number - 1) * 20 * 0.9, `all within ${Math.round(last - first)} ms`);
      const half = times[number / 2] ?? 0;
      assert.ok(half - first > (last - first) / 4, 'not most of them at once');
    } finally {
      await counting.stop();
    }
  });

  it('A3: hung servers delay no other repository', async () => {
    const hung = await startGitHttp({ root: git.root });
    hung.hang = true;
    try {
      const sources = openSources();
      for (let index = 0; index < 40; index++) {
        const credential = { username: `user-${index}`, password: 'x' };
        const repository = sources.watch(
          `hung-${index}`,
          { url: hung.url(git.name), credential },
          hour,
          nobody,
        );
        repository.poll().catch(nobody);
      }
      await eventually(() => hung.requests.length >= 40, { describe: '40 hung requests' });
      const repository = sources.watch('good', access(), hour, nobody);
      await repository.poll();
      const tree = await repository.open(repository.resolve({}));
      assert.ok((await tree.read('a.yaml')).length > 0);
      assert.equal(hung.hang, true);
      assert.ok(hung.requests.every(({ bytesSent }) => bytesSent === 0));
    } finally {
      await hung.stop();
    }
  });

  it('A4: keep what they know while a server is down, try again, and recover', async () => {
    const port = await freePort();
    const first = await startGitHttp({ root: git.root, port });
    const sources = openSources({ random: () => 0 });
    const changes: (string | undefined)[] = [];
    const repository = sources.watch('app', { url: first.url(git.name) }, 100, () =>
      changes.push(repository.error?.reason),
    );
    await eventually(() => repository.advertisement);
    const tree = await repository.open(repository.resolve({}));
    await first.stop();
    await eventually(() => repository.error?.reason === 'ConnectionRefused');
    assert.equal(repository.resolve({}).commit, tree.revision);
    assert.ok(await (await repository.open(repository.resolve({}))).read('a.yaml'));
    const second = await startGitHttp({ root: git.root, port });
    try {
      await eventually(() => repository.error === undefined && changes.length >= 3, { describe: 'recovery' });
      // A poll under way when the server ends tells of a lost connection first.
      const told = changes.filter((reason) => reason !== 'ConnectionLost');
      assert.deepEqual(told, [undefined, 'ConnectionRefused', undefined]);
    } finally {
      await second.stop();
    }
  });

  it('A12: retry within half a minute what time heals, at the interval what it does not', () => {
    const down = new TowpathError('Time', 'ConnectionRefused', '');
    const refused = new TowpathError('Person', 'AuthenticationFailed', '');
    const delays = (error: TowpathError | undefined, failures: number) =>
      [0, 1].map((random) => Math.round(pollDelay(60_000, { error, failures }, random)));
    assert.deepEqual(delays(undefined, 0), [54_000, 66_000]);
    assert.deepEqual(delays(refused, 9), [54_000, 66_000]);
    assert.deepEqual(delays(down, 1), [500, 1_000]);
    assert.deepEqual(delays(down, 3), [2_000, 4_000]);
    assert.deepEqual(delays(down, 1_000), [15_000, 30_000]);
  });

  it('an abort ends the wait of who gave the signal, and of nobody else', async () => {
    const sources = openSources();
    const repository = sources.watch('app', access(), hour, nobody);
    await repository.poll();
    server.hang = true;
    const abort = new AbortController();
    const impatient = repository.poll(abort.signal);
    const patient = repository.poll();
    abort.abort(new Error('no longer wanted'));
    await assert.rejects(impatient, { message: 'no longer wanted' });
    server.hang = false;
    await patient;
  });

  it('a fetch that nobody waits for any more is not begun', async () => {
    const sources = openSources();
    await git.commit({ b: '' }, { branch: 'later' });
    const repository = sources.watch('app', access(), hour, nobody);
    await repository.poll();
    server.hang = true;
    const first = repository.open(repository.resolve({}));
    await eventually(() => count('POST') === 1);
    const abort = new AbortController();
    const abandoned = repository.open(repository.resolve({ branch: 'later' }), abort.signal);
    const again = repository.open(repository.resolve({}));
    abort.abort(new Error('no longer wanted'));
    await assert.rejects(abandoned, { message: 'no longer wanted' });
    server.hang = false;
    await Promise.all([first, again]);
    assert.equal(count('POST'), 1);
  });

  it('say that the id of a tag that no ref names is no commit, and read on', async () => {
    const own = await createRepository({ root: git.root, name: 'any.git', files: { x: '1' } });
    await own.git(['config', 'uploadpack.allowAnySHA1InWant', 'true']);
    const tag = await own.tag('v1', { annotated: true });
    await own.deleteRef('refs/tags/v1');
    const repository = openSources().watch('app', { url: server.url(own.name) }, hour, nobody);
    await repository.poll();
    await assert.rejects(repository.open(repository.resolve({ commit: tag })), {
      reason: 'RefNotFound',
      message: /is the id of an annotated tag/,
    });
    const next = await own.commit({ x: '2' });
    await repository.poll();
    assert.equal((await repository.open(repository.resolve({}))).revision, next);
  });

  it('start over after many packs; trees that were open stay readable', async () => {
    const cacheDirectory = temporaryDirectory('cache');
    const sources = openSources({ cacheDirectory, limits: { packs: 3 } });
    const repository = sources.watch('app', access(), hour, nobody);
    const trees = [];
    for (let index = 0; index < 8; index++) {
      await git.commit({ 'a.yaml': `a: ${index}\n`, [`more/${index}.yaml`]: '' });
      await repository.poll();
      trees.push(await repository.open(repository.resolve({})));
      for (const tree of trees.slice(-3)) await tree.read('a.yaml');
    }
    assert.equal(Buffer.from((await trees.at(-1)?.read('a.yaml')) ?? []).toString(), 'a: 7\n');
    const [run = ''] = readdirSync(cacheDirectory);
    const [directory = ''] = readdirSync(join(cacheDirectory, run));
    assert.deepEqual(readdirSync(join(cacheDirectory, run, directory)).sort(), ['packs-1', 'packs-2']);
    await sources.stop();
    assert.deepEqual(readdirSync(cacheDirectory), []);
  });

  it('clear away what a killed process left in their directory', async () => {
    const cacheDirectory = temporaryDirectory('cache');
    mkdirSync(join(cacheDirectory, 'towpath-source-left/packs-0'), { recursive: true });
    mkdirSync(join(cacheDirectory, 'of-someone-else'));
    const sources = openSources({ cacheDirectory });
    assert.equal(existsSync(join(cacheDirectory, 'towpath-source-left')), false);
    await sources.stop();
    assert.deepEqual(readdirSync(cacheDirectory), ['of-someone-else']);
  });

  it('keep the disk within its bound, fetching again what was thrown away', async () => {
    const sources = openSources({ limits: { cacheBytes: 1 } });
    const small = await createRepository({ root: git.root, name: 'small.git', files: { x: 'x\n' } });
    const [one, two] = [git, small].map(({ name }) =>
      sources.watch(name, { url: server.url(name) }, hour, nobody),
    );
    assert.ok(one && two);
    await one.poll();
    const tree = await one.open(one.resolve({}));
    await two.poll();
    await two.open(two.resolve({}));
    await eventually(() => tree.read('a.yaml').then(nobody, (error) => error.remedy === 'Time'));
    const again = await one.open(one.resolve({}));
    assert.equal(again.revision, tree.revision);
    assert.ok((await again.read('a.yaml')).length > 0);
    assert.equal(count('POST'), 3);
  });

  it('S9: keep the disk within its bound also while packs come, whose fetches that began last make room', async () => {
    const cacheDirectory = temporaryDirectory('cache');
    const bound = 550_000;
    const sources = openSources({ cacheDirectory, limits: { cacheBytes: bound } });
    const opening = async (name: string, bytes: number) => {
      const files = { x: randomBytes(bytes) };
      const { name: path } = await createRepository({ root: git.root, name: `${name}.git`, files });
      const repository = sources.watch(`${name}/app`, { url: server.url(path) }, hour, nobody);
      await repository.poll();
      return () => repository.open(repository.resolve({}));
    };
    const old = await (await opening('old', 200_000))();
    // Two of them, each with a chunk of a pipe more, have room beside each other, and three have not.
    server.holdPacksAt = 200_000;
    const slow = await Promise.all(['first', 'second', 'third'].map((name) => opening(name, 350_000)));
    const ended: TowpathError[] = [];
    const opened = slow.map((open) => open().then(nobody, (error) => ended.push(error)));
    await eventually(() => ended.length > 0, { describe: 'one to make room' });
    const [first] = ended;
    assert.deepEqual([first?.reason, first?.remedy], ['RepositoryCacheFull', 'Time']);
    // More than one has; where chunks end just behind where they are held, two have a little less than 400,000.
    await eventually(() => bytesBelow(cacheDirectory) > 300_000, { describe: 'two to go on' });
    await eventually(() => bytesBelow(cacheDirectory) <= bound, { describe: 'what went to be removed' });
    assert.equal(ended.length, 1);
    await assert.rejects(old.read('x'), { remedy: 'Time' }, 'what was not used for longest went first');
    server.holdPacksAt = undefined;
    await Promise.all(opened);
    assert.ok(ended.length < 3, 'not all of them were ended');
    for (const open of slow) assert.equal((await (await open()).read('x')).length, 350_000);
    await eventually(() => bytesBelow(cacheDirectory) <= bound);
  });

  it('a large fetch does not block the event loop for 50 ms', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [
        `apps/${index % 500}/${index}.yaml`,
        `value: ${index}\n`.repeat(9),
      ]),
    );
    const large = await createRepository({ root: git.root, name: 'large.git', files });
    const sources = openSources();
    const repository = sources.watch('app', { url: server.url(large.name) }, hour, nobody);
    await repository.poll();
    const longest = measureTurns();
    const tree = await repository.open(repository.resolve({}));
    await Promise.all(Array.from({ length: 500 }, (_, index) => tree.readAll(`apps/${index}`)));
    assert.ok(longest() < 50, `one turn of the loop took ${longest()} ms`);
  });
});

function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const found = statSync(join(directory, name), { throwIfNoEntry: false });
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}

/**
 * Milliseconds of this thread's processor time that the longest turn of the event loop has taken since; time
 * in which the machine did something else does not count.
 */
function measureTurns(): () => number {
  let longest = 0;
  let last = threadMilliseconds();
  const timer = setInterval(() => {
    const now = threadMilliseconds();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

function threadMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
