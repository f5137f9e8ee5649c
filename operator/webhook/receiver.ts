import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TokenBucket } from '../kube/token-bucket.ts';
import { Bodies, isTooLarge, MOST_BYTES } from './bodies.ts';
import { isReadable, payloadOf } from './payload.ts';
import { type Delivery, PROVIDERS, type Provider, type Pushed } from './providers.ts';

/** What a push asks for: something, nothing, or what cannot be known before the Applications are listed. */
export type Asked = 'Accepted' | 'Unmatched' | 'NotReady';

export type Outcome =
  | Asked
  | 'Ignored'
  | 'Unconfigured'
  | 'Refused'
  | 'Malformed'
  | 'TooLarge'
  | 'Busy'
  | 'Failed';

export interface ReceiverOptions {
  /** What deliveries of a provider are signed with; with none, nothing is accepted. Undefined: not known yet. */
  secretsOf(provider: string): readonly string[] | undefined;
  /** Whether any repository in use is meant; rejects where nobody could be told. */
  onPush(provider: string, pushed: Pushed): Promise<Asked>;
  onDelivery(provider: string, outcome: Outcome): void;
}

/** Pushes of one provider in a burst, and one each so many milliseconds after that. */
const BURST = 100;
const EVERY_MS = 50;
/** Seconds, for whoever is to send it again. */
const RETRY_AFTER = '5';

const ANSWERS: Readonly<Record<Outcome, readonly [number, string]>> = {
  Accepted: [200, 'The repository is asked.'],
  Unmatched: [202, 'No Application has this repository: compare spec.source.repoURL with its addresses.'],
  Ignored: [202, 'Only pushes are of interest.'],
  Unconfigured: [404, 'No secret is configured for this kind of server: nothing is accepted here.'],
  Refused: [401, 'The signature is missing, or made with another secret.'],
  Malformed: [400, 'The delivery is no JSON that names a repository.'],
  TooLarge: [413, `A delivery has ${MOST_BYTES / 1024} KiB at most.`],
  Busy: [503, 'There are too many deliveries at the moment. Send it again later.'],
  Failed: [503, 'The leader could not be told. Send it again later.'],
  NotReady: [
    503,
    'This replica has just started and does not know the Applications yet. Send it again later.',
  ],
};

/**
 * Receives what Git servers tell of pushes; nothing is done before the sender has proved that it knows a secret (S13).
 * What the headers alone refuse is not read, and who has proved nothing takes no part of what is allowed to others.
 */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #bodies = new Bodies();
  readonly #rates: ReadonlyMap<string, TokenBucket>;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    const now = performance.now();
    this.#rates = new Map([...PROVIDERS.keys()].map((name) => [name, new TokenBucket(BURST, EVERY_MS, now)]));
  }

  /** `keep`: the sender has proved itself, and is not to give way to others. */
  async answer(request: IncomingMessage, response: ServerResponse, keep: () => void): Promise<void> {
    const name = (request.url ?? '').slice(1, 20).split('?', 1)[0] ?? '';
    const provider = PROVIDERS.get(name);
    response.setHeader('content-type', 'text/plain');
    if (provider === undefined)
      return refuse(response, 404, `Send to /${[...PROVIDERS.keys()].join(', /')}.`);
    if (request.method !== 'POST') return refuse(response, 405, 'Deliveries are sent with POST.');
    const outcome = await this.#take(name, provider, request, keep).catch((): Outcome => 'Malformed');
    this.#options.onDelivery(name, outcome);
    const [status, text] = ANSWERS[outcome];
    refuse(response, status, text);
  }

  async #take(
    name: string,
    provider: Provider,
    request: IncomingMessage,
    keep: () => void,
  ): Promise<Outcome> {
    const secrets = this.#options.secretsOf(name);
    const early = refusedUnread(provider, request, secrets);
    if (early !== undefined) return early;
    const body = await this.#bodies.read(request);
    if (!Buffer.isBuffer(body)) return body;
    const delivery = { headers: request.headers, body };
    if (!(await isProven(provider, delivery, secrets ?? []))) return 'Refused';
    if (!provider.isPush(request.headers)) return 'Ignored';
    if (this.#rates.get(name)?.take(performance.now()) !== true) return 'Busy';
    keep();
    await nextTurn();
    const payload = payloadOf(delivery);
    if (payload === undefined) return 'Malformed';
    const pushed = provider.pushed(payload);
    if (pushed.urls.length + pushed.paths.length === 0) return 'Malformed';
    return this.#options.onPush(name, pushed).catch((): Outcome => 'Failed');
  }
}

/** What needs no look into the body; undefined where it is to be read. */
function refusedUnread(
  provider: Provider,
  { headers }: IncomingMessage,
  secrets: readonly string[] | undefined,
): Outcome | undefined {
  if (secrets === undefined) return 'NotReady';
  if (secrets.length === 0) return 'Unconfigured';
  if (!secrets.some((secret) => provider.mayProve(headers, secret))) return 'Refused';
  if (isTooLarge(headers)) return 'TooLarge';
  return isReadable(headers) ? undefined : 'Malformed';
}

/** Each secret in a turn of its own: a MiB is hashed for each. */
async function isProven(
  provider: Provider,
  delivery: Delivery,
  secrets: readonly string[],
): Promise<boolean> {
  for (const secret of secrets) {
    await nextTurn();
    if (provider.proves(delivery, secret)) return true;
  }
  return false;
}

/** What was not read of the request is not waited for, unless it is known to be little. */
function refuse(response: ServerResponse, status: number, text: string): void {
  const { req: request } = response;
  const isLittle = Number(request.headers['content-length'] ?? Number.NaN) <= MOST_BYTES;
  if (!request.complete && !(isLittle && !request.destroyed)) response.setHeader('connection', 'close');
  if (status === 503) response.setHeader('retry-after', RETRY_AFTER);
  response.writeHead(status).end(`${text}\n`);
}
