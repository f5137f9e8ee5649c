import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from './listen-address.ts';

/** Milliseconds for a whole request, and how often it is looked for those that take longer. */
const REQUEST_MS = 5_000;
const LOOK_EVERY_MS = 1_000;
const HEADER_BYTES = 16 * 1024;
const CONNECTIONS = 128;

/** An HTTP server for one purpose, on an address of its own; it keeps no process alive. */
export class HttpServer {
  readonly #server: Server;
  readonly #address: ListenAddress;

  constructor(address: ListenAddress, listener: RequestListener, options: ServerOptions = {}) {
    this.#address = address;
    const bounds = {
      requestTimeout: REQUEST_MS,
      headersTimeout: REQUEST_MS,
      connectionsCheckingInterval: LOOK_EVERY_MS,
      maxHeaderSize: HEADER_BYTES,
    };
    this.#server = createServer({ ...bounds, ...options }, listener);
    this.#server.maxConnections = CONNECTIONS;
    this.#server.unref();
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
