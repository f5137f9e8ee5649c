import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Turns } from './turns.ts';

/** Works for so long: processor time of this thread, however much of it the machine gives. */
function work(milliseconds: number): void {
  const used = () => Object.values(process.threadCpuUsage()).reduce((sum, each) => sum + each / 1_000, 0);
  const until = used() + milliseconds;
  while (used() < until);
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
