import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenAddress } from './listen-address.ts';
import { type Place, Places } from './places.ts';

/** Milliseconds for a whole request, and how often it is looked for those that take longer. */
const REQUEST_MS = 5_000;
const LOOK_EVERY_MS = 1_000;
const HEADER_BYTES = 16 * 1024;
const CONNECTIONS = 256;

/** `keep` is called where the sender has proved who it is: its connection does not give way until it is answered. */
export type Listener = (request: IncomingMessage, response: ServerResponse, keep: () => void) => void;

/**
 * An HTTP server for one purpose, on an address of its own; it keeps no process alive. Connections that say nothing,
 * or slowly, give way to new ones.
 */
export class HttpServer {
  readonly #server: Server;
  readonly #address: ListenAddress;
  readonly #connections = new Places(CONNECTIONS);
  readonly #places = new WeakMap<Socket, Place>();

  constructor(address: ListenAddress, listener: Listener, options: ServerOptions = {}) {
    this.#address = address;
    const bounds = {
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      maxHeaderSize: HEADER_BYTES,
    };
    this.#server = createServer({ ...bounds, ...options }, (request, response) => {
      const { socket } = request;
      listener(request, response, () => {
        this.#places.get(socket)?.leave();
        response.once('close', () => this.#place(socket));
      });
    });
    this.#server.on('connection', (socket) => {
      this.#place(socket);
      socket.once('close', () => this.#places.get(socket)?.leave());
    });
    this.#server.unref();
  }

  #place(socket: Socket): void {
    if (socket.destroyed) return;
    this.#places.set(
      socket,
      this.#connections.take(socket.remoteAddress ?? '', () => socket.destroy(), 1),
    );
  }

  /** Resolves with the port it listens on; rejects where the address cannot be had. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#address.port, this.#address.host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
