import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { deliver, type WebhookDelivery, webhookDeliveries } from '../../test/harness/webhook-delivery.ts';
import { HttpServer } from '../observe/http-server.ts';
import { comparablePath, hostAliases, repositoryName } from '../source/repository-name.ts';
import { MOST_BYTES } from './bodies.ts';
import type { Pushed } from './providers.ts';
import { Receiver } from './receiver.ts';

const secret = 'a secret of more than 16 characters';
const place = { host: 'git.example.com', path: 'shop/web' };
const deliveries = webhookDeliveries(place, secret);

interface Received {
  url: string;
  pushes: Pushed[];
  outcomes: string[];
}

async function receiver(t: TestContext, secrets: readonly string[] = [secret]): Promise<Received> {
  const received: Received = { url: '', pushes: [], outcomes: [] };
  const answers = new Receiver({
    secretsOf: () => secrets,
    onPush: (_, pushed) => {
      received.pushes.push(pushed);
      return Promise.resolve('Accepted' as const);
    },
    onDelivery: (_, outcome) => received.outcomes.push(outcome),
  });
  const bounds = { requestTimeout: 500, headersTimeout: 500, connectionsCheckingInterval: 100 };
  const server = new HttpServer(
    { host: '127.0.0.1', port: 0 },
    (request, response, keep) => void answers.answer(request, response, keep),
    bounds,
  );
  received.url = `http://127.0.0.1:${await server.start()}`;
  t.after(() => server.stop());
  return received;
}

const otherAlgorithm = (proof: string) =>
  proof.startsWith('sha256=') ? proof.replace('sha256=', 'sha512=') : `sha256=${proof}`;

for (const [name, delivery] of Object.entries(deliveries)) {
  test(`a push that ${name} tells names its repository`, async (t) => {
    const received = await receiver(t);
    assert.equal((await deliver(received.url, delivery)).status, 200);
    const [{ urls, paths } = { urls: [], paths: [] }] = received.pushes;
    const names = urls.map((url) => repositoryName(url, hostAliases('') ?? new Map()));
    assert.ok(
      names.includes('git.example.com/shop/web') || paths.map(comparablePath).includes('shop/web'),
      JSON.stringify(received.pushes),
    );
  });

  test(`S13: of ${name} nothing forged, and nothing without a secret, is accepted`, async (t) => {
    const received = await receiver(t);
    const withHeaders = (change: (value: string, header: string) => string): WebhookDelivery => ({
      ...delivery,
      headers: Object.fromEntries(
        Object.entries(delivery.headers).map(([header, value]) => [header, change(value, header)]),
      ),
    });
    const isProof = (header: string) => /signature|token|authorization/.test(header);
    const forged = [
      webhookDeliveries(place, 'another secret of 16 characters')[name] ?? delivery,
      withHeaders((value, header) => (isProof(header) ? '' : value)),
      withHeaders((value, header) => (isProof(header) ? value.slice(0, -1) : value)),
      withHeaders((value, header) => (isProof(header) ? `${value}0` : value)),
      // The same digits, said to be of another algorithm, or of one where none is said.
      withHeaders((value, header) => (isProof(header) ? otherAlgorithm(value) : value)),
      // These sign nothing: a token or a password says who sends it.
      ...(['GitLab', 'Azure DevOps'].includes(name) ? [] : [{ ...delivery, body: `${delivery.body} ` }]),
    ];
    for (const each of forged) assert.equal((await deliver(received.url, each)).status, 401);
    const without = await receiver(t, []);
    assert.equal((await deliver(without.url, delivery)).status, 404);
    assert.deepEqual([...received.pushes, ...without.pushes], []);
    assert.deepEqual(
      new Set([...received.outcomes, ...without.outcomes]),
      new Set(['Refused', 'Unconfigured']),
    );
  });
}

test('while one secret takes the place of another, both are valid', async (t) => {
  const { GitHub } = deliveries;
  assert.ok(GitHub !== undefined);
  const received = await receiver(t, ['the next secret, long enough', secret]);
  assert.equal((await deliver(received.url, GitHub)).status, 200);
});

