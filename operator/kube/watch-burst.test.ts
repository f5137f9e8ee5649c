import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { longestTurn, TURN_LIMIT_MS } from '../../test/harness/event-loop.ts';
import { pieceOfWork, scaled } from '../../test/harness/slowness.ts';
import { eventually } from '../../test/harness/wait.ts';
import { KubeClient } from './client.ts';
import { ListWatch } from './list-watch.ts';

const EVENTS = 500;

/** An API server, in a thread of its own, whose watch tells of so many objects at once, and then stays silent or ends. */
async function serveBurst(t: TestContext, then: 'stays' | 'ends'): Promise<string> {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const object = (number) => ({
      apiVersion: 'v1', kind: 'ConfigMap',
      metadata: { name: 'c' + number, namespace: 'a', uid: 'u' + number, resourceVersion: String(10 + number) },
    });
    let made = 0;
    const server = require('node:http').createServer((request, response) => {
      const query = new URL(request.url, 'http://a').searchParams;
      if (!query.has('watch')) {
        const items = Array.from({ length: made }, (_, number) => object(number));
        response.end(JSON.stringify({ kind: 'ConfigMapList', metadata: { resourceVersion: String(9 + made) }, items }));
        return;
      }
      made = workerData.events;
      const from = Math.max(0, Number(query.get('resourceVersion')) - 9);
      const lines = [];
      for (let number = from; number < workerData.events; number += 1)
        lines.push(JSON.stringify({ type: 'ADDED', object: object(number) }) + '\\n');
      response.write(lines.join(''));
      if (workerData.then === 'ends') response.end();
    });
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;
  const worker = new Worker(script, { eval: true, workerData: { events: EVENTS, then } });
  t.after(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return JSON.stringify({
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  });
}

for (const then of ['stays', 'ends'] as const) {
  test(`A15: what a watch that ${then} tells at once is taken in turn by turn, in order and each once`, async (t) => {
    const client = KubeClient.fromKubeConfig(await serveBurst(t, then));
    const told: string[] = [];
    const watch = new ListWatch<string>({
      client,
      resource: { group: '', version: 'v1', plural: 'configmaps' },
      reduce: ({ metadata }) => metadata.name,
      onEvent: ({ name }) => {
        told.push(name);
        // About what an Application takes that is read anew.
        pieceOfWork();
      },
    });
    t.after(async () => {
      await watch.stop();
      await client.close();
    });
    const longest = await longestTurn(t, async () => {
      watch.start();
      await eventually(() => told.length >= EVENTS, { describe: 'all to be told' });
    });
    assert.deepEqual(
      told,
      Array.from({ length: EVENTS }, (_, number) => `c${number}`),
    );
    assert.ok(longest < scaled(TURN_LIMIT_MS), `${longest} ms`);
  });
}
