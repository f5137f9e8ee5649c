import { DEFAULT_CIPHERS } from 'node:tls';
import { Agent, type Dispatcher, Pool, ProxyAgent, request } from 'undici';
import { TowpathError } from '../../api/errors.ts';
import { withoutEnding } from '../../api/foreign-text.ts';
import { type Credential, isSecret, quotable, quoted } from '../credential.ts';
import type { RemoteUrl } from '../remote-url.ts';
import { type Packet, readPackets } from '../wire/pkt-line.ts';
import type { Timeouts, Transport } from '../wire/transport.ts';
import { type AddressRules, checkedLookup, checkHost, checkName } from './address.ts';
import { networkError } from './network-error.ts';
import type { ProxyRule } from './proxy.ts';
import { PROXY, proxyRefusal } from './proxy-refusal.ts';

export interface HttpOptions extends AddressRules {
  allowPlainHttpCredentials: boolean;
  timeouts: Timeouts;
  /** Default: no proxy. */
  proxies?: ProxyRule;
}

const maxRedirects = 5;
const userAgent = 'git/towpath';
/** Before TLS 1.3 a server may invent a group for DHE, with which computing holds the event loop for a second. */
const CIPHERS = `${DEFAULT_CIPHERS}:!kDHE`;

/** Git's smart HTTP protocol (gitprotocol-http), with redirects followed within an origin only. */
export class HttpTransport implements Transport {
  readonly #remote: RemoteUrl;
  readonly #credential: Credential | undefined;
  readonly #agent: Dispatcher;
  /** Where a proxy makes the connection: looks whether the host has an address that is refused. */
  readonly #checkName: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly #idleMs: number;
  readonly #origin: string;
  /** The repository's URL as it was given, without a slash at its end. */
  readonly #given: string;
  /** Where the last list of refs came from: the server may redirect from the given URL. */
  #base: string;

  constructor(remote: RemoteUrl, credential: Credential | undefined, options: HttpOptions) {
    this.#remote = remote;
    this.#credential = credential;
    const url = new URL(remote.text);
    this.#origin = url.origin;
    this.#given = withoutEnding(url.href, '/');
    this.#base = this.#given;
    checkHost(remote.host, options);
    if (remote.scheme === 'http' && isSecret(credential) && !options.allowPlainHttpCredentials) {
      throw new TowpathError(
        'Person',
        'PlainHTTPRefused',
        `The credential for ${this.host} would travel readable for everyone on the way, because the repository URL begins with http://. Use https://, or ask who runs Towpath to allow it.`,
      );
    }
    const { connectMs, idleMs } = options.timeouts;
    this.#idleMs = idleMs;
    const tls = {
      timeout: connectMs,
      ciphers: CIPHERS,
      ...(credential?.caCert === undefined ? {} : { ca: credential.caCert }),
      ...(credential?.clientCert === undefined ? {} : { cert: credential.clientCert }),
      ...(credential?.clientKey === undefined ? {} : { key: credential.clientKey }),
    };
    const bounds = {
      // Longer than most poll intervals would save no handshake worth a socket for each repository.
      keepAliveTimeout: 10_000,
      connections: 2,
      pipelining: 1,
    };
    const proxy = options.proxies?.(remote);
    this.#checkName = proxy === undefined ? undefined : (signal) => checkName(remote.host, options, signal);
    this.#agent =
      proxy === undefined
        ? new Agent({ ...bounds, connect: { ...tls, lookup: checkedLookup(options) } })
        : new ProxyAgent({
            ...bounds,
            uri: proxy,
            // A tunnel to a port without TLS is what proxies refuse, so plain HTTP is asked of the proxy itself.
            proxyTunnel: false,
            requestTls: tls,
            connectTimeout: connectMs,
            // The question for a tunnel has a limit of its own otherwise, of five minutes, and hears of no signal.
            clientFactory: (origin, more) => new Pool(origin, { ...bounds, headersTimeout: idleMs, ...more }),
          });
  }

  get host(): string {
    return `${this.#remote.host}:${this.#remote.port}`;
  }

