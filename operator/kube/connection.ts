import type { Slices } from '../observe/event-loop-slices.ts';
import type { Access, AccessSource } from './credentials.ts';
import { NotLeaderError, UnreachableError } from './errors.ts';
import type { ServiceAccount } from './objects.ts';
import { ServerClock } from './server-clock.ts';
import type { Sharer } from './shares.ts';
import { type StreamListener, Transport, type WireAnswer, type WireRequest } from './transport.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { WriteGate } from './write-gate.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'apply' | 'delete';

/** A request that was answered, for metrics; a watch as soon as it begins. One that was tried again after a 401 is told once a try. */
export interface RequestRecord {
  verb: Verb;
  method: WireRequest['method'];
  /** Of the API server, with its port. */
  host: string;
  group: string;
  plural: string;
  subresource: string;
  dryRun: boolean;
  /** HTTP status; 0 where no answer came. */
  code: number;
  durationMs: number;
}

export interface CallOptions {
  /** Impersonate this ServiceAccount (S1). */
  as?: ServiceAccount;
  /** On behalf of which Application, also where nobody is impersonated: what hangs holds up its own alone (A3). */
  sharer?: Sharer;
  signal?: AbortSignal;
  /** Of one request; default 30 s. */
  timeoutMs?: number;
  /** Send a write even when this replica does not lead, and before all others: only for the Lease itself. */
  ungated?: boolean;
}

export interface ConnectionOptions {
  /** Each write (dry-runs too) goes through it; closed, it rejects them with NotLeaderError (D8). */
  gate?: WriteGate;
  /** Awaited before each write (dry-runs too), unless it has nothing to wait for; what it rejects with is the write's end. */
  beforeWrite?: () => Promise<void> | undefined;
  onRequest?: (record: RequestRecord) => void;
  userAgent?: string;
  /** Of watches that do not say otherwise: without a byte for this long they are renewed (A2). Default 90 s. */
  silenceMs?: number;
  /** Told, by watches that do not say otherwise, what would be lost: see ListWatchOptions.onFault. */
  onWatchFault?: (plural: string, error: Error) => void;
  /** Shared with all else that takes long. */
  slices?: Slices;
}

/** A request as the verbs make it. */
export interface Call {
  verb: Verb;
  method: WireRequest['method'];
  path: string;
  group: string;
  plural: string;
  subresource?: string;
  dryRun?: boolean;
  accept?: string;
  contentType?: string;
  ifNoneMatch?: string | undefined;
  body?: string;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const READS: readonly Verb[] = ['get', 'list', 'watch'];

/** Everything between a verb and the wire: credentials, impersonation, the write gate, the clock, the counting. */
export class Connection {
  readonly clock = new ServerClock();
  readonly #credentials: AccessSource;
  readonly #options: ConnectionOptions;
  readonly #retiring = new Set<Transport>();
  readonly #leaveGate: (() => void) | undefined;
  #transport: Transport | undefined;
  #closed = false;

  constructor(credentials: AccessSource, options: ConnectionOptions) {
    this.#credentials = credentials;
    this.#options = options;
    this.#leaveGate = options.gate?.add({ writesEnded: () => this.writesEnded() });
  }

  /** The answer whatever its status. @throws UnreachableError, NotLeaderError, the signal's reason */
  send(call: Call, options: CallOptions): Promise<WireAnswer> {
    return this.#withAccess(call, options, (transport, request) => transport.exchange(request));
  }

  /** See Transport.stream. */
  stream(call: Call, options: CallOptions, silenceMs: number, listener: StreamListener): Promise<WireAnswer> {
    return this.#withAccess(call, options, (transport, request, { sentAt, onStatus }) =>
      transport.stream(request, silenceMs, {
        onHead: (head) => {
          this.clock.observe(head.headers.date, sentAt, performance.now());
          onStatus(head.status);
          listener.onHead(head);
        },
        onLine: listener.onLine,
      }),
    );
  }

  get saturated(): boolean {
    return this.#transport?.saturated === true;
  }

