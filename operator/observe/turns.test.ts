import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Turns } from './turns.ts';

/** Works for so long: processor time of this thread, however much of it the machine gives. */
function work(milliseconds: number): void {
  const until = processorTime() + milliseconds;
  while (processorTime() < until);
}

function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

async function measured(
  t: { after(end: () => void): void },
  during: () => unknown,
): Promise<{ longest: number; told: number[] }> {
  const told: number[] = [];
  const turns = new Turns((milliseconds) => told.push(milliseconds));
  t.after(() => turns.stop());
  turns.start();
  await turn();
  await during();
  await turn();
  await turn();
  return { longest: turns.longest, told };
}

test('A15: a turn that holds the event loop is told, and how long', async (t) => {
  const { longest, told } = await measured(t, () => work(120));
  assert.ok(longest >= 119, `${longest} ms`);
  assert.deepEqual(told, [longest]);
});

test('A15: work that yields holds nothing, however long it takes', async (t) => {
  const { longest, told } = await measured(t, async () => {
    for (let count = 0; count < 40; count += 1) {
      work(5);
      await turn();
    }
  });
  assert.ok(longest < 50, `${longest} ms`);
  assert.deepEqual(told, []);
});

test('A15: time in which the machine gives the thread no processor is not counted', async (t) => {
  const stopped = new Int32Array(new SharedArrayBuffer(4));
  const { longest } = await measured(t, () => Atomics.wait(stopped, 0, 0, 200));
  assert.ok(longest < 50, `${longest} ms`);
});

test('A15: of many long turns only the longest ones are told', async (t) => {
  const { longest, told } = await measured(t, async () => {
    for (const milliseconds of [150, 60, 60, 250]) {
      work(milliseconds);
      await turn();
    }
  });
  assert.equal(told.length, 2);
  assert.equal(told[1], longest);
});

test('A15: the collection of garbage is not counted: V8 bounds it, and it has a metric of its own', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // As much as takes a while to look through.
  const garbage = Array.from({ length: 1_000_000 }, (_, index) => ({ index }));
  const took = processorTime();
  for (let count = 0; count < 8; count += 1) collect();
  const each = (processorTime() - took) / 8;
  const count = Math.ceil(150 / each);
  const { longest } = await measured(t, () => {
    for (let done = 0; done < count; done += 1) collect();
  });
  assert.ok(garbage.length > 0);
  assert.ok(longest < 75, `${longest} ms of at least 100`);
});
