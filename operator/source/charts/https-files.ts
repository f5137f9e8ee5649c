import { DEFAULT_CIPHERS } from 'node:tls';
import { Agent, type Dispatcher, Pool, ProxyAgent, request } from 'undici';
import { TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import type { Credential } from '../credential.ts';
import { size } from '../limits.ts';
import { type AddressRules, checkedLookup, checkHost, checkName } from '../transport/address.ts';
import type { ProxyRule } from '../transport/proxy.ts';
import { fileUrl, hostAndPort } from './chart-url.ts';
import { fetchError } from './fetch-error.ts';
import type { ChartTimeouts } from './limits.ts';
import { ServerBusy } from './server-busy.ts';

export interface HttpsFilesOptions extends AddressRules {
  timeouts: ChartTimeouts;
  /** Default: no proxy. */
  proxies?: ProxyRule;
}

export type TlsCredential = Pick<Credential, 'caCert' | 'clientCert' | 'clientKey'>;

export interface FileRequest {
  url: URL;
  /** HEAD: without a body. Default: GET. */
  method?: 'HEAD';
  /** Of what is asked for, for messages: `index.yaml of https://charts.example.com`. */
  what: string;
  /** What the server has is only wanted if it is another one than had this tag. */
  etag?: string | undefined;
  /** Media types; default: any. */
  accept?: string;
  /** Goes to the URL's own origin only, and no further with a redirect (S4). */
  authorization?: string | undefined;
  /** For the same origin only: the authorities that it is checked against, and who we are. */
  tls?: TlsCredential | undefined;
  /** Whether a Secret could have the authorities for that origin, for messages. */
  trusts?: 'Secret' | undefined;
  /** Which of these the asker judges: the URL's own origin's is returned then, and not an error. */
  judges?: readonly (401 | 403)[];
  maxBytes: number;
  signal: AbortSignal;
}

export interface FileResponse {
  /** Where it came from in the end. */
  url: URL;
  /** 304: it is the one with the tag that was given. */
  status: number;
  etag: string | undefined;
  /** All of a name in small letters. */
  header(name: string): readonly string[];
  /** @throws TowpathError, also where it is longer than allowed. */
  body: AsyncGenerator<Buffer>;
}

const MOST_REDIRECTS = 5;
/** Before TLS 1.3 a server may invent a group for DHE, with which computing holds the event loop for a second. */
const CIPHERS = `${DEFAULT_CIPHERS}:!kDHE`;
/** By proxy and certificates; the one that was used longest ago is closed. */
const MOST_AGENTS = 64;
/** A longer one is not kept. */
const LONGEST_TAG = 256;

/**
 * Files of chart repositories over HTTPS. Redirects may lead to other hosts, which storage behind a repository does: no
 * credential travels there (S4), and each is looked at anew (S11).
 */
export class HttpsFiles {
  readonly #options: HttpsFilesOptions;
  /** In the order of their last use. */
  readonly #agents = new Map<string, Dispatcher>();

  constructor(options: HttpsFilesOptions) {
    this.#options = options;
  }

  /**
   * Asks for a file. 404 and 410 are told by the status; the body is to be read to its end, or closed.
   *
   * @throws TowpathError
   */
  async get(asked: FileRequest): Promise<FileResponse> {
    let { url, authorization, tls, trusts } = asked;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send(url, { ...asked, authorization, tls, trusts });
      const { statusCode: status, headers } = response;
      if (![301, 302, 303, 307, 308].includes(status))
        return this.#answered(response, url, asked, authorization);
      await this.#discard(response);
      if (redirects >= MOST_REDIRECTS)
        throw new TowpathError(
          'Person',
          'RedirectRefused',
          `The chart repository at ${url.host} redirects more than ${MOST_REDIRECTS} times for ${asked.what}. Write the address that it really has into Chart.yaml.`,
        );
      const { location } = headers;
      const to = Array.isArray(location) ? location[0] : location;
      const next = fileUrl(to ?? '', url, `A redirect from ${url.host}`);
      if (next.origin !== url.origin) [authorization, tls, trusts] = [undefined, undefined, undefined];
      url = next;
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
  }

  async #send(
    url: URL,
    { method, etag, accept, authorization, tls, trusts, signal }: FileRequest,
  ): Promise<Dispatcher.ResponseData> {
    const { host, port } = hostAndPort(url);
    checkHost(host, this.#options);
    const proxy = this.#options.proxies?.({ scheme: 'https', host, port });
    try {
      if (proxy !== undefined) await checkName(host, this.#options, signal);
      const { idleMs } = this.#options.timeouts;
      const sent = request(url, {
        dispatcher: this.#agent(proxy ?? '', tls),
        method: method ?? 'GET',
        signal,
        headersTimeout: idleMs,
        bodyTimeout: idleMs,
        headers: {
          'user-agent': 'towpath',
          accept: accept ?? '*/*',
          ...(etag === undefined ? {} : { 'if-none-match': etag }),
          ...(authorization === undefined ? {} : { authorization }),
        },
      });
      // undici looks at the signal once a connection stands, and not before.
      return await unlessAborted(sent, signal);
    } catch (error) {
      const way = proxy === undefined ? 'Direct' : 'Proxied';
      const believed = trusts !== undefined && tls?.caCert !== undefined ? 'SecretAlone' : trusts;
      throw fetchError(error, { host: `${host}:${port}`, way, trusts: believed });
    }
  }

  /** @param proxy its URL; '' is none. */
  #agent(proxy: string, { caCert, clientCert, clientKey }: TlsCredential = {}): Dispatcher {
    const key = JSON.stringify([proxy, caCert, clientCert, clientKey]);
    const agent = this.#agents.get(key) ?? this.#newAgent(proxy, { caCert, clientCert, clientKey });
    this.#agents.delete(key);
    this.#agents.set(key, agent);
    const [oldest] = this.#agents;
    if (oldest !== undefined && this.#agents.size > MOST_AGENTS) {
      this.#agents.delete(oldest[0]);
      // What is under way goes on; that ends within the limit of time for a file.
      void oldest[1].close().catch(() => undefined);
    }
    return agent;
  }

  #newAgent(
    proxy: string,
    { caCert, clientCert, clientKey }: Partial<Record<keyof TlsCredential, string | undefined>>,
  ): Dispatcher {
    const { connectMs, idleMs } = this.#options.timeouts;
    const tls = {
      timeout: connectMs,
      ciphers: CIPHERS,
      ...(caCert === undefined ? {} : { ca: caCert }),
      ...(clientCert === undefined ? {} : { cert: clientCert }),
      ...(clientKey === undefined ? {} : { key: clientKey }),
    };
    const bounds = { keepAliveTimeout: 10_000, connections: 4, pipelining: 1 };
    return proxy === ''
      ? new Agent({ ...bounds, connect: { ...tls, lookup: checkedLookup(this.#options) } })
      : new ProxyAgent({
          ...bounds,
          uri: proxy,
          requestTls: tls,
          connectTimeout: connectMs,
          clientFactory: (origin, more) => new Pool(origin, { ...bounds, headersTimeout: idleMs, ...more }),
        });
  }

  /** @param shown what of the authorization went there. */
  async #answered(
    response: Dispatcher.ResponseData,
    url: URL,
    asked: FileRequest,
    shown: string | undefined,
  ): Promise<FileResponse> {
    const { statusCode: status, headers } = response;
    const tag = Array.isArray(headers.etag) ? headers.etag[0] : headers.etag;
    const etag = tag !== undefined && tag.length <= LONGEST_TAG ? tag : undefined;
    const header = (name: string) => [headers[name] ?? []].flat();
    if (status === 200 && asked.method !== 'HEAD')
      return { url, status, etag, header, body: this.#body(response, url, asked) };
    await this.#discard(response);
    const judged: readonly number[] = url.origin === asked.url.origin ? (asked.judges ?? []) : [];
    if ([200, 304, 404, 410, ...judged].includes(status))
      return { url, status, etag, header, body: nothing() };
    if (status === 401 || status === 403) throw notLetIn(status, url, asked, shown);
    const [retryAfter] = header('retry-after');
    const { busyMs } = this.#options.timeouts;
    throw new ServerBusy({ status, host: url.host, what: asked.what, retryAfter, busyMs });
  }

  async *#body(
    response: Dispatcher.ResponseData,
    url: URL,
    { what, maxBytes }: FileRequest,
  ): AsyncGenerator<Buffer> {
    const tooLarge = () =>
      new TowpathError(
        'Person',
        'ChartTooLarge',
        `${asBeginning(what)} has more than ${size(maxBytes)}, which is not fetched. Commit the chart to the folder charts, or have who runs the repository make it smaller.`,
      );
    let bytes = 0;
    try {
      if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
      for await (const chunk of response.body) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge();
        yield chunk;
      }
    } catch (error) {
      throw fetchError(error, { host: url.host, way: 'Direct' });
    } finally {
      // Where nobody began to read, its end is an error that nobody hears, which would end the process.
      response.body.on('error', () => undefined);
      response.body.destroy();
    }
  }

  /** What nobody reads: its end is not waited for. */
  async #discard(response: Dispatcher.ResponseData): Promise<void> {
    response.body.on('error', () => undefined);
    await response.body.dump({ limit: 1 << 16 }).catch(() => undefined);
  }
}

function notLetIn(
  status: 401 | 403,
  url: URL,
  { url: asked, what, authorization }: FileRequest,
  shown: string | undefined,
): TowpathError {
  const wants = ': it wants a credential. Name a Secret with one in spec.helm.registries.';
  const refuses =
    ': it refuses the credential that spec.helm.registries names for it, or that may not read this. Correct the Secret; it is noticed at once.';
  const elsewhere = `, to where ${asked.host} redirects, and where no credential of that goes. Have who runs ${asked.host} let its files be read there without one, or commit the chart to the folder charts.`;
  const why = shown !== undefined ? refuses : authorization === undefined ? wants : elsewhere;
  return new TowpathError(
    'Person',
    'AuthenticationFailed',
    `The chart repository at ${url.host} answers ${status} for ${what}${why}`,
  );
}

/** What was asked for, at the beginning of a sentence: a file's name stays as it is. */
export function asBeginning(what: string): string {
  return what.startsWith('the ') ? `T${what.slice(1)}` : what;
}

async function* nothing(): AsyncGenerator<Buffer> {}
