import type { Dispatcher } from 'undici';
import { joined, LineFeed, LineSplitter } from './bytes.ts';
import { type Access, sameConnection } from './credentials.ts';
import { Dispatchers } from './dispatchers.ts';
import { NotLeaderError, UnreachableError } from './errors.ts';
import { type Sharer, Shares } from './shares.ts';

export interface WireRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  path: string;
  /** Names and values, alternating. */
  headers: string[];
  body?: string;
  /**
   * For the whole exchange; for a stream until its headers are there. One of our own, or of a Service, that waits for its
   * turn has not begun: a thousand that wait for a busy API server would run out of time together, and wait anew, for
   * ever.
   */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Asked in the instant before the request goes onto a connection; false refuses it. */
  maySend?: (() => boolean) | undefined;
  /** Behind an admission webhook that hangs those of Applications must not hold up our own bookkeeping. */
  lane: Lane;
  /** For whom, in this lane: those whose requests hang hold up no other. */
  sharer: Sharer;
  /** The user as whom it is made, where that is not our own. */
  impersonated?: string;
}

/** `Urgent` waits behind no other request; `Service`: of Applications, and a Service would be written. */
export type Lane = 'Urgent' | 'Own' | 'Application' | 'Service';

export interface WireHead {
  status: number;
  headers: Record<string, string | string[] | undefined>;
}

export interface WireAnswer extends WireHead {
  text: string;
}

/** What a stream tells. Lines come without their newline; none comes for an answer other than 200. */
export interface StreamListener {
  onHead(head: WireHead): void;
  /** What it returns is waited for before the next line. */
  onLine(line: string): Promise<void> | undefined;
}

/** Bound of one answer, which becomes text in one turn; a page of 500 objects of 64 KB. A list asks for smaller pages then. */
const MAX_ANSWER_BYTES = 32 * 2 ** 20;
/** For Applications' requests: most of these places only those may take that hang. */
const APPLICATIONS_SHARES = { active: 64, lendAfterMs: 1_000, most: 512, mostOfTenant: 64 };
/** Of our own more wait. */
const OWN_SHARES = { active: 16, lendAfterMs: 1_000, most: 128, mostOfTenant: 32 };
/**
 * An API server gives out the addresses of Services one after the other, and dry-runs wait in the same line. More at once
 * are no faster: a hundred that wait there run out of time together, are carried out all the same, and asked for anew.
 */
const SERVICE_SHARES = { active: 8, lendAfterMs: 3_000, most: 64, mostOfTenant: 16 };

/**
 * Connections to one API server: for requests as many as `Shares` lets begin, and one a watch, so that watches never
 * starve requests. HTTP/1.1 on purpose: with HTTP/2 one half-open connection would silence everything at once.
 */
export class Transport {
  readonly #access: Access;
  readonly #dispatchers: Dispatchers;
  readonly #pathPrefix: string;
  readonly #origin: string;
  /** Under way, or waiting for a place; those included that nobody waits for any more. */
  readonly #underWay = new Map<Promise<void>, WireRequest>();
  readonly #shares = {
    Application: new Shares(APPLICATIONS_SHARES),
    Own: new Shares(OWN_SHARES),
    Service: new Shares(SERVICE_SHARES),
  };

  constructor(access: Access) {
    this.#access = access;
    const url = new URL(access.server);
    this.#origin = url.origin;
    this.#pathPrefix = url.pathname === '/' ? '' : url.pathname;
    this.#dispatchers = new Dispatchers(access, url.origin);
  }

  serves(access: Access): boolean {
    return sameConnection(this.#access, access);
  }

  /**
   * Whether also an Application that waits for nothing of its own would only wait for its turn, or its bookkeeping would.
   * Who waits for the address of a Service takes no place that another one's ConfigMap needs (A3).
   */
  get saturated(): boolean {
    const { Application, Own } = this.#shares;
    return Application.full || Own.full;
  }

  /** Resolves when the writes that are under way now have ended; `as`: those that impersonate this user. */
  async writesEnded(as?: string): Promise<void> {
    const waited = [...this.#underWay].filter(
      ([, { method, impersonated }]) => method !== 'GET' && (as === undefined || impersonated === as),
    );
    await Promise.all(waited.map(([ended]) => ended));
  }

  /** Sends one request and gathers its answer, whatever its status. @throws UnreachableError, NotLeaderError */
  exchange(request: WireRequest): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      let head: WireHead = { status: 0, headers: {} };
      const run = new Exchange(request, reject, {
        onHead: (given) => {
          head = given;
        },
        onData: (chunk) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) {
            run.fail(new UnreachableError('TooLarge', `The answer to ${describe(request)} exceeds 32 MiB.`));
          } else chunks.push(chunk);
        },
        onEnd: () => resolve({ ...head, text: joined(chunks) }),
      });
      const ended = run.ended.then(() => void this.#underWay.delete(ended));
      this.#underWay.set(ended, request);
      // A renewal of the Lease that waits behind hundreds of writes would cost the leadership that they need.
      if (request.lane === 'Urgent' || request.lane === 'Application') run.startClock();
      if (request.lane === 'Urgent') this.#dispatch(this.#dispatchers.urgent, request, run);
      else {
        const begin = () => {
          run.startClock();
          this.#dispatch(this.#dispatchers.requests, request, run);
        };
        this.#shares[request.lane].take(request.sharer, begin, run.ended);
      }
    });
  }

  /**
   * Opens a stream of lines and resolves when the server ends it. Rejects with UnreachableError when nothing came
   * for `silenceMs` (A2). For an answer other than 200, the text is returned instead.
   */
  stream(request: WireRequest, silenceMs: number, listener: StreamListener): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      let head: WireHead = { status: 0, headers: {} };
      const feed = new LineFeed(listener.onLine, { pause: () => run.pause(), resume: () => run.resume() });
      const lines = new LineSplitter((line) => feed.add(line));
      const refusal: Buffer[] = [];
      const fail = (error: unknown) => {
        feed.end();
        reject(error);
      };
      const run = new Exchange(request, fail, {
        onHead: (given) => {
          head = given;
          run.watchForSilence(silenceMs);
          listener.onHead(given);
        },
        onData: (chunk) => {
          run.heard();
          if (head.status !== 200) refusal.push(chunk);
          else if (!lines.push(chunk)) {
            run.fail(new UnreachableError('TooLarge', `A line of ${describe(request)} exceeds 16 MiB.`));
          }
        },
        onEnd: () => resolve({ ...head, text: joined(refusal) }),
      });
      run.startClock();
      this.#dispatch(this.#dispatchers.streams, request, run);
    });
  }

  #dispatch(dispatcher: Dispatcher, request: WireRequest, run: Exchange): void {
    // A call that was aborted before it began must not cost a connection.
    if (run.settled) return;
    try {
      dispatcher.dispatch(
        {
          origin: this.#origin,
          path: this.#pathPrefix + request.path,
          method: request.method,
          headers: request.headers,
          body: request.body ?? null,
          headersTimeout: 0,
          bodyTimeout: 0,
        },
        run,
      );
    } catch (error) {
      run.fail(error);
    }
  }

  /** Lets what is under way finish, takes nothing new. */
  async retire(): Promise<void> {
    // Also what waits for a place still: closed, the dispatcher would refuse it.
    await Promise.all(this.#underWay.keys());
    await this.#dispatchers.close();
  }

  /** Ends every connection now. */
  destroy(): Promise<void> {
    return this.#dispatchers.destroy();
  }
}

