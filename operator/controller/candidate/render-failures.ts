import { ENDED_BY_LIMITS } from '../../api/errors.ts';
import { shortened } from '../../retry/backoff.ts';
import { applicationOf } from '../record/application-key.ts';
import { Quarantine } from './quarantine.ts';

/** After so long such a render is tried again, once for each; then only when an input changes or it is asked for. */
const PAUSES_MS = [30_000, 2 * 60_000, 10 * 60_000];

interface Failure {
  inputs: string;
  error: Quarantine;
  attempts: number;
}

/** Remembers renders that failed: the same inputs would fail again, and are not rendered for nothing. */
export class RenderFailures {
  /** By the names of targets. */
  readonly #failures = new Map<string, Failure>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The error of a target's render with these inputs; undefined where it may be tried. */
  find(target: string, inputs: string, now: Date): Quarantine | undefined {
    const failure = this.#failures.get(target);
    if (failure?.inputs !== inputs) return undefined;
    const { retry } = failure.error;
    return retry !== undefined && retry.nextAt <= now ? undefined : failure.error;
  }

  /** Remembers an error, and returns it with the time of the next try where there is to be one. */
  add(target: string, inputs: string, error: Quarantine, now: Date): Quarantine {
    const before = this.#failures.get(target);
    const attempts = before?.inputs === inputs ? before.attempts + 1 : 1;
    const pause = ENDED_BY_LIMITS.has(error.error.reason) ? PAUSES_MS[attempts - 1] : undefined;
    const remembered =
      pause === undefined
        ? error
        : new Quarantine(error.rejected, error.error, {
            attempts,
            nextAt: new Date(now.getTime() + shortened(pause, { jitter: 'Fifth', random: this.#random() })),
          });
    this.#failures.set(target, { inputs, error: remembered, attempts });
    return remembered;
  }

  forget(target: string): void {
    this.#failures.delete(target);
  }

  /** Those of all targets of an Application. */
  forgetAll(application: string): void {
    for (const target of this.#failures.keys())
      if (applicationOf(target) === application) this.#failures.delete(target);
  }

  /** Forgets all; returns the names of the targets whose they were. */
  clear(): string[] {
    const targets = [...this.#failures.keys()];
    this.#failures.clear();
    return targets;
  }
}
