import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from './listen-address.ts';

export interface ProbeOptions extends ListenAddress {
  /** undefined: ready; else why not. */
  notReady(): string | undefined;
  metrics(): Promise<{ contentType: string; text: string }>;
}

/** Serves /readyz, /livez and /metrics over HTTP. */
export class ProbeServer {
  readonly #server: Server;
  readonly #options: ProbeOptions;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      const answer = (problem: string | undefined) => {
        response.writeHead(problem === undefined ? 200 : 503, { 'content-type': 'text/plain' });
        response.end(`${problem ?? 'ok'}\n`);
      };
      if (request.method !== 'GET') response.writeHead(405).end();
      else if (request.url === '/readyz') answer(options.notReady());
      // Whoever is answered knows that the event loop turns. One that is stuck answers nothing, and the probe's
      // time-outs (kubelet: 3 of 10 s) make 30 s of that (A9).
      else if (request.url === '/livez') answer(undefined);
      else if (request.url === '/metrics') {
        void options.metrics().then(
          ({ contentType, text }) => response.writeHead(200, { 'content-type': contentType }).end(text),
          () => response.writeHead(500).end(),
        );
      } else response.writeHead(404).end();
    });
    this.#server.unref();
  }

  /** Resolves with the port it listens on. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
