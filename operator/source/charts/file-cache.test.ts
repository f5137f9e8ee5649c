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

test('S9: what is coming counts in the bound of what is kept', async () => {
  const directory = temporaryDirectory('file-cache');
  const cache = new FileCache(directory, KEPT, new Slices());
  const whole = slow(60);
  whole.end();
  await cache.add(whole.chunks, () => 'old');
  const [first, second] = [slow(70), slow(30)];
  const adding = [cache.add(first.chunks, () => 'first'), cache.add(second.chunks, () => 'second')];
  await Promise.all([first.sent, second.sent]);
  assert.ok(!cache.has('old'), 'what was kept goes first');
  assert.equal(await bytesIn(directory), 100);
  const third = slow(10);
  third.end();
  await assert.rejects(
    cache.add(third.chunks, () => 'third'),
    { reason: 'ChartCacheFull', remedy: 'Time' },
  );
  // One after the other: which was used last decides below which goes.
  first.end();
  await adding[0];
  second.end();
  await adding[1];
  assert.ok(cache.has('first') && cache.has('second'));
  assert.equal(await bytesIn(directory), 100);
  const again = slow(10);
  again.end();
  await cache.add(again.chunks, () => 'third');
  assert.ok(!cache.has('first') && cache.has('third'));
  assert.equal(await bytesIn(directory), 40);
});

test('S9: what broke off leaves nothing, neither on disk nor in the bound', async () => {
  const directory = temporaryDirectory('file-cache');
  const cache = new FileCache(directory, KEPT, new Slices());
  async function* broken() {
    yield Buffer.alloc(90);
    throw new Error('broken off');
  }
  for (let tries = 0; tries < 3; tries++)
    await assert.rejects(
      cache.add(broken(), () => 'never'),
      /broken off/,
    );
  const [one, other] = [slow(50), slow(50)];
  one.end();
  other.end();
  await Promise.all([cache.add(one.chunks, () => 'one'), cache.add(other.chunks, () => 'other')]);
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
