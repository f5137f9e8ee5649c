import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { Interrupted, Queue, type Work } from './queue.ts';

function queue(work: Work, changes: Partial<ConstructorParameters<typeof Queue>[0]> = {}): Queue {
  return new Queue({
    work,
    tenantOf: (key) => key.split('/', 1)[0] ?? '',
    concurrency: 2,
    lendAfterMs: 60_000,
    spareMs: 60_000,
    leaveAfterMs: 60_000,
    onLeft: (key) => assert.fail(`${key} was left`),
    longMs: 60_000,
    onLong: (key) => assert.fail(`${key} takes long`),
    slices: new Slices(),
    onError: (key, error) => {
      throw new Error(`${key} failed`, { cause: error });
    },
    onLateError: (key, error) => {
      throw new Error(`${key} failed when it was interrupted`, { cause: error });
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
      queueMicrotask(() => subject.add('a', { interrupt: 'in time' }));
    });
  });
  subject.add('a');
  await done.promise;
  await subject.stop();
  assert.ok(reasons[0] instanceof Interrupted);
});

test('A14: what changes again and again interrupts a run, and the next one when it had its time', async () => {
  const ends: string[] = [];
  const done = Promise.withResolvers<void>();
  const spareMs = 300;
  let endedAt = 0;
  const subject = queue(
    async (_key, signal) => {
      if (ends.length === 4) return done.resolve();
      const again = setInterval(() => subject.add('a', { interrupt: 'in time' }), 1);
      await new Promise<void>((resolve) => {
        if (ends.length === 1) setTimeout(resolve, 5);
        signal.addEventListener('abort', () => resolve());
      });
      clearInterval(again);
      ends.push(signal.aborted ? 'interrupted' : 'ended');
      // The queue's own clock began to run between the end of the one before and the work.
      if (ends.length === 4) assert.ok(performance.now() - endedAt >= spareMs - 1);
      endedAt = performance.now();
      signal.throwIfAborted();
    },
    { spareMs },
  );
  subject.add('a');
  await done.promise;
  await subject.stop();
  assert.deepEqual(ends, ['interrupted', 'ended', 'interrupted', 'interrupted']);
});