function describe(request: WireRequest): string {
  return `${request.method} ${request.path.split('?', 1)[0]}`;
}

interface Parts {
  onHead(head: WireHead): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
}

/** One request's life on undici's lowest interface, which tells the instant before it is written. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: WireRequest;
  readonly #reject: (error: unknown) => void;
  readonly #parts: Parts;
  readonly #onAbort: () => void;
  readonly #ended = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;

  constructor(request: WireRequest, reject: (error: unknown) => void, parts: Parts) {
    this.#request = request;
    this.#reject = reject;
    this.#parts = parts;
    this.#onAbort = () => this.fail(request.signal?.reason);
    request.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (request.signal?.aborted) this.#onAbort();
  }

  /** Its time runs from the first call on. */
  startClock(): void {
    if (this.#settled) return;
    const { timeoutMs } = this.#request;
    this.#timer ??= setTimeout(() => this.fail(this.#timedOut(timeoutMs)), timeoutMs);
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Resolves when nothing of it is on the wire any more. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) {
      controller.abort(new Error('given up before it was sent'));
      this.#ended.resolve();
    } else if (this.#request.maySend?.() === false) this.fail(new NotLeaderError());
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status >= 200 && !this.#settled) this.#parts.onHead({ status, headers });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#settled) this.#parts.onData(chunk);
  }

  onResponseEnd(): void {
    this.#end();
    if (this.#settled) return;
    this.#settle();
    this.#parts.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    this.fail(error);
  }

  /** No more of the answer is read. */
  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    if (!this.#settled) this.#controller?.resume();
  }

  /** From the headers on, silence is what ends a stream, no longer the timeout. */
  watchForSilence(silenceMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const said = `${describe(this.#request)} was silent for ${silenceMs / 1000} s.`;
      this.fail(new UnreachableError('Silent', said));
    }, silenceMs);
  }

  heard(): void {
    this.#timer?.refresh();
  }

  fail(error: unknown): void {
    if (this.#settled) return;
    this.#settle();
    const classified = this.#classify(error);
    const isGivenUp = this.#request.signal?.aborted === true && error === this.#request.signal.reason;
    if (isGivenUp && this.#request.method !== 'GET' && this.#controller !== undefined) {
      // A write that is on its way is carried out anyway: it is let finish, so that its end is known (A7).
      this.#timer = setTimeout(() => this.#abort(new Error('no answer')), this.#request.timeoutMs).unref();
    } else this.#abort(classified instanceof Error ? classified : new Error('aborted'));
    this.#reject(classified);
  }

  #abort(why: Error): void {
    this.#controller?.abort(why);
    this.#end();
  }

  #end(): void {
    if (this.#settled) clearTimeout(this.#timer);
    this.#ended.resolve();
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener('abort', this.#onAbort);
  }

  #timedOut(ms: number): UnreachableError {
    return new UnreachableError('Timeout', `${describe(this.#request)} got no answer within ${ms / 1000} s.`);
  }

  #classify(error: unknown): unknown {
    if (error instanceof UnreachableError || error instanceof NotLeaderError) return error;
    if (this.#request.signal?.aborted && error === this.#request.signal.reason) return error;
    const code = codeOf(error);
    return new UnreachableError(
      code,
      `${describe(this.#request)} failed: ${reasonOf(error)} (${code})`,
      error,
    );
  }
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'Unknown';
}

function reasonOf(error: unknown): string {
  // A host with several addresses fails with an AggregateError that has no message of its own.
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
