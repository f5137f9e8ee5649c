import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../test/harness/wait.ts';
import { Queue } from './queue.ts';

/** A queue with one place whose runs end when they are let go. */
function arrange(options: { mayLend?: () => boolean } = {}) {
  const started: string[] = [];
  const running = new Map<string, () => void>();
  const queue = new Queue({
    work: (key, signal) => {
      started.push(key);
      return new Promise((resolve, reject) => {
        running.set(key, resolve);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
    concurrency: 1,
    lendAfterMs: 5,
    onError: (_key, error) => assert.fail(String(error)),
    ...options,
  });
  return { queue, started, finish: (key: string) => running.get(key)?.() };
}

test('A3: a run that takes long lends its place on', async () => {
  const { queue, started } = arrange();
  queue.add('slow');
  queue.add('other');
  assert.deepEqual(started, ['slow']);
  await eventually(() => started.length === 2);
  await queue.stop();
});

test('no place is lent while all wait for the same thing', async () => {
  let asked = 0;
  let mayLend = false;
  const { queue, started } = arrange({
    mayLend: () => {
      asked += 1;
      return mayLend;
    },
  });
  queue.add('slow');
  queue.add('other');
  await eventually(() => asked >= 3);
  assert.deepEqual(started, ['slow']);
  mayLend = true;
  await eventually(() => started.length === 2);
  await queue.stop();
});

test('a place that was lent is given back once', async () => {
  const { queue, started, finish } = arrange();
  queue.add('slow');
  queue.add('second');
  await eventually(() => started.length === 2);
  queue.add('third');
  finish('slow');
  finish('second');
  await eventually(() => started.length === 3);
  assert.equal(queue.depth, 0);
  await queue.stop();
});

test('newer input interrupts a run, which then starts anew', async () => {
  const { queue, started } = arrange();
  queue.add('app');
  queue.add('app', { interrupt: true });
  await eventually(() => started.length === 2);
  await queue.stop();
});
