import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slices } from '../observe/slices.ts';
import { Interrupted, Queue, type Work } from './queue.ts';

function queue(work: Work, changes: Partial<ConstructorParameters<typeof Queue>[0]> = {}): Queue {
  return new Queue({
    work,
    concurrency: 2,
    lendAfterMs: 60_000,
    slices: new Slices(),
    onError: (key, error) => {
      throw new Error(`${key} failed`, { cause: error });
    },
    ...changes,
  });
}

test('one key is never worked on twice at once, and an addition meanwhile is kept', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = Promise.withResolvers<void>();
  let runs = 0;
  let atOnce = 0;
  const subject = queue(async () => {
    atOnce += 1;
    assert.equal(atOnce, 1);
    await gates[runs++]?.promise;
    atOnce -= 1;
    if (runs === 2) done.resolve();
  });
  subject.add('a');
  subject.add('a');
  subject.add('a');
  gates[0]?.resolve();
  gates[1]?.resolve();
  await done.promise;
  await subject.stop();
  assert.equal(runs, 2);
});

test('A5: an interrupt aborts the run under way, and the key runs again', async () => {
  const done = Promise.withResolvers<void>();
  const reasons: unknown[] = [];
  const subject = queue(async (_key, signal) => {
    if (reasons.length > 0) return done.resolve();
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reasons.push(signal.reason);
        reject(signal.reason);
      });
      queueMicrotask(() => subject.add('a', { interrupt: true }));
    });
  });
  subject.add('a');
  await done.promise;
  await subject.stop();
  assert.ok(reasons[0] instanceof Interrupted);
});

test('A3: a run that takes long lends its place on', async () => {
  const stuck = Promise.withResolvers<void>();
  const other = Promise.withResolvers<void>();
  const subject = queue(
    async (key) => {
      if (key === 'stuck') await stuck.promise;
      else other.resolve();
    },
    { concurrency: 1, lendAfterMs: 1 },
  );
  subject.add('stuck');
  subject.add('other');
  await other.promise;
  stuck.resolve();
  await subject.stop();
});

test('an error is told, and the next key still runs', async () => {
  const told: string[] = [];
  const other = Promise.withResolvers<void>();
  const subject = queue(
    async (key) => {
      if (key === 'bad') throw new Error('broken');
      other.resolve();
    },
    { concurrency: 1, onError: (key, error) => told.push(`${key}: ${(error as Error).message}`) },
  );
  subject.add('bad');
  subject.add('good');
  await other.promise;
  await subject.stop();
  assert.deepEqual(told, ['bad: broken']);
});

test('of two delays the earlier counts', async () => {
  const ran = Promise.withResolvers<number>();
  const subject = queue(async () => ran.resolve(performance.now()));
  const started = performance.now();
  subject.addAfter('a', 60_000);
  subject.addAfter('a', 5);
  subject.addAfter('a', 60_000);
  assert.ok((await ran.promise) - started < 30_000);
  await subject.stop();
});
