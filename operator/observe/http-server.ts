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

/** What a connection holds. */
interface Held {
  place: Place;
  /** Requests of it whose sender has proved who it is, and that are not answered yet. */
  kept: number;
}

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
  readonly #held = new WeakMap<Socket, Held>();

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
      listener(request, response, () => this.#keep(socket, response));
    });
    this.#server.on('connection', (socket) => {
      this.#held.set(socket, { place: this.#place(socket), kept: 0 });
      socket.once('close', () => this.#held.get(socket)?.place.leave());
    });
    this.#server.unref();
  }

  /** Requests that are sent one after another, without waiting for answers, are kept together: it has one place again after the last. */
  #keep(socket: Socket, response: ServerResponse): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    held.place.leave();
    held.kept += 1;
    response.once('close', () => {
      held.kept -= 1;
      if (held.kept === 0 && !socket.destroyed) held.place = this.#place(socket);
    });
  }

  #place(socket: Socket): Place {
    return this.#connections.take(socket.remoteAddress ?? '', () => socket.destroy(), 1);
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
