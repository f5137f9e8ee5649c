import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tellingFaults } from './watch-faults.ts';

test('A14: a watch that cannot be had is told once for each fault, and again when that comes back', () => {
  const told: string[] = [];
  let answers = 0;
  const onState = tellingFaults({
    warn: (error) => told.push(error),
    describe: ({ message }) => `it says ${message}`,
    onFailing: () => {
      answers += 1;
    },
  });
  const fail = (message: string) =>
    onState({ state: 'Failing', error: new Error(message), retryInMs: 1_000 });
  fail('403');
  fail('403');
  fail('503');
  onState({ state: 'Syncing' });
  fail('503');
  onState({ state: 'Watching' });
  fail('503');
  assert.deepEqual(told, ['it says 403', 'it says 503', 'it says 503']);
  assert.equal(answers, 5, 'whoever waits hears of each try');
});
