import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';

/** An HTTP proxy that opens tunnels, to one server whatever is asked for, and notes what was asked for. */
export interface ConnectProxy {
  url: string;
  /** `host:port` of each CONNECT. */
  readonly asked: string[];
  /** What each proved itself with. */
  readonly authorizations: (string | undefined)[];
  stop(): Promise<void>;
}

/**
 * Every tunnel leads to this port of 127.0.0.1: the proxy alone knows the names. With `tls`, PEM texts, the proxy
 * itself is reached over HTTPS.
 */
export async function startConnectProxy(
  port: number,
  tls?: { cert: string; key: string },
): Promise<ConnectProxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const refuse: RequestListener = (_, response) => response.writeHead(405).end();
  const server = tls === undefined ? createHttpServer(refuse) : createHttpsServer(tls, refuse);
  const open = new Set<{ destroy(): void }>();
  server.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    authorizations.push(request.headers['proxy-authorization']);
    const target = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    for (const each of [socket, target]) {
      open.add(each);
      each.on('error', () => socket.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const own = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${own}`,
    asked,
    authorizations,
    stop: () => {
      for (const each of open) each.destroy();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
