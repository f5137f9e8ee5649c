import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';

/** An HTTP proxy that leads to one server whatever is asked for, and notes what was asked for. */
export interface ConnectProxy {
  url: string;
  /** `host:port` of each CONNECT, and the URL of each request that it was to pass on. */
  readonly asked: string[];
  /** What each proved itself with. */
  readonly authorizations: (string | undefined)[];
  /** While set, everything is answered with this status instead; 0: with nothing at all. */
  refuse: number | undefined;
  stop(): Promise<void>;
}

/**
 * All leads to this port of 127.0.0.1: the proxy alone knows the names. With `tls`, PEM texts, the proxy itself is
 * reached over HTTPS.
 */
export async function startConnectProxy(
  port: number,
  tls?: { cert: string; key: string },
): Promise<ConnectProxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const note = (incoming: IncomingMessage) => {
    asked.push(incoming.url ?? '');
    authorizations.push(incoming.headers['proxy-authorization']);
  };
  const answer: RequestListener = (incoming, response) => {
    note(incoming);
    if (proxy.refuse === undefined) passOn(port, incoming, response);
    else if (proxy.refuse > 0) response.writeHead(proxy.refuse).end('refused by the proxy');
  };
  const server = tls === undefined ? createHttpServer(answer) : createHttpsServer(tls, answer);
  const open = new Set<{ destroy(): void }>();
  server.on('connect', (incoming, socket) => {
    note(incoming);
    open.add(socket);
    socket.on('error', () => socket.destroy());
    if (proxy.refuse !== undefined) {
      if (proxy.refuse > 0) socket.end(`HTTP/1.1 ${proxy.refuse} Refused\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    open.add(target);
    target.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = address !== null && typeof address === 'object' ? address.port : 0;
  const proxy: ConnectProxy = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${own}`,
    asked,
    authorizations,
    refuse: undefined,
    stop: () => {
      for (const each of open) each.destroy();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}

/** A request whose target is a whole URL (RFC 9112, 3.2.2). */
function passOn(port: number, incoming: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = incoming;
  const { pathname, search } = new URL(incoming.url ?? '');
  const { 'proxy-authorization': _, ...kept } = headers;
  const path = `${pathname}${search}`;
  const passed = request({ host: '127.0.0.1', port, path, method, headers: kept }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', () => response.destroy());
  incoming.pipe(passed);
}
