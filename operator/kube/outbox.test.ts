import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../test/harness/wait.ts';
import { Outbox } from './outbox.ts';

test('A12: what is refused for want of the Lease after that came back is sent all the same', async () => {
  const lost: string[] = [];
  const tries: PromiseWithResolvers<void>[] = [];
  const outbox = new Outbox<string>({
    tenantOf: () => 'shop',
    send: () => {
      const one = Promise.withResolvers<void>();
      tries.push(one);
      return one.promise;
    },
    judge: () => ({ again: 'when resumed' }),
    onLost: (item) => lost.push(item),
    most: 10,
    keepMs: 60_000,
    monotonic: () => performance.now(),
  });
  outbox.add('Synced');
  assert.equal(tries.length, 1);
  // It leads again before the answer comes that it does not lead.
  outbox.resume();
  tries[0]?.reject(new Error('does not lead'));
  await eventually(() => tries.length === 2, { describe: 'the next try' });
  tries[1]?.resolve();
  await eventually(() => !outbox.has('Synced'), { describe: 'it to be sent' });
  assert.deepEqual(lost, []);
});
