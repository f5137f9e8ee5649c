import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { NODE_ADDRESS } from '../harness/real-node.ts';

/** What takes posts. */
export interface Receiver {
  url: string;
  /** What was posted, as JSON text. */
  readonly received: string[];
  /** With what it answers. */
  status: number;
  stop(): void;
}

export async function startReceiver(): Promise<Receiver> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (receiver.status === 200) receiver.received.push(body);
    response.writeHead(receiver.status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, NODE_ADDRESS, resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://${NODE_ADDRESS}:${port}/`,
    received: [],
    status: 200,
    stop: () => server.close(),
  };
  return receiver;
}
