import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { clientOf } from '../../../test/harness/scripted-api-server.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { pacedQueue } from './paced-queue.ts';

const APPLY = { fieldManager: 'towpath', force: false } as const;
const named = (plural: string, namespace: string) => ({
  resource: { group: '', version: 'v1', plural },
  namespace,
  name: 'web',
});

test('A3: looks that wait for Services, which the API server makes slowly, delay no look of another namespace', async (t) => {
  const client = await clientOf(t, async (request, response) => {
    // Shorter than what is taken for hanging: the line of Services is full all the time.
    if (request.url?.includes('/services/') === true) await delay(2_000);
    response.end('{"metadata":{"name":"web","uid":"u","resourceVersion":"1"}}');
  });
  let slow = 0;
  const done = Promise.withResolvers<void>();
  const queue = pacedQueue(client, {
    async work(key, signal) {
      const [tenant = ''] = key.split('/');
      const options = { sharer: { tenant, target: key }, signal };
      if (tenant === 'quick') {
        await client.apply(named('configmaps', tenant), '{}', APPLY, options);
        return done.resolve();
      }
      slow += 1;
      for (let count = 0; count < 30; count += 1)
        await client.apply(named('services', tenant), '{}', APPLY, options);
    },
    slices: new Slices(),
    spareMs: 60_000,
    onError: (key, error) => assert.fail(`${key} failed: ${error}`),
    onLeft: (key) => assert.fail(`${key} was left`),
    onLong: (key) => assert.fail(`${key} takes long`),
  });
  try {
    for (const namespace of ['shop', 'bank', 'news'])
      for (let index = 0; index < 40; index += 1) queue.add(`${namespace}/web${index}/prod`);
    await eventually(() => slow >= 32, { every: 1, describe: 'all places to be taken' });
    const since = performance.now();
    queue.add('quick/web/prod');
    await done.promise;
    const took = performance.now() - since;
    assert.ok(took < scaled(4_000), `${took} ms`);
  } finally {
    await queue.stop();
  }
});
