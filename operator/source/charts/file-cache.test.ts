import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { newCache } from '../cache-directory.ts';
import { FileCache } from './file-cache.ts';

const KEPT = 100;

async function bytesIn(directory: string): Promise<number> {
  const sizes = readdirSync(directory).map(async (name) => (await stat(join(directory, name))).size);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

/** A file whose end does not come before `end` was called. */
function slow(bytes: number) {
  const ended = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  async function* chunks() {
    yield Buffer.alloc(bytes);
    sent.resolve();
    await ended.promise;
  }
  return { chunks: chunks(), sent: sent.promise, end: ended.resolve };
}

/** Has something come for a tenant, and keeps it under its name. */
function adding(cache: FileCache, name: string, chunks: AsyncIterable<Buffer>, tenant = name): Promise<void> {
  const what = `index.yaml of https://charts.example.com/${name}`;
  return cache.add({ tenants: [tenant], what, open: async () => chunks, nameOf: () => name });
}

async function keep(cache: FileCache, name: string, bytes: number, tenant = name): Promise<void> {
  const file = slow(bytes);
  file.end();
  await adding(cache, name, file.chunks, tenant);
}

test('S9: what is coming counts in the bound of what is kept, and who has most of it makes room', async () => {
  const directory = temporaryDirectory('file-cache');
  const cache = new FileCache(directory, KEPT, new Slices());
  await keep(cache, 'old', 60);
  const [first, second] = [slow(70), slow(30)];
  const coming = [adding(cache, 'first', first.chunks), adding(cache, 'second', second.chunks)];
  await Promise.all([first.sent, second.sent]);
  assert.ok(!cache.has('old'), 'what was kept goes first');
  assert.equal(await bytesIn(directory), 100);
  await keep(cache, 'third', 10);
  first.end();
  await assert.rejects(coming[0] ?? assert.fail(), {
    reason: 'ChartCacheFull',
    remedy: 'Time',
    message:
      'The fetch of index.yaml of https://charts.example.com/first made room for those that began before it: more comes of chart repositories at the moment than the 100 bytes that the operator keeps of them on its disk. It is tried again.',
  });
  second.end();
  await coming[1];
  assert.ok(cache.has('second') && cache.has('third'));
  assert.equal(await bytesIn(directory), 40);
});

test('S9: of what is kept that goes which was not used for longest, of who has more than half first', async () => {
  const directory = temporaryDirectory('file-cache');
  const cache = new FileCache(directory, KEPT, new Slices());
  for (const name of ['a', 'b', 'c']) await keep(cache, name, 30);
  assert.equal(await cache.read('a', () => undefined), 'Read');
  await keep(cache, 'd', 30);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].filter((name) => cache.has(name)),
    ['a', 'c', 'd'],
  );
  for (const name of ['e', 'f', 'g']) await keep(cache, name, 30, 'greedy');
  assert.deepEqual(
    ['a', 'c', 'd', 'e', 'f', 'g'].filter((name) => cache.has(name)),
    ['a', 'd', 'g'],
  );
  assert.equal(await bytesIn(directory), 90);
});

test('S9: what broke off leaves nothing, neither on disk nor in the bound', async () => {
  const directory = temporaryDirectory('file-cache');
  const cache = new FileCache(directory, KEPT, new Slices());
  async function* broken() {
    yield Buffer.alloc(90);
    throw new Error('broken off');
  }
  for (let tries = 0; tries < 3; tries++)
    await assert.rejects(adding(cache, 'never', broken()), /broken off/);
  const nothing = { tenants: [], what: '', nameOf: () => assert.fail() };
  await cache.add({ ...nothing, open: async () => undefined });
  await Promise.all([keep(cache, 'one', 50), keep(cache, 'other', 50)]);
  assert.ok(cache.has('one') && cache.has('other'));
  assert.equal(await bytesIn(directory), 100);
});

test('what a killed process left is removed at the next start, and nothing else', async () => {
  const given = temporaryDirectory('cache-directory');
  await mkdir(join(given, 'towpath-charts-killed'));
  await writeFile(join(given, 'towpath-charts-killed', '0.partial'), 'x');
  await mkdir(join(given, 'towpath-source-1'));
  newCache(given, 'towpath-charts-');
  const left = readdirSync(given);
  assert.equal(left.length, 2);
  assert.ok(left.includes('towpath-source-1') && !left.includes('towpath-charts-killed'));
});
