import { createSecureContext } from 'node:tls';
import { buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { Access, TlsOptions } from './credentials.ts';
import { Shares } from './shares.ts';

type Connect = buildConnector.connector;

const CONNECT_TIMEOUT_MS = 10_000;
/**
 * Connections are made so many at once, and one that takes longer lends its place on: a handshake costs the event loop
 * a millisecond or two, and all those whose answers have come share a turn.
 */
const LINE = {
  active: 8,
  lendAfterMs: 1_000,
  most: Number.POSITIVE_INFINITY,
  mostOfTenant: Number.POSITIVE_INFINITY,
};

/** The connections to one API server. */
export class Dispatchers {
  readonly requests: Dispatcher;
  readonly streams: Dispatcher;
  /** Its connections wait behind no others. */
  readonly urgent: Dispatcher;
  readonly #line = new Shares(LINE);
  #isDestroyed = false;

  constructor(access: Access, origin: string) {
    const connect = connectorOf(access.tls);
    this.requests = dispatcherFor(access, origin, connect, (each) => this.#inLine(each, 'requests'));
    this.streams = dispatcherFor(access, origin, connect, (each) => this.#inLine(each, 'streams'));
    this.urgent = dispatcherFor(access, origin, connect, (each) => each);
  }

  /** Lets what is under way finish, takes nothing new. */
  async close(): Promise<void> {
    await Promise.all([this.requests.close(), this.streams.close(), this.urgent.close()]);
  }

  /** Ends every connection now. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await Promise.all([this.requests.destroy(), this.streams.destroy(), this.urgent.destroy()]);
  }

  /** `of`: whose connections take turns with those of others. */
  #inLine(connect: Connect, of: string): Connect {
    return (options, callback) => {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const begin = () => {
        try {
          if (this.#isDestroyed) throw new Error('The API client is closed.');
          connect(options, (...outcome) => {
            resolve();
            callback(...outcome);
          });
        } catch (error) {
          resolve();
          callback(error instanceof Error ? error : new Error(String(error)), null);
        }
      };
      this.#line.take({ tenant: of, target: '' }, begin, ended);
    };
  }
}

/** Authorities are read once for all connections, not by each anew. */
function connectorOf({ ca, cert, key, passphrase, ...checks }: TlsOptions): Connect {
  const options = {
    ...checks,
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
  // Not before it is used: what cannot be read fails the connection, and is read anew with the next credentials.
  let connect: Connect | undefined;
  return (to, callback) => {
    connect ??= buildConnector(
      to.protocol === 'https:'
        ? { ...options, secureContext: createSecureContext({ ca, cert, key, passphrase }) }
        : options,
    );
    connect(to, callback);
  };
}

/** `wrap` decides when a connection, or the one within a proxy's tunnel, is made. */
function dispatcherFor(
  { proxyUrl, tls }: Access,
  origin: string,
  connect: Connect,
  wrap: (connect: Connect) => Connect,
): Dispatcher {
  const options = {
    connections: null,
    pipelining: 1,
    allowH2: false,
    // Below the 90 s after which kube-apiserver closes an idle connection.
    keepAliveTimeout: 30_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (proxyUrl === undefined) return new Pool(origin, { ...options, connect: wrap(connect) });
  if (!/^https?:/.test(proxyUrl))
    throw new Error('The kubeconfig names a proxy that is neither http nor https; Towpath takes no other.');
  return new ProxyAgent({
    ...options,
    uri: proxyUrl,
    requestTls: tls,
    factory: (to: URL, { connect: through, ...given }: Pool.Options) =>
      new Pool(to, { ...given, ...(typeof through === 'function' ? { connect: wrap(through) } : {}) }),
  });
}
