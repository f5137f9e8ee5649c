import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgressReports } from './progress-reports.ts';

test('progress is told one write after the other, and none is under way once it is stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const progress = new ProgressReports(1_000);
  const writes: (() => void)[] = [];
  let underWay = 0;
  progress.start(async () => {
    underWay += 1;
    assert.equal(underWay, 1, 'one at a time');
    await new Promise<void>((resolve) => writes.push(resolve));
    underWay -= 1;
    if (writes.length === 1) throw new Error('the API server does not answer');
  });
  t.mock.timers.tick(1_000);
  await settled();
  t.mock.timers.tick(1_000);
  await settled();
  assert.equal(writes.length, 1);
  writes[0]?.();
  await settled();
  assert.equal(writes.length, 2, 'what could not be told is told the next time');
  let isStopped = false;
  const stopping = progress.stop().then(() => {
    isStopped = true;
  });
  await settled();
  assert.equal(isStopped, false);
  writes[1]?.();
  await stopping;
  t.mock.timers.tick(5_000);
  await settled();
  assert.equal(writes.length, 2);
});

/** Everything that waits for nothing but promises has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('what is sure to take long is told without waiting for its time', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const progress = new ProgressReports(1_000);
  let told = 0;
  progress.now();
  progress.start(async () => {
    told += 1;
  });
  progress.now();
  await settled();
  assert.equal(told, 1, 'before the start there was nothing to tell');
  await progress.stop();
});
