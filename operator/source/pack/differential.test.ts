import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { describe, it } from 'node:test';
import { type ReferenceCommit, referenceReader } from '../../../test/harness/isomorphic-git.ts';
import { HISTORIES } from '../../../test/harness/repositories.ts';
import { watchedRepository } from '../../../test/harness/source.ts';
import type { CommitTree } from '../sources.ts';
import { hasControlCharacter } from '../text.ts';

describe('a repository that git made is read as isomorphic-git reads it:', () => {
  for (const [name, { write, whole = [''] }] of Object.entries(HISTORIES)) {
    it(name, async (t) => {
      const { written: commits, url, repository } = await watchedRepository(t, write);
      const reference = await referenceReader(url);
      for (const commit of commits) {
        const tree = await repository.open(repository.resolve({ commit }));
        await assertSame(tree, await reference(commit), whole);
      }
    });
  }
});

async function assertSame(
  tree: CommitTree,
  reference: ReferenceCommit,
  whole: readonly string[],
): Promise<void> {
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
      const followed = upTo(shown).some((part) => entries.get(part)?.type === 'symlink');
      assert.deepEqual(await tree.stat(shown), { type: 'file', oid, ...(followed && { followed }) });
      assert.equal(digest(await tree.read(shown)), bytes, shown);
    }
  }
}

/** The path, and all that it lies in. */
function upTo(path: string): string[] {
  return path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'));
}

/** isomorphic-git has an order of its own. */
function byPath([left = '']: string[], [right = '']: string[]): number {
  return left < right ? -1 : 1;
}

/** All entries below a directory, those of a directory behind it. */
async function listed(tree: CommitTree, directory: string): Promise<string[][]> {
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
