import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createRepository } from '../../test/harness/git-repository.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { WorkLane } from './work-lane.ts';

describe('a worker', () => {
  let directory: string;
  let commit: string;
  let hugeTree: string;

  before(async () => {
    const git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    commit = await git.revParse('HEAD');
    directory = temporaryDirectory('lane');
    mkdirSync(join(directory, 'objects/pack'), { recursive: true });
    const entries = Array.from({ length: 400_000 }, (_, index) =>
      Buffer.concat([Buffer.from(`100644 ${String(index).padStart(20, '0')}\0`), Buffer.alloc(20, 1)]),
    );
    hugeTree = await git.writeObject('tree', Buffer.concat(entries));
    const objects = `${await git.git(['rev-list', '--objects', '--no-object-names', 'HEAD'])}\n${hugeTree}\n`;
    await git.git(['pack-objects', '-q', join(directory, 'objects/pack/pack')], objects);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('answers requests in their order, errors as errors', async () => {
    const lane = new WorkLane({ workMs: 30_000 });
    try {
      const found = lane.run('commit', { directory, oid: commit });
      const missing = lane.run('commit', { directory, oid: 'f'.repeat(40) });
      assert.equal((await found).commit.message, 'Initial commit');
      await assert.rejects(missing, { name: 'TowpathError', reason: 'RepositoryDamaged', remedy: 'Time' });
    } finally {
      await lane.stop();
    }
  });

  it('that overruns fails what it was doing', async () => {
    // No worker can have started within a millisecond.
    const lane = new WorkLane({ workMs: 1 });
    try {
      await assert.rejects(lane.run('commit', { directory, oid: commit }), {
        reason: 'WorkFailed',
        message: /took longer/,
      });
    } finally {
      await lane.stop();
    }
  });

  it('that runs out of memory is replaced, and only what it was doing fails', async () => {
    const lane = new WorkLane({ workMs: 60_000, heapMegabytes: 24 });
    try {
      const crashing = lane.run('list', { directory, root: hugeTree, path: '' });
      const waiting = lane.run('commit', { directory, oid: commit });
      await assert.rejects(crashing, { reason: 'WorkFailed', message: /memory/ });
      assert.equal((await waiting).commit.message, 'Initial commit');
    } finally {
      await lane.stop();
    }
  });

  it('that was stopped refuses', async () => {
    const lane = new WorkLane({ workMs: 30_000 });
    const running = lane.run('commit', { directory, oid: commit });
    const stopping = lane.stop();
    await assert.rejects(running, { reason: 'Stopping' });
    await assert.rejects(lane.run('commit', { directory, oid: commit }), { reason: 'Stopping' });
    await stopping;
  });
});