test('A5: a commit or an edit interrupts at once also a run that is to have its time', async () => {
  const gone = Promise.withResolvers<void>();
  let runs = 0;
  const subject = queue(
    async (_key, signal) => {
      runs += 1;
      if (runs === 3) return gone.resolve();
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    { spareMs: 60_000 },
  );
  subject.add('a');
  await eventually(() => runs === 1);
  subject.add('a', { interrupt: 'in time' });
  await eventually(() => runs === 2);
  subject.add('a', { interrupt: 'in time' });
  subject.add('a', { interrupt: 'at once' });
  await gone.promise;
  await subject.stop();
});

test('A3: what a person asks for, and what is on its way, is run before what waits in turn', async () => {
  const began: string[] = [];
  const gate = Promise.withResolvers<void>();
  const subject = queue(
    async (key) => {
      began.push(key);
      if (key === 'x/stuck') await gate.promise;
    },
    { concurrency: 1, isFirst: (key) => key === 'x/on-its-way' },
  );
  subject.add('x/stuck');
  for (const key of ['x/1', 'x/2', 'x/3', 'x/on-its-way']) subject.add(key);
  subject.add('x/2', { rank: 'First' });
  subject.add('x/stuck', { rank: 'First' });
  subject.add('x/stuck');
  await eventually(() => began.length === 1);
  gate.resolve();
  await eventually(() => began.length === 6);
  await subject.stop();
  assert.deepEqual(began, ['x/stuck', 'x/on-its-way', 'x/2', 'x/stuck', 'x/1', 'x/3']);
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

/** Begins runs that end only at the end of the test; returns the keys in the order in which they began. */
function hangingRuns(t: TestContext, changes: Partial<ConstructorParameters<typeof Queue>[0]>) {
  const end = Promise.withResolvers<void>();
  const began: string[] = [];
  const subject = queue(async (key) => {
    began.push(key);
    await end.promise;
  }, changes);
  t.after(async () => {
    end.resolve();
    await subject.stop();
  });
  return { subject, began };
}

for (const hanging of [1, 3]) {
  test(`A3: beside ${hanging} tenants whose runs hang one that comes later begins at once`, async (t) => {
    const { subject, began } = hangingRuns(t, { concurrency: 32 });
    for (let index = 0; index < 40; index += 1)
      for (let tenant = 0; tenant < hanging; tenant += 1) subject.add(`bad-${tenant}/${index}`);
    const before = subject.load.waiting;
    subject.add('good/a');
    assert.equal(subject.load.waiting, before, 'it does not wait');
    await eventually(() => began.includes('good/a'), { describe: 'it to run' });
  });
}

test('A3: tenants take turns: a thousand that wait of one are not all before the first of another', async (t) => {
  const { subject, began } = hangingRuns(t, { concurrency: 4, lendAfterMs: 5 });
  for (let index = 0; index < 1_000; index += 1) subject.add(`bad/${index}`);
  subject.add('good/a');
  await eventually(() => began.includes('good/a'), { every: 1, describe: 'its turn' });
  assert.ok(began.indexOf('good/a') <= 4, `as number ${began.indexOf('good/a')}`);
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

test('what ends a run that was interrupted is told, unless it is the interruption', async () => {
  const told: string[] = [];
  const errors = [
    (reason: unknown) => reason,
    (reason: unknown) => new Error('the wait was aborted', { cause: reason }),
    () => new TypeError('a defect'),
    () => new Error('wrapped', { cause: new TypeError('a defect, too') }),
    () => 'no error at all',
  ];
  const done = Promise.withResolvers<void>();
  let runs = 0;
  const subject = queue(
    async (_key, signal) => {
      const error = errors[runs++];
      if (error === undefined) return done.resolve();
      queueMicrotask(() => subject.add('a', { interrupt: 'at once' }));
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw error(signal.reason);
    },
    { onLateError: (key, error) => told.push(`${key}: ${error}`) },
  );
  subject.add('a');
  await done.promise;
  await subject.stop();
  assert.deepEqual(told, ['a: TypeError: a defect', 'a: Error: wrapped', 'a: no error at all']);
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

test('A5: a run that goes on although it was aborted is left, and the key runs anew, once', async () => {
  const stuck = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  const left: string[] = [];
  const ended: string[] = [];
  let runs = 0;
  const subject = queue(
    async () => {
      runs += 1;
      if (runs === 1) await stuck.promise.finally(() => ended.push('the first'));
      else await again.promise;
    },
    { concurrency: 1, leaveAfterMs: 5, onLeft: (key) => left.push(key) },
  );
  subject.add('a');
  subject.add('a', { interrupt: 'in time' });
  await eventually(() => runs === 2, { describe: 'the second run' });
  assert.deepEqual(left, ['a']);
  // What the one that was left comes to in the end changes nothing: neither is told, nor does a third run begin.
  stuck.reject(new Error('too late'));
  await eventually(() => ended.length === 1, { describe: 'the end of the first run' });
  subject.add('a');
  assert.equal(runs, 2, 'one run at a time');
  again.resolve();
  await eventually(() => runs === 3, { describe: 'the run that was asked for meanwhile' });
  await subject.stop();
});

test('the age of the oldest run is known, and told when it is long', async () => {
  const stuck = Promise.withResolvers<void>();
  const told: [string, number][] = [];
  const subject = queue(() => stuck.promise, { longMs: 10, onLong: (key, age) => told.push([key, age]) });
  assert.equal(subject.load.longest, 0);
  subject.add('a');
  await eventually(() => told.length >= 3, { describe: 'it to be told three times' });
  assert.deepEqual(told.slice(0, 3), [
    ['a', 10],
    ['a', 20],
    ['a', 40],
  ]);
  assert.ok(subject.load.longest >= 0.039, `${subject.load.longest} s`);
  stuck.resolve();
  await eventually(() => subject.load.running === 0, { describe: 'its end' });
  await subject.stop();
});

test('what is told of it has the meaning that client-go gave it: a key that waits already is added once', async () => {
  const told: string[] = [];
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  const subject = queue(
    async () => {
      runs += 1;
      await gate.promise;
    },
    {
      concurrency: 1,
      observer: {
        added: () => told.push('added'),
        delayed: () => told.push('delayed'),
        began: (waited) => told.push(waited < 60 ? 'began' : `waited ${waited} s`),
        ended: (worked) => told.push(worked < 60 ? 'ended' : `worked ${worked} s`),
      },
    },
  );
  subject.add('a');
  for (let count = 0; count < 3; count += 1) subject.add('a');
  for (let count = 0; count < 3; count += 1) subject.add('b');
  assert.deepEqual(told, ['added', 'began', 'added', 'added']);
  const { waiting, running } = subject.load;
  assert.deepEqual({ waiting, running }, { waiting: 1, running: 1 });
  gate.resolve();
  await eventually(() => runs === 3 && subject.load.running === 0, { describe: 'all to run' });
  assert.deepEqual(told.slice(4), ['ended', 'began', 'ended', 'began', 'ended']);
  subject.addAfter('a', 60_000);
  assert.equal(told.at(-1), 'delayed');
  await subject.stop();
});