  async *advertise(signal: AbortSignal): AsyncGenerator<Packet> {
    const service = '/info/refs?service=git-upload-pack';
    // A repository that was renamed may be renamed back, so a redirect holds for the fetch that follows only.
    let url = `${this.#given}${service}`;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#send('GET', url, undefined, signal);
      if (![301, 302, 303, 307, 308].includes(response.statusCode)) {
        await this.#requireSuccess(response, 'application/x-git-upload-pack-advertisement');
        // Git, too, takes the redirected base for the requests that follow.
        this.#base = url.endsWith(service) ? url.slice(0, -service.length) : this.#given;
        yield* this.#withoutServiceLine(this.#body(response));
        return;
      }
      const location = response.headers.location;
      await response.body.dump();
      url = this.#redirected(url, Array.isArray(location) ? location[0] : location, redirects);
    }
  }

  async *uploadPack(body: Buffer, signal: AbortSignal): AsyncGenerator<Packet> {
    const response = await this.#send('POST', `${this.#base}/git-upload-pack`, body, signal);
    await this.#requireSuccess(response, 'application/x-git-upload-pack-result');
    yield* readPackets(this.#body(response));
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(method: 'GET' | 'POST', url: string, body: Buffer | undefined, signal: AbortSignal) {
    try {
      await this.#checkName?.(signal);
      return await request(url, {
        dispatcher: this.#agent,
        method,
        signal,
        body: body ?? null,
        // Where no tunnel is made, an agent for a proxy does not hand its own on.
        headersTimeout: this.#idleMs,
        bodyTimeout: this.#idleMs,
        headers: {
          'user-agent': userAgent,
          accept: method === 'GET' ? '*/*' : 'application/x-git-upload-pack-result',
          ...(method === 'POST' ? { 'content-type': 'application/x-git-upload-pack-request' } : {}),
          ...this.#authorization(),
        },
      });
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A server that misses a client certificate often just closes the connection (TLS 1.3). */
  #failed(error: unknown): TowpathError {
    const failure = proxyRefusal(error, this.host) ?? this.#withProxy(networkError(error, this.host));
    const { scheme } = this.#remote;
    if (failure.reason !== 'ConnectionLost' || scheme === 'http' || this.#credential?.clientCert)
      return failure;
    const hint = 'If it wants a client certificate, put one in the Secret\'s keys "tls.crt" and "tls.key".';
    return new TowpathError(failure.remedy, failure.reason, `${failure.message} ${hint}`, { cause: error });
  }

  /** What failed may be the proxy's: who reads it must know that there is one. */
  #withProxy(error: TowpathError): TowpathError {
    if (this.#checkName === undefined || error.reason === 'AddressRefused') return error;
    const message = `${error.message} It is asked through ${PROXY}.`;
    return new TowpathError(error.remedy, error.reason, message, { cause: error });
  }

  #authorization(): Record<string, string> {
    const { username, password, bearerToken } = this.#credential ?? {};
    if (bearerToken !== undefined) return { authorization: `Bearer ${bearerToken}` };
    if (password === undefined) return {};
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }

  /** Where a redirect leads, when that is the same origin (S4: no other ever gets a credential). */
  #redirected(from: string, location: string | undefined, redirects: number): string {
    const refuse = (why: string) =>
      new TowpathError(
        'Person',
        'RedirectRefused',
        `The Git server ${this.host} redirects ${why}. Put the address that the repository really has in spec.source.repoURL.`,
      );
    if (redirects >= maxRedirects) throw refuse(`more than ${maxRedirects} times`);
    let target: URL;
    try {
      target = new URL(location ?? '', from);
    } catch {
      throw refuse('without saying where to');
    }
    if (target.origin !== this.#origin)
      throw refuse(`to another origin, ${quoted(target.origin, this.#credential, 200)}`);
    if (target.username !== '' || target.password !== '') throw refuse('to a URL with credentials');
    return target.href;
  }

  async *#body(response: Dispatcher.ResponseData): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response.body) yield chunk;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Over HTTP the advertisement begins with `# service=git-upload-pack` and a flush. */
  async *#withoutServiceLine(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Packet> {
    const packets = readPackets(chunks);
    const first = await packets.next();
    if (first.done || !first.value?.toString().startsWith('# service=')) {
      throw this.#noRepository('does not answer in the form of the Git protocol');
    }
    await packets.next();
    yield* packets;
  }

  async #requireSuccess(response: Dispatcher.ResponseData, type: string): Promise<void> {
    try {
      await this.#requireType(response, type);
    } catch (error) {
      // Without a tunnel the proxy may have answered in the server's place.
      const isEither = this.#remote.scheme === 'http' && error instanceof TowpathError;
      throw isEither ? this.#withProxy(error) : error;
    }
  }

  async #requireType(response: Dispatcher.ResponseData, type: string): Promise<void> {
    const { statusCode: status, headers } = response;
    const found = String(headers['content-type'] ?? '').split(';')[0];
    if (status === 200 && found === type) return;
    const said = await beginning(response, quotable(this.#credential));
    if (status === 200) {
      const instead = quoted(found ?? '', this.#credential) || 'no content type';
      throw this.#noRepository(`answers with ${instead}, not as a Git server`);
    }
    if (status === 401 || status === 403) throw this.#authenticationFailed(status);
    if (status === 404 || status === 410) throw this.#noRepository(`answers ${status}`);
    const words = quoted(said, this.#credential, 120);
    throw new TowpathError(
      'Time',
      'ServerError',
      `The Git server ${this.host} answers ${status}${words === '' ? '' : ` (${words})`}. It is tried again.`,
    );
  }

  #authenticationFailed(status: number): TowpathError {
    const what =
      this.#credential === undefined
        ? 'wants a credential. Name a Secret with one in spec.source.secretRef'
        : 'does not accept the credential, or it may not read this repository. Check the Secret that spec.source.secretRef names';
    return new TowpathError(
      'Person',
      'AuthenticationFailed',
      `The Git server ${this.host} answers ${status}: it ${what}.`,
    );
  }

  #noRepository(what: string): TowpathError {
    const hint = this.#credential === undefined ? ', or it is private and needs spec.source.secretRef' : '';
    return new TowpathError(
      'Person',
      'RepositoryNotFound',
      `There is no repository at ${this.#remote.text}: the server ${what}. Check spec.source.repoURL${hint}.`,
    );
  }
}

/** As much of a plain answer, or all of it; nothing of one that breaks off, maybe within a secret. */
async function beginning(response: Dispatcher.ResponseData, length: number): Promise<string> {
  const type = String(response.headers['content-type'] ?? '');
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= length) break;
    }
  } catch {
    // The status says enough.
    text = '';
  }
  response.body.destroy();
  return type.startsWith('text/plain') ? text : '';
}