test('S13: a delivery that is huge is refused, whether it says so or not', async (t) => {
  const received = await receiver(t);
  const claim = { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
  const body = Buffer.alloc(MOST_BYTES + 1, 32);
  const send = (init: RequestInit) =>
    fetch(`${received.url}/github`, { method: 'POST', headers: claim, ...init }).then(
      ({ status }) => status,
      // The connection ends before all of it is sent.
      () => 413,
    );
  assert.equal(await send({ body }), 413);
  // It ends: where the connection goes at a bad moment, what fetch reads is asked for more and more, and kept.
  let left = 8 * MOST_BYTES;
  const stream = new ReadableStream({
    pull: (controller) => {
      if (left <= 0) return controller.close();
      left -= 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  assert.equal(await send({ body: stream, duplex: 'half' } as RequestInit), 413);
  assert.ok(received.outcomes.every((outcome) => outcome !== 'Accepted'));
});

test('S13: whoever sends slowly is cut off, and holds up no other', async (t) => {
  const received = await receiver(t);
  const { port } = new URL(received.url);
  const slow = Array.from({ length: 20 }, () =>
    connect(Number(port), '127.0.0.1').on('error', () => undefined),
  );
  for (const socket of slow)
    socket.resume().write('POST /github HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{');
  await Promise.all(slow.map((socket) => once(socket, 'close', { signal: AbortSignal.timeout(20_000) })));
  const { Gitea } = deliveries;
  assert.ok(Gitea !== undefined);
  assert.equal((await deliver(received.url, Gitea)).status, 200);
});

test('S13: whatever the payload is, it is answered, and asks for nothing', async (t) => {
  const { createHmac } = await import('node:crypto');
  const received = await receiver(t);
  const payloads = [
    '',
    'null',
    '[]',
    '7',
    '"text"',
    '{',
    '{"repository":null}',
    '{"repository":{"clone_url":{}}}',
    '{"repository":{"links":{"html":[1]},"slug":7,"project":"x"}}',
    '{"repository":[null,{},7]}',
    '{"project":[],"repository":"x\\u0000"}',
    '{"resource":[{"repository":{"remoteUrl":"https://a/b"}}]}',
    '{"resource":{"repository":{"remoteUrl":7}}}',
    '{"__proto__":{"repository":"https://a/b"}}',
    '['.repeat(200_000),
    '\ufffd\u0000',
  ];
  for (const body of payloads)
    for (const provider of ['github', 'gitlab', 'gitea', 'bitbucket', 'azure']) {
      const hex = createHmac('sha256', secret).update(body).digest('hex');
      const headers = {
        'x-github-event': 'push',
        'x-hub-signature-256': `sha256=${hex}`,
        'x-gitlab-event': 'Push Hook',
        'x-gitlab-token': secret,
        'x-gitea-event': 'push',
        'x-gitea-signature': hex,
        'x-event-key': 'repo:push',
        'x-hub-signature': `sha256=${hex}`,
        authorization: `Basic ${Buffer.from(`:${secret}`).toString('base64')}`,
      };
      // As slow as the rate allows.
      let answer = await deliver(received.url, { provider, headers, body });
      while (answer.status === 503) answer = await deliver(received.url, { provider, headers, body });
      assert.equal(answer.status, 400, `${provider} ${body.slice(0, 40)}`);
    }
  assert.deepEqual(received.pushes, []);
});

test('other events, paths and methods ask for nothing', async (t) => {
  const received = await receiver(t);
  const { GitHub } = deliveries;
  assert.ok(GitHub !== undefined);
  const ping = { ...GitHub, headers: { ...GitHub.headers, 'x-github-event': 'ping' } };
  assert.equal((await deliver(received.url, ping)).status, 202);
  assert.equal((await deliver(received.url, { ...GitHub, provider: 'svn' })).status, 404);
  assert.equal((await fetch(`${received.url}/github`)).status, 405);
  assert.deepEqual(received.pushes, []);
});
