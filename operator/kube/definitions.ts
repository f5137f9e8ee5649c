import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../retry/backoff.ts';
import { OngoingFault } from '../retry/ongoing-fault.ts';
import type { KubeClient } from './client.ts';
import type { Discovery } from './discovery.ts';
import { ListWatch } from './list-watch.ts';

const DEFINITIONS = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };

/** When the API server is asked what it serves after a definition changed, and it is told that one did. */
const REFRESH_MS = [100, 1_000, 4_000];
const REFRESH_EVERY_MS = 30_000;
/** Where it did not answer. */
const RETRY = { firstMs: 200, longestMs: 10_000 };

export interface DefinitionsOptions {
  client: KubeClient;
  discovery: Discovery;
  /**
   * A definition changed, and what is served was asked since. Told a few times for one change: the API server takes
   * a moment to judge by a new schema, and tells nobody when it does.
   */
  onChange(): void;
  onFault(error: unknown): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/**
 * Keeps what is known of the API server's kinds up to date (A10): follows CustomResourceDefinitions, and asks what is
 * served after each change of one. A question that gets no answer is asked again.
 */
export class Definitions {
  readonly #options: DefinitionsOptions;
  readonly #watch: ListWatch<string>;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isServedKnown = false;
  readonly #fault = new OngoingFault();

  constructor(options: DefinitionsOptions) {
    this.#options = options;
    this.#watch = new ListWatch<string>({
      client: options.client,
      resource: DEFINITIONS,
      // Their schemas are megabytes; a change of one is rare, whatever it is about.
      metadataOnly: true,
      reduce: ({ metadata }) => metadata.resourceVersion,
      onEvent: () => {
        options.discovery.invalidate();
        // Many definitions at once, when a chart brings a dozen: one question is enough.
        this.#refreshLater({ step: 0, failures: 0 });
      },
    });
  }

  /** Resolves when it is known what is served; rejects when it is stopped before. */
  async start(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 1; !(await this.#refresh()); failures += 1)
      await sleep(this.#pauseAfter(failures), undefined, { signal });
    this.#isServedKnown = true;
    this.#watch.start();
  }

  /** Why it is not known what is served; undefined since it was told once. */
  get problem(): string | undefined {
    if (this.#isServedKnown) return undefined;
    return `What the API server serves is not known yet${this.#fault.message === undefined ? '.' : `; it is tried again: ${this.#fault.message}`}`;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopping'));
    clearTimeout(this.#timer);
    await this.#watch.stop();
  }

  /**
   * A few times, and then every so often: the API server begins to serve what a definition brings a moment after it
   * told of it, and of aggregated APIs and its own version it tells nothing.
   */
  #refreshLater({ step, failures }: { step: number; failures: number }): void {
    clearTimeout(this.#timer);
    const pause = failures > 0 ? this.#pauseAfter(failures) : (REFRESH_MS[step] ?? REFRESH_EVERY_MS);
    const timer = setTimeout(async () => {
      const isAnswered = await this.#refresh();
      if (isAnswered && step < REFRESH_MS.length) this.#options.onChange();
      // A definition that changed meanwhile began anew.
      if (this.#timer !== timer || this.#stopping.signal.aborted) return;
      this.#refreshLater(isAnswered ? { step: step + 1, failures: 0 } : { step, failures: failures + 1 });
    }, pause);
    this.#timer = timer;
  }

  async #refresh(): Promise<boolean> {
    const { discovery, onFault } = this.#options;
    const { signal } = this.#stopping;
    try {
      await discovery.refresh(signal);
      this.#fault.end();
      return true;
    } catch (error) {
      const isNews = this.#fault.note(error instanceof Error ? error.message : String(error));
      if (isNews && !signal.aborted) onFault(error);
      return false;
    }
  }

  #pauseAfter(failures: number): number {
    return backoffMs({ ...RETRY, failures, jitter: 'Half', random: this.#options.random() });
  }
}