  /** Resolves when the writes that are under way now have ended. @throws the signal's reason */
  async writesEnded({ as, signal }: Pick<CallOptions, 'as' | 'signal'> = {}): Promise<void> {
    const user = as === undefined ? undefined : userOf(as);
    const transports = [...this.#retiring, this.#transport];
    const ended = Promise.all(transports.map((transport) => transport?.writesEnded(user)));
    await unlessAborted(ended, signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#retiring, this.#transport].map((transport) => transport?.destroy()));
    this.#leaveGate?.();
  }

  /** Sends; where credentials or CA were refused and have been rotated since, sends once more. */
  async #withAccess(call: Call, options: CallOptions, send: Send): Promise<WireAnswer> {
    const waited = isGated(call, options) ? this.#options.beforeWrite?.() : undefined;
    if (waited !== undefined) await unlessAborted(waited, options.signal);
    const access = await this.#credentials.current();
    let refusal: unknown;
    try {
      const answer = await this.#once(call, options, access, send);
      if (answer.status !== 401) return answer;
      this.#credentials.invalidate(access);
      const renewed = await this.#credentials.current();
      return renewed === access ? answer : await this.#once(call, options, renewed, send);
    } catch (error) {
      if (!isUntrusted(error)) throw error;
      refusal = error;
    }
    this.#credentials.invalidate(access);
    const renewed = await this.#credentials.current();
    if (renewed === access) throw refusal;
    return this.#once(call, options, renewed, send);
  }

  async #once(call: Call, options: CallOptions, access: Access, send: Send): Promise<WireAnswer> {
    const request = this.#request(call, options, access);
    const sentAt = performance.now();
    const onStatus = this.#statusTeller(call, access, sentAt);
    try {
      const answer = await send(this.#transportFor(access), request, { sentAt, onStatus });
      if (call.verb !== 'watch') this.clock.observe(answer.headers.date, sentAt, performance.now());
      onStatus(answer.status);
      return answer;
    } finally {
      onStatus(0);
    }
  }

  /** What to call with the status of the answer, or with 0 where none came; the first call counts. */
  #statusTeller(call: Call, access: Access, sentAt: number): (code: number) => void {
    let isTold = false;
    return (code) => {
      if (isTold) return;
      isTold = true;
      this.#options.onRequest?.({
        verb: call.verb,
        method: call.method,
        host: new URL(access.server).host,
        group: call.group,
        plural: call.plural,
        subresource: call.subresource ?? '',
        dryRun: call.dryRun === true,
        code,
        durationMs: performance.now() - sentAt,
      });
    };
  }

  #request(call: Call, options: CallOptions, access: Access): WireRequest {
    const gate = isGated(call, options) ? this.#options.gate : undefined;
    if (gate?.isOpen() === false) throw new NotLeaderError();
    const headers = [
      ...access.headers,
      'Accept',
      call.accept ?? 'application/json',
      'User-Agent',
      this.#options.userAgent ?? 'towpath',
    ];
    if (call.contentType !== undefined) headers.push('Content-Type', call.contentType);
    if (call.ifNoneMatch !== undefined) headers.push('If-None-Match', call.ifNoneMatch);
    if (options.as !== undefined) headers.push(...impersonation(options.as));
    return {
      method: call.method,
      path: call.path,
      headers,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: options.signal,
      ...(call.body === undefined ? {} : { body: call.body }),
      ...(gate === undefined ? {} : { maySend: () => gate.isOpen() }),
      ...placeOf(call, options),
      ...(options.as === undefined ? {} : { impersonated: userOf(options.as) }),
    };
  }

  /** The transport for this access; one whose CA or certificate was rotated is let run dry. */
  #transportFor(access: Access): Transport {
    if (this.#closed) throw new UnreachableError('Closed', 'The API client is closed.');
    if (this.#transport?.serves(access) !== true) {
      const old = this.#transport;
      this.#transport = new Transport(access);
      if (old !== undefined) {
        this.#retiring.add(old);
        const forget = () => this.#retiring.delete(old);
        old.retire().then(forget, forget);
      }
    }
    return this.#transport;
  }
}

function isGated({ verb }: Call, { ungated }: CallOptions): boolean {
  return ungated !== true && !READS.includes(verb);
}

/** `told` is called with the status of an answer that goes on for long. */
type Send = (
  transport: Transport,
  request: WireRequest,
  sending: { sentAt: number; onStatus(code: number): void },
) => Promise<WireAnswer>;

/** Our own requests share by what they are about: an API of others that hangs holds up itself alone. */
function placeOf(
  { verb, group, plural }: Call,
  { ungated, as, sharer }: CallOptions,
): Pick<WireRequest, 'lane' | 'sharer'> {
  const own = { tenant: group, target: plural };
  if (ungated === true) return { lane: 'Urgent', sharer: own };
  const lane = group === '' && plural === 'services' && !READS.includes(verb) ? 'Service' : 'Application';
  if (sharer !== undefined) return { lane, sharer };
  if (as !== undefined) return { lane, sharer: { tenant: as.namespace, target: '' } };
  return { lane: 'Own', sharer: own };
}

/** The API server itself adds the ServiceAccount's groups, so that no right to impersonate groups is needed. */
function impersonation(account: ServiceAccount): string[] {
  return ['Impersonate-User', userOf(account)];
}

function userOf({ namespace, name }: ServiceAccount): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** The server's certificate is not of the CA that we have: nothing was sent yet. */
function isUntrusted(error: unknown): boolean {
  return (
    error instanceof UnreachableError &&
    /CERT|UNABLE_TO_(VERIFY|GET)|SELF_SIGNED|ALERT_UNKNOWN_CA/.test(error.code)
  );
}
