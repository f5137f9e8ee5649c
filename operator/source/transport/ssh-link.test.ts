import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { newSshKeys } from '../../../test/harness/ssh-keys.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { defaultTimeouts } from '../limits.ts';
import { parseRemoteUrl } from '../remote-url.ts';
import { WorkLanes } from '../threads/work-lanes.ts';
import { flush, type Packet, packet } from '../wire/pkt-line.ts';
import { SshTransport } from './ssh-transport.ts';

const keys = newSshKeys();
const refs = Buffer.concat([packet(`${'a'.repeat(40)} refs/heads/main\0side-band-64k\n`), flush]);

/** A server that lets in and answers when it is told to, and the transport that asks it. */
async function held(t: TestContext) {
  const entry = Promise.withResolvers<void>();
  const channels: ServerChannel[] = [];
  const clients = new Set<Connection>();
  let attempts = 0;
  const server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
    clients.add(client);
    client.on('error', () => undefined).on('close', () => clients.delete(client));
    client.on('authentication', (attempt) => {
      attempts += 1;
      void entry.promise.then(() => attempt.accept());
    });
    client.on('session', (accept) => accept().on('exec', (take) => channels.push(take())));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const lanes = new WorkLanes({ workMs: 30_000 });
  const transport = new SshTransport(
    parseRemoteUrl(`ssh://git@127.0.0.1:${port}/shop.git`),
    { identity: keys.private, knownHosts: `[127.0.0.1]:${port} ${keys.public}\n` },
    { allowLoopback: true, timeouts: defaultTimeouts, run: lanes.forRepository() },
  );
  t.after(async () => {
    entry.resolve();
    await transport.close();
    for (const client of clients) client.end();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await lanes.stop();
  });
  return { transport, letIn: entry.resolve, channels, clients, attempts: () => attempts };
}

async function packetsOf(packets: AsyncGenerator<Packet>): Promise<number> {
  let count = 0;
  for await (const _ of packets) count += 1;
  return count;
}

test('who gives up while a connection is made leaves it to the others who wait for it', async (t) => {
  const { transport, letIn, channels, clients, attempts } = await held(t);
  const [first, second] = [new AbortController(), new AbortController()];
  const given = packetsOf(transport.advertise(first.signal));
  const asked = packetsOf(transport.advertise(second.signal));
  given.catch(() => undefined);
  await eventually(() => attempts() > 0, { describe: 'the connection' });
  first.abort(new Error('given up'));
  await assert.rejects(given, /given up/);
  letIn();
  await eventually(() => channels.length === 1, { describe: 'the one command' });
  channels[0]?.write(refs);
  assert.equal(await asked, 2);
  assert.equal(clients.size, 1);
});

test('a connection that nobody waits for any more is not made', async (t) => {
  const { transport, clients, attempts } = await held(t);
  const callers = [new AbortController(), new AbortController()];
  const asked = callers.map(({ signal }) =>
    assert.rejects(packetsOf(transport.advertise(signal)), /given up/),
  );
  await eventually(() => attempts() > 0, { describe: 'the connection' });
  for (const caller of callers) caller.abort(new Error('given up'));
  await Promise.all(asked);
  await eventually(() => clients.size === 0, { describe: 'the end of the connection' });
});

test('who gives up a conversation leaves the connection to the others who have one on it', async (t) => {
  const { transport, letIn, channels, clients } = await held(t);
  letIn();
  const [first, second] = [new AbortController(), new AbortController()];
  const given = packetsOf(transport.advertise(first.signal));
  const asked = packetsOf(transport.advertise(second.signal));
  given.catch(() => undefined);
  await eventually(() => channels.length === 2, { describe: 'both commands' });
  assert.equal(clients.size, 1, 'on one connection');
  // Whichever of them is whose: both are left without an answer, and then both are given one.
  first.abort(new Error('given up'));
  await assert.rejects(given, /given up/);
  for (const channel of channels) if (!channel.destroyed) channel.write(refs);
  assert.equal(await asked, 2);
  // What failed is not used for what comes next.
  await eventually(() => clients.size === 0, { describe: 'the end of the connection' });
});
