import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { scaled } from '../../test/harness/slowness.ts';
import { eventually } from '../../test/harness/wait.ts';
import { type WebhookDelivery, webhookDeliveries } from '../../test/harness/webhook-delivery.ts';
import { HttpServer } from '../observe/http-server.ts';
import { MOST_BYTES } from './bodies.ts';
import { Receiver } from './receiver.ts';

const secret = 'a secret of more than 16 characters';
const { GitHub, GitLab, Gitea } = webhookDeliveries(
  { host: 'git.example.com', path: 'shop/web' },
  secret,
) as { GitHub: WebhookDelivery; GitLab: WebhookDelivery; Gitea: WebhookDelivery };

/** What a flood has of connections at once, and the milliseconds after which one that ended is opened again. */
interface Bounds {
  lanes: number;
  againMs: number;
}

const MANY: Bounds = { lanes: 300, againMs: 250 };
/** A process that is busy with sending alone shows nothing of the one that receives. */
const FEW: Bounds = { lanes: 40, againMs: 500 };

interface Target {
  port: number;
  outcomes: string[];
}

async function target(t: TestContext): Promise<Target> {
  const outcomes: string[] = [];
  const receiver = new Receiver({
    secretsOf: () => [secret],
    onPush: () => Promise.resolve('Accepted'),
    onDelivery: (_, outcome) => outcomes.push(outcome),
  });
  const server = new HttpServer(
    { host: '127.0.0.1', port: 0 },
    (incoming, response, keep) => void receiver.answer(incoming, response, keep),
  );
  const port = await server.start();
  t.after(() => server.stop());
  return { port, outcomes };
}

/** Opens connections that each send this, again and again as they end; returns how many were opened. */
function flood(t: TestContext, port: number, send: Send, { lanes, againMs }: Bounds): () => number {
  let opened = 0;
  let ended = false;
  const sockets = new Set<Socket>();
  const open = () => {
    if (ended) return;
    opened += 1;
    const socket = connect(port, '127.0.0.1', () => send(socket));
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
    socket.once('close', () => {
      sockets.delete(socket);
      setTimeout(open, againMs);
    });
  };
  for (let lane = 0; lane < lanes; lane += 1) open();
  t.after(() => {
    ended = true;
    for (const socket of sockets) socket.destroy();
  });
  return () => opened;
}

function head(path: string, headers: Record<string, string | number>): string {
  const lines = Object.entries({ host: 'a', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const claim = { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
const megabyte = randomBytes(MOST_BYTES);

type Send = (socket: Socket) => void;

/** Sends the next when the one before has been answered, and a moment has passed. */
function again(one: string): Send {
  return (socket) => {
    socket.on('data', () => setTimeout(() => socket.write(one), FEW.againMs / 2));
    socket.write(one);
  };
}

const FLOODS: Record<string, Send> = {
  'connections that say nothing': () => undefined,
  'headers that never end': (socket) => socket.write('POST /github HTTP/1.1\r\nhost: a\r\nx: '),
  'unsigned bodies that never end': (socket) =>
    socket.write(`${head('/github', { 'content-length': 1_000 })}{`),
  'bodies with a signature that never end': (socket) =>
    socket.write(`${head('/github', { ...claim, 'content-length': 1_000 })}{`),
  'chunked bodies with a signature that never end': (socket) =>
    socket.write(`${head('/github', { ...claim, 'transfer-encoding': 'chunked' })}1\r\n{\r\n`),
  'bodies of a MiB with a signature, but for the last byte': (socket) => {
    socket.write(head('/github', { ...claim, 'content-length': MOST_BYTES }));
    socket.write(megabyte.subarray(1));
  },
  'bodies with a wrong signature, one after the other': again(
    `${head('/github', { ...claim, 'content-length': 2 })}{}`,
  ),
  'tokens that are none, one after the other': again(
    `${head('/gitlab', { 'x-gitlab-token': 'no', 'content-length': 2 })}{}`,
  ),
};

/** From an address of its own, or of all; returns the status and the milliseconds that it took. */
function timed(port: number, { provider, headers, body }: WebhookDelivery, from: string) {
  const began = performance.now();
  return new Promise<{ status: number; took: number }>((resolve, reject) => {
    const path = `/${provider}`;
    const sent = request({
      port,
      host: '127.0.0.1',
      localAddress: from,
      path,
      method: 'POST',
      headers,
      agent: false,
    });
    sent.once('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, took: performance.now() - began });
    });
    sent.once('error', reject).end(body);
  });
}

for (const [name, send] of Object.entries(FLOODS)) {
  test(`S13: while ${name} flood the receiver, true deliveries are answered at once`, async (t) => {
    const { port, outcomes } = await target(t);
    const bounds = /MiB|one after the other/.test(name) ? FEW : MANY;
    const opened = flood(t, port, send, bounds);
    // More of them than a burst of pushes may have, where they are answered at all.
    const isUnderWay = () =>
      name.includes('one after') ? outcomes.length > 150 : opened() > bounds.lanes / 2;
    await eventually(isUnderWay, { describe: 'the flood' });
    for (const from of ['127.0.0.1', '127.0.0.2'])
      for (const delivery of [GitHub, GitLab, Gitea, GitHub, GitLab, Gitea]) {
        const { status, took } = await timed(port, delivery, from);
        assert.equal(status, 200, `${delivery.provider} from ${from}`);
        assert.ok(took < scaled(1_000), `${delivery.provider} from ${from} took ${took} ms`);
      }
  });
}

test('S13: whoever knows the secret of one provider takes nothing from the others', async (t) => {
  const { port, outcomes } = await target(t);
  // A machine that is busy takes in few of them at a time, and may be through with each before the next one comes.
  await eventually(
    async () => {
      const all = await Promise.all(Array.from({ length: 120 }, () => timed(port, GitHub, '127.0.0.2')));
      return all.some(({ status }) => status === 503) && outcomes.includes('Busy');
    },
    { describe: 'one to be told that too many are under way' },
  );
  assert.equal((await timed(port, GitLab, '127.0.0.1')).status, 200);
});
