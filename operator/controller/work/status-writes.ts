import { setTimeout as sleep } from 'node:timers/promises';
import { isConflict, NotLeaderError } from '../../kube/errors.ts';
import { backoffMs } from '../../retry/backoff.ts';

export interface StatusWritesOptions {
  names(): Iterable<string>;
  /** One patch of what changed, and none where nothing did. @throws where it is refused */
  patch(name: string, signal: AbortSignal): Promise<void>;
  onFault(name: string, error: unknown): void;
  random(): number;
}

/** So long after what changed: what comes together is one write. */
const SETTLE_MS = 50;
const RETRY = { firstMs: 1_000, longestMs: 30_000 };

/** When statuses are written while this process leads: one write at a time for each name, again after one that failed. */
export class StatusWrites {
  readonly #options: StatusWritesOptions;
  /** By name whether it is to be looked at once more. */
  readonly #writing = new Map<string, { again: boolean }>();
  #leading: AbortController | undefined;

  constructor(options: StatusWritesOptions) {
    this.#options = options;
  }

  /** This process leads: what they say is its to write. */
  lead(): void {
    this.#leading ??= new AbortController();
    for (const name of this.#options.names()) this.due(name);
  }

  follow(): void {
    this.#leading?.abort(new Error('this process leads no more'));
    this.#leading = undefined;
  }

  /** Something of what it is to say changed. */
  due(name: string): void {
    const leading = this.#leading;
    if (leading === undefined) return;
    const writing = this.#writing.get(name);
    if (writing !== undefined) {
      writing.again = true;
      return;
    }
    const mine = { again: true };
    this.#writing.set(name, mine);
    void this.#write(name, mine, leading.signal).finally(() => {
      this.#writing.delete(name);
      // It was asked for between the last look and the end, or by who leads again.
      if (mine.again) this.due(name);
    });
  }

  async #write(name: string, mine: { again: boolean }, signal: AbortSignal): Promise<void> {
    for (let failures = 0; mine.again; ) {
      const pause =
        failures === 0
          ? SETTLE_MS
          : backoffMs({ ...RETRY, failures, jitter: 'Fifth', random: this.#options.random() });
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      mine.again = false;
      if (signal.aborted) return;
      try {
        await this.#options.patch(name, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted || error instanceof NotLeaderError) return;
        failures += 1;
        mine.again = true;
        // Somebody wrote meanwhile, and the watch tells what.
        if (!isConflict(error)) this.#options.onFault(name, error);
      }
    }
  }
}
