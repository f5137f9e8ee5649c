import type { Client, ClientChannel } from 'ssh2';
import { unlessAborted } from '../../kube/unless-aborted.ts';
import { networkError, timeout } from './network-error.ts';

export interface SshLinkOptions {
  /** With its port. */
  host: string;
  /** Rejects with what a user understands. */
  connect(signal: AbortSignal): Promise<Client>;
  /** A command is taken within so many milliseconds. */
  connectMs: number;
}

/** A connection is kept so long after its last use: a fetch follows a poll at once, the next poll later. */
const KEEP_MS = 15_000;

/**
 * One connection, for all conversations that come while it lasts. It belongs to none of them: who gives up ends its
 * own wait, and what failed is used by nobody new, but others end on it what they have begun.
 */
export class SshLink {
  readonly #options: SshLinkOptions;
  readonly #stop = new AbortController();
  readonly #client: Promise<Client>;
  #isUsable = true;
  #isConnected = false;
  /** Who waits for the connection, or has a channel on it. */
  #users = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: SshLinkOptions) {
    this.#options = options;
    this.#client = options.connect(this.#stop.signal);
    this.#client.then(
      (client) => {
        this.#isConnected = true;
        client.once('close', () => this.retire());
        if (this.#stop.signal.aborted) client.destroy();
      },
      () => this.retire(),
    );
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Whether a new conversation may begin on it. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  /**
   * Begins a conversation. Whoever gets a channel calls `leave` when it is over.
   *
   * @throws TowpathError, or the signal's reason in words
   */
  async open(command: string, signal: AbortSignal): Promise<ClientChannel> {
    this.#users += 1;
    clearTimeout(this.#idle);
    try {
      const client = await unlessAborted(this.#client, signal);
      return await this.#execute(client, command, signal);
    } catch (error) {
      if (this.#isConnected) this.retire();
      this.leave();
      throw networkError(error, this.#options.host);
    }
  }

  /** One conversation is over. */
  leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    if (this.#isUsable && this.#isConnected) this.#idle = setTimeout(() => this.end(), KEEP_MS).unref();
    else this.end();
  }

  /** Lets nobody new use it. */
  retire(): void {
    this.#isUsable = false;
    if (this.#users === 0) this.end();
  }

  /** Ends it, whoever uses it. */
  end(): void {
    this.#isUsable = false;
    clearTimeout(this.#idle);
    this.#stop.abort(new Error('the connection is no longer needed'));
    this.#client.then(
      (client) => client.destroy(),
      () => undefined,
    );
  }

  #execute(client: Client, command: string, signal: AbortSignal): Promise<ClientChannel> {
    const { host, connectMs } = this.#options;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const settle = () => {
        isOver = true;
        clearTimeout(late);
        signal.removeEventListener('abort', abort);
      };
      const give = (error: unknown) => {
        settle();
        reject(error);
      };
      const abort = () => give(signal.reason);
      const late = setTimeout(() => give(timeout(host)), connectMs);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) return abort();
      client.exec(command, (error, channel) => {
        // Nobody waits for it any more.
        if (isOver) return channel?.on('error', () => undefined).close();
        if (error) return give(error);
        settle();
        resolve(channel);
      });
    });
  }
}
