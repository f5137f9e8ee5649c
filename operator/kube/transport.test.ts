import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { clientOf } from '../../test/harness/scripted-api-server.ts';
import { eventually } from '../../test/harness/wait.ts';
import { UnreachableError } from './errors.ts';
import { Transport, type WireRequest } from './transport.ts';

test('A8: an answer that never ends is given up at its bound', async (t) => {
  const chunk = Buffer.alloc(2 ** 20, ' ');
  let sent = 0;
  let ended = false;
  const client = await clientOf(t, (_request, response) => {
    response.on('close', () => {
      ended = true;
    });
    const send = () => {
      while (!ended) {
        sent += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on('drain', send);
    send();
  });
  const error = await client.getPath('/version').catch((reason: unknown) => reason);
  assert.ok(error instanceof UnreachableError && error.code === 'TooLarge', String(error));
  assert.ok(sent < 256 * 2 ** 20, `${sent} bytes were taken`);
});

test('a server under a path is asked under that path, with its credentials', async (t) => {
  const asked: string[] = [];
  const client = await clientOf(t, (request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.end('{"gitVersion":"v1.30.0","major":"1","minor":"30"}');
  });
  assert.equal((await client.version()).gitVersion, 'v1.30.0');
  assert.deepEqual(asked, ['/k8s/version Bearer t']);
});

test('A7: a closed client ends what is under way and takes nothing new', async (t) => {
  const client = await clientOf(t, () => undefined);
  const pending = client.version().catch((reason: unknown) => reason);
  await client.close();
  assert.ok((await pending) instanceof UnreachableError);
  await assert.rejects(client.version(), /closed/);
  await client.close();
});

test('A3: an API of others that does not answer, whatever is asked of it, holds up no other request of ours', async (t) => {
  const hanging: string[] = [];
  const client = await clientOf(t, (request, response) => {
    if (request.url?.includes('/metrics.example.com/')) hanging.push(request.url);
    else response.end('{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}');
  });
  const own = { resource: { group: '', version: 'v1', plural: 'secrets' }, namespace: 'a', name: 'a' };
  for (let kind = 0; kind < 40; kind += 1) {
    const resource = { group: 'metrics.example.com', version: 'v1', plural: `kinds${kind}` };
    void client.list({ resource }).catch(() => undefined);
  }
  await eventually(() => hanging.length >= 16, { describe: 'as many to be asked as may be at once' });
  const began = performance.now();
  await client.get(own);
  assert.ok(performance.now() - began < 3_000, 'they lend their places on after a second');
  assert.ok(hanging.length < 40, 'those that hang take a share of the places, not all');
});

test('A3: of a thousand requests of ours that a busy API server answers slowly none runs out of time while it waits', async (t) => {
  const client = await clientOf(t, (_request, response) => {
    setTimeout(() => response.end('{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}'), 50);
  });
  const path = {
    resource: { group: 'towpath.dev', version: 'v1alpha1', plural: 'applications' },
    namespace: 'a',
  };
  const patches = Array.from({ length: 1_000 }, (_, number) =>
    client.mergePatch({ ...path, name: `a${number}` }, {}, {}, { timeoutMs: 1_000 }),
  );
  await eventually(() => client.saturated, { every: 1, describe: 'all places to be taken' });
  const outcomes = await Promise.allSettled(patches);
  assert.deepEqual(
    outcomes.filter(({ status }) => status === 'rejected'),
    [],
  );
  assert.equal(client.saturated, false);
});

/** An API server that gives out addresses one after the other, also to who has hung up; other kinds it answers at once. */
function addressesInTurn(answerMs: number): RequestListener {
  let line = Promise.resolve();
  return (request, response) => {
    const answer = () => void response.end('{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}');
    if (request.url?.includes('/services/') === true) line = line.then(() => delay(answerMs)).then(answer);
    else answer();
  };
}

const APPLY = { fieldManager: 'towpath', force: false } as const;
const inNamespace = (plural: string, namespace: string, name: string) => ({
  resource: { group: '', version: 'v1', plural },
  namespace,
  name,
});

test('A3: of many Services, whose addresses an API server gives out one by one, none runs out of time', async (t) => {
  let isAsked = false;
  const answer = addressesInTurn(40);
  const client = await clientOf(t, (request, response) => {
    isAsked = true;
    answer(request, response);
  });
  const options = (target: number) => ({ sharer: { tenant: 'a', target: `${target}` }, timeoutMs: 900 });
  const services = Array.from({ length: 50 }, (_, index) =>
    client.apply(
      inNamespace('services', 'a', `s${index}`),
      '{}',
      { ...APPLY, dryRun: index % 2 === 0 },
      options(index),
    ),
  );
  await eventually(() => isAsked, { every: 1, describe: 'the first of them to be asked for' });
  // They are waited for by nothing else, nor does who waits for them keep others from beginning.
  assert.equal(client.saturated, false);
  const began = performance.now();
  await client.apply(inNamespace('configmaps', 'a', 'c'), '{}', APPLY, options(0));
  assert.ok(performance.now() - began < 700, 'a ConfigMap waits for none of them');
  await Promise.all(services);
});

test('A3: where the Services of a namespace hang, those of another are written after seconds', async (t) => {
  const hanging: string[] = [];
  const client = await clientOf(t, (request, response) => {
    if (request.url?.includes('/namespaces/a/')) hanging.push(request.url);
    else response.end('{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}');
  });
  for (let index = 0; index < 40; index += 1) {
    const sharer = { tenant: 'a', target: `${index}` };
    void client
      .apply(inNamespace('services', 'a', `s${index}`), '{}', APPLY, { sharer })
      .catch(() => undefined);
  }
  await eventually(() => hanging.length >= 8, { describe: 'as many to be sent as may be at once' });
  const began = performance.now();
  await client.apply(inNamespace('services', 'b', 's'), '{}', APPLY, { sharer: { tenant: 'b', target: '' } });
  assert.ok(performance.now() - began < 5_000, 'what hangs lends its place on');
  assert.ok(hanging.length < 20, `${hanging.length} hang: a part of the places, not all`);
});

test('requests that wait for a place when the CA was rotated are still sent', async (t) => {
  const answers: (() => void)[] = [];
  const server = createServer((_request, response) => {
    answers.push(() => response.end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const transport = new Transport({
    server: `http://127.0.0.1:${port}`,
    proxyUrl: undefined,
    headers: [],
    tls: {},
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const request: WireRequest = {
    method: 'GET',
    path: '/version',
    headers: [],
    timeoutMs: 20_000,
    lane: 'Own',
    sharer: { tenant: 'a', target: 'a' },
  };
  const sent = Array.from({ length: 24 }, () => transport.exchange(request));
  await eventually(() => answers.length === 16, { describe: 'as many to be sent as may be at once' });
  const retired = transport.retire();
  for (const answer of answers) answer();
  await eventually(() => answers.length === 24, { describe: 'the others to be sent' });
  for (const answer of answers.slice(16)) answer();
  for (const answer of await Promise.all(sent)) assert.equal(answer.status, 200);
  await retired;
});
