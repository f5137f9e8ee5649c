import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type GitHttpServer, startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository } from '../../test/harness/git-repository.ts';
import { type ReferenceCommit, referenceReader } from '../../test/harness/isomorphic-git.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { HISTORIES } from '../../test/harness/repositories.ts';
import { type Repository, Sources, type Tree } from './sources.ts';
import { hasControlCharacter } from './text.ts';

describe('a repository that git made is read as isomorphic-git reads it:', () => {
  const root = temporaryDirectory('differential');
  let server: GitHttpServer;
  let sources: Sources;

  before(async () => {
    server = await startGitHttp({ root });
    sources = new Sources({ allowLoopback: true });
  });
  after(async () => {
    await sources.stop();
    await server.stop();
  });

  for (const [name, { write, whole = [''] }] of Object.entries(HISTORIES)) {
    it(name, async () => {
      const git = await createRepository({ root, name: `${name.replaceAll(/\W+/g, '-')}.git` });
      const commits = await write(git);
      const url = server.url(git.name);
      const reference = await referenceReader(url);
      const repository = sources.watch(name, { url }, 3_600_000, () => undefined);
      await repository.poll();
      for (const commit of commits) {
        const tree = await open(repository, commit);
        await assertSame(tree, await reference(commit), whole);
      }
    });
  }
});

function open(repository: Repository, commit: string): Promise<Tree> {
  return repository.open(repository.resolve({ commit }));
}

async function assertSame(tree: Tree, reference: ReferenceCommit, whole: readonly string[]): Promise<void> {
  const { entries } = reference;
  assert.deepEqual(tree.commit, {
    message: reference.message.split('\n', 1)[0],
    author: reference.author,
    committedAt: new Date(reference.committedAt * 1_000).toISOString().replace('.000Z', 'Z'),
  });
  assert.deepEqual(
    (await listed(tree, '')).sort(byPath),
    [...entries].map(([path, { type, oid }]) => [path, type, oid]).sort(byPath),
  );
  for (const directory of whole) {
    const expected = reached(entries, directory, '').sort(byPath);
    const { files } = await tree.readAll(directory);
    assert.deepEqual(
      files.map(({ path, mode, oid, data }) => [path, mode.toString(8), oid, digest(data)]).sort(byPath),
      expected,
    );
    for (const [path = '', , oid = '', bytes] of expected) {
      // Nobody may ask for such a path.
      if (hasControlCharacter(path)) continue;
      const shown = posix.join(directory, path);
      assert.deepEqual(await tree.stat(shown), { type: 'file', oid });
      assert.equal(digest(await tree.read(shown)), bytes, shown);
    }
  }
}

/** isomorphic-git has an order of its own. */
function byPath([left = '']: string[], [right = '']: string[]): number {
  return left < right ? -1 : 1;
}

/** All entries below a directory, those of a directory behind it. */
async function listed(tree: Tree, directory: string): Promise<string[][]> {
  const found: string[][] = [];
  for (const { name, type, oid } of await tree.list(directory)) {
    const path = posix.join(directory, name);
    found.push([path, type, oid]);
    if (type === 'directory') found.push(...(await listed(tree, path)));
  }
  return found;
}

/** The files below a directory that a checkout would have there: path, mode, id and digest of each. */
function reached(entries: ReferenceCommit['entries'], directory: string, prefix: string): string[][] {
  const found: string[][] = [];
  const own = [...entries.keys()].filter((path) => directoryOf(path) === directory);
  for (const path of own) {
    const real = realPath(entries, '', path);
    const { mode = 0, type = 'directory', oid = '', data } = entries.get(real) ?? {};
    const shown = posix.join(prefix, posix.basename(path));
    if (type === 'directory') found.push(...reached(entries, real, shown));
    else found.push([shown, mode.toString(8), oid, digest(data ?? Buffer.alloc(0))]);
  }
  return found;
}

function realPath(entries: ReferenceCommit['entries'], from: string, path: string): string {
  let at = from;
  for (const part of path.split('/')) {
    const next = posix.join(at, part);
    const entry = entries.get(next);
    if (part === '..') at = directoryOf(at);
    else at = entry?.type === 'symlink' ? realPath(entries, at, String(entry.data)) : next;
  }
  return at === '.' ? '' : at;
}

function directoryOf(path: string): string {
  const directory = posix.dirname(path);
  return directory === '.' ? '' : directory;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex');
}
