import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TokenBucket } from '../kube/token-bucket.ts';
import { type Delivery, PROVIDERS, type Provider, type Pushed } from './providers.ts';

export type Outcome =
  | 'Accepted'
  | 'Unmatched'
  | 'Ignored'
  | 'Unconfigured'
  | 'Refused'
  | 'Malformed'
  | 'TooLarge'
  | 'Busy'
  | 'Failed';

export interface ReceiverOptions {
  /** What deliveries of a provider are signed with; with none, nothing is accepted. */
  secretsOf(provider: string): readonly string[];
  /** Whether any repository in use is meant; rejects where nobody could be told. */
  onPush(provider: string, pushed: Pushed): Promise<boolean>;
  onDelivery(provider: string, outcome: Outcome): void;
}

/** Bytes of a delivery: as much as JSON.parse reads in a turn of the event loop. */
export const MOST_BYTES = 1024 * 1024;
/** Bodies that are read at once: they are kept in memory before anybody has proved anything. */
const AT_ONCE = 16;
/** Deliveries in a burst, and one each so many milliseconds after that. */
const BURST = 100;
const EVERY_MS = 50;

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
};

/** Receives what Git servers tell of pushes; nothing is done before the sender has proved that it knows a secret (S13). */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #rate = new TokenBucket(BURST, EVERY_MS, performance.now());
  #reading = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = (request.url ?? '').slice(1, 20).split('?', 1)[0] ?? '';
    const provider = PROVIDERS.get(name);
    response.setHeader('content-type', 'text/plain');
    if (provider === undefined)
      return refuse(response, 404, `Send to /${[...PROVIDERS.keys()].join(', /')}.`);
    if (request.method !== 'POST') return refuse(response, 405, 'Deliveries are sent with POST.');
    const outcome = await this.#take(name, provider, request).catch((): Outcome => 'Malformed');
    this.#options.onDelivery(name, outcome);
    const [status, text] = ANSWERS[outcome];
    refuse(response, status, text);
  }

  async #take(name: string, provider: Provider, request: IncomingMessage): Promise<Outcome> {
    const secrets = this.#options.secretsOf(name);
    if (secrets.length === 0) return 'Unconfigured';
    if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) return 'TooLarge';
    if (this.#reading >= AT_ONCE || !this.#rate.take(performance.now())) return 'Busy';
    const body = await this.#read(request);
    if (body === undefined) return 'TooLarge';
    const delivery = { headers: request.headers, body };
    await nextTurn();
    if (!secrets.some((secret) => provider.proves(delivery, secret))) return 'Refused';
    if (!provider.isPush(request.headers)) return 'Ignored';
    await nextTurn();
    const payload = payloadOf(delivery);
    if (payload === undefined) return 'Malformed';
    const pushed = provider.pushed(payload);
    if (pushed.urls.length + pushed.paths.length === 0) return 'Malformed';
    const told = this.#options.onPush(name, pushed);
    return told.then(
      (isMatched) => (isMatched ? 'Accepted' : 'Unmatched'),
      () => 'Failed',
    );
  }

  async #read(request: IncomingMessage): Promise<Buffer | undefined> {
    this.#reading += 1;
    try {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) return undefined;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    } finally {
      this.#reading -= 1;
    }
  }
}

/** JSON, or JSON in the field `payload` of a form, as GitHub and Gitea send it where they are told to. */
function payloadOf({ headers, body }: Delivery): unknown {
  const text = body.toString('utf8');
  const isForm = String(headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
  try {
    return JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text);
  } catch {
    return undefined;
  }
}

/** What was not read of the request is not waited for. */
function refuse(response: ServerResponse, status: number, text: string): void {
  if (!response.req.complete) response.setHeader('connection', 'close');
  response.writeHead(status).end(`${text}\n`);
}
