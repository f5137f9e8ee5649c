import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository } from '../../test/harness/git-repository.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { Slices } from '../observe/event-loop-slices.ts';
import { FileCache } from './charts/file-cache.ts';
import { Sources } from './sources.ts';

const never = new AbortController().signal;
const PAGE = 4_096;

/** A disk of so many pages; undefined where nobody may have one. */
function smallDisk(t: TestContext): { directory: string; resize(pages: number): void } | undefined {
  const directory = temporaryDirectory('small-disk');
  // By a shell: where there is no mount, that fails as where it may not be used.
  const run = (command: string) => execFileSync('sh', ['-c', command, 'sh', directory], { stdio: 'pipe' });
  const mount = (options: string) => run(`mount -t tmpfs -o ${options} towpath-test "$1"`);
  try {
    mount(`size=${PAGE}`);
  } catch {
    t.skip('no disk can be mounted: run it as root');
    return undefined;
  }
  t.after(() => run('umount -l "$1"'));
  return { directory, resize: (pages) => mount(`remount,size=${pages * PAGE}`) };
}

function keep(cache: FileCache, bytes: number): Promise<void> {
  async function* chunks() {
    yield Buffer.alloc(bytes);
  }
  const what = 'the archive of chart redis 1.0.0 of https://charts.example.com';
  return cache.add({ tenants: ['shop'], what, open: async () => chunks(), nameOf: () => 'redis' });
}

test('A4: a chart that the disk has no room for is told so, and kept once it has', async (t) => {
  const disk = smallDisk(t);
  if (disk === undefined) return;
  const cache = new FileCache(disk.directory, 1 << 20, new Slices());
  for (let tries = 0; tries < 2; tries++)
    await assert.rejects(keep(cache, 2 * PAGE), {
      remedy: 'Time',
      reason: 'RepositoryDamaged',
      message:
        "The archive of chart redis 1.0.0 of https://charts.example.com cannot be kept on the operator's own disk (ENOSPC: no space left on device). It is fetched anew; if it stays, have who runs Towpath look at that disk.",
    });
  assert.ok(!cache.has('redis'));
  disk.resize(2);
  await keep(cache, 2 * PAGE);
  assert.equal(await cache.read('redis', () => undefined), 'Read');
});

test('A4: a chart is told so, too, whose disk is gone', async () => {
  const directory = temporaryDirectory('gone');
  const cache = new FileCache(directory, 1 << 20, new Slices());
  await keep(cache, 1);
  await rm(directory, { recursive: true });
  assert.equal(await cache.read('redis', () => undefined), undefined);
  const [first, second] = await Promise.allSettled([keep(cache, 1), keep(cache, 1)]);
  assert.equal(first.status, 'rejected');
  assert.equal(first.reason.reason, 'RepositoryDamaged');
  assert.deepEqual(second.status === 'rejected' && second.reason.message, first.reason.message);
});

test('A4: a commit that the disk has no room for is told so, and fetched once it has, however little was left', async (t) => {
  const disk = smallDisk(t);
  if (disk === undefined) return;
  const git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
  const server = await startGitHttp({ root: git.root });
  t.after(() => server.stop());
  const filling = join(disk.directory, 'filling');
  writeFileSync(filling, Buffer.alloc(PAGE));
  const sources = new Sources({ allowLoopback: true, cacheDirectory: disk.directory });
  t.after(() => sources.stop());
  const repository = sources.watch('shop/web', { url: server.url(git.name) }, 3_600_000, () => undefined);
  await repository.poll();
  // The pack has room before its index has.
  for (let pages = 1; pages < 3; pages++) {
    disk.resize(pages);
    await assert.rejects(repository.open(repository.resolve({}), never), {
      remedy: 'Time',
      reason: 'RepositoryDamaged',
      message: /cannot be kept on the operator's own disk \(ENOSPC: no space left on device\)\./,
    });
  }
  disk.resize(8);
  const tree = await repository.open(repository.resolve({}), never);
  assert.equal(tree.revision, await git.revParse('main'));
});
