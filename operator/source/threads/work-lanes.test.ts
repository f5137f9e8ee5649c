import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, cpSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { createRepository } from '../../../test/harness/git-repository.ts';
import { temporaryDirectory } from '../../../test/harness/process.ts';
import { without } from '../../../test/harness/programs.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { defaultLimits as limits } from '../limits.ts';
import type { RunWork } from '../work.ts';
import { type LanesOptions, WorkLanes } from './work-lanes.ts';

const withoutFifos = without('mkfifo');

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

  let lanes: WorkLanes | undefined;
  afterEach(async () => {
    await lanes?.stop();
    lanes = undefined;
  });

  function open(options: Partial<LanesOptions> = {}): WorkLanes {
    lanes = new WorkLanes({ workMs: 60_000, ...options });
    return lanes;
  }

  const readCommit = (run: RunWork, signal?: AbortSignal) =>
    run('commit', { directory, limits, oid: commit }, signal);

  /** Work that goes on until it is told to end, for a repository of its own. */
  async function hold(run: RunWork): Promise<{ end(): Promise<void> }> {
    const own = temporaryDirectory('held');
    mkdirSync(join(own, 'objects/pack'), { recursive: true });
    const fifo = join(own, 'objects/pack/pack-0.pack');
    execFileSync('mkfifo', [fifo]);
    const held = run('addPack', { directory: own, limits, name: 'pack-0.pack', bytes: 0 });
    const failed = assert.rejects(held, { reason: 'PackInvalid' });
    // Opening it for writing succeeds once the worker has it open for reading.
    const writer = await eventually(() => {
      try {
        return { fd: openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK) };
      } catch {
        return undefined;
      }
    });
    return {
      async end() {
        closeSync(writer.fd);
        await failed;
      },
    };
  }

  it('answers requests in their order, errors as errors', async () => {
    const run = open().forRepository();
    const found = readCommit(run);
    const missing = run('commit', { directory, limits, oid: 'f'.repeat(40) });
    assert.equal((await found).commit.message, 'Initial commit');
    await assert.rejects(missing, { name: 'TowpathError', reason: 'RepositoryDamaged', remedy: 'Time' });
  });

  it('that overruns fails what it was doing', async () => {
    // No worker can have started within a millisecond.
    const run = open({ workMs: 1 }).forRepository();
    await assert.rejects(readCommit(run), { reason: 'WorkFailed', message: /took longer/ });
  });

  it('that runs out of memory is replaced, and only what it was doing fails', async () => {
    const run = open({ heapMegabytes: 24 }).forRepository();
    const crashing = run('list', { directory, limits, root: hugeTree, path: '' });
    const waiting = readCommit(run);
    await assert.rejects(crashing, { reason: 'WorkFailed', message: /memory/ });
    assert.equal((await waiting).commit.message, 'Initial commit');
  });

  it('that was stopped refuses', async () => {
    const lanes = open();
    const run = lanes.forRepository();
    const running = readCommit(run);
    const waiting = readCommit(run);
    const stopping = lanes.stop();
    await assert.rejects(running, { reason: 'Stopping' });
    await assert.rejects(waiting, { reason: 'Stopping' });
    await assert.rejects(readCommit(run), { reason: 'Stopping' });
    await stopping;
  });

  it('never begins what nobody waits for any more', { skip: withoutFifos }, async () => {
    const lanes = open();
    const held = await hold(lanes.forRepository());
    const run = lanes.forRepository();
    const pack = readdirSync(join(directory, 'objects/pack')).find((name) => name.endsWith('.pack')) ?? '';
    const own = temporaryDirectory('abandoned');
    mkdirSync(join(own, 'objects/pack'), { recursive: true });
    cpSync(join(directory, 'objects/pack', pack), join(own, 'objects/pack/pack-0.pack'));
    const abort = new AbortController();
    const input = { directory: own, limits, name: 'pack-0.pack', bytes: 0 };
    const abandoned = run('addPack', input, abort.signal);
    const wanted = readCommit(run);
    abort.abort(new Error('no longer wanted'));
    await assert.rejects(abandoned, { message: 'no longer wanted' });
    await assert.rejects(run('addPack', input, abort.signal), { message: 'no longer wanted' });
    await held.end();
    assert.equal((await wanted).commit.message, 'Initial commit');
    assert.deepEqual(readdirSync(join(own, 'objects/pack')), ['pack-0.pack']);
  });

  it('serves repositories in turn, however much one of them asks for', { skip: withoutFifos }, async () => {
    const lanes = open();
    const held = await hold(lanes.forRepository());
    const [greedy, modest] = [lanes.forRepository(), lanes.forRepository()];
    const answered: string[] = [];
    const all = [
      ...Array.from({ length: 20 }, () => readCommit(greedy).then(() => answered.push('greedy'))),
      ...Array.from({ length: 2 }, () => readCommit(modest).then(() => answered.push('modest'))),
    ];
    await held.end();
    await Promise.all(all);
    assert.deepEqual(answered.slice(0, 4), ['greedy', 'modest', 'greedy', 'modest']);
  });

  it('that is long at one repository leaves the others to the next, and holds up no second one', {
    skip: withoutFifos,
  }, async () => {
    const lanes = open({ lanes: 2, moveAfterMs: 20 });
    const [slow, other, same] = [lanes.forRepository(), lanes.forRepository(), lanes.forRepository()];
    const held = await hold(slow);
    let next: unknown;
    const more = readCommit(slow).then((answer) => {
      next = answer;
    });
    for (const run of [same, other, same])
      assert.equal((await readCommit(run)).commit.message, 'Initial commit');
    assert.equal(next, undefined, 'the slow repository has one worker at most');
    await held.end();
    await more;
  });
});
