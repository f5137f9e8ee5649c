import { TokenBucket } from '../../kube/token-bucket.ts';
import type { TargetIdentity } from '../record/target.ts';
import { forgetLooks, newTargetMemory, type TargetMemory } from '../target/memory.ts';
import { TargetUpdates } from './target-updates.ts';

/** How many changes of Secrets and ConfigMaps that its spec names an Application follows at once, and how often after. */
const WAKES_AT_ONCE = 10;
const WAKE_EVERY_MS = 5_000;

/**
 * What is remembered of an Application and its targets. It stands with what is known of the Application, and so goes
 * with it: of one that is gone nothing can be kept.
 */
export interface ApplicationMemory {
  /** By name. */
  readonly targets: Map<string, TargetMemory>;
  /** What its targets told. */
  readonly updates: TargetUpdates;
  /** When what they told was last written, on the clock of performance.now(). */
  writtenAt: number;
  /** Works in a row on the Application itself that failed. */
  failures: number;
  /** For changes of what the spec names. */
  readonly wakes: TokenBucket;
}

export function newApplicationMemory(now: number): ApplicationMemory {
  return {
    targets: new Map(),
    updates: new TargetUpdates(),
    writtenAt: Number.NEGATIVE_INFINITY,
    failures: 0,
    wakes: new TokenBucket(WAKES_AT_ONCE, WAKE_EVERY_MS, now),
  };
}

/** Sees to it that there is one for each of the targets. */
export function rememberTargets(
  { targets }: ApplicationMemory,
  all: readonly TargetIdentity[],
  now: number,
): void {
  for (const target of all)
    if (!targets.has(target.name)) targets.set(target.name, newTargetMemory(target, now));
}

/** What another process may have made untrue: what targets told, and were told to be. */
export function forgetUpdates({ updates, targets }: ApplicationMemory): void {
  updates.forget();
  for (const target of targets.values()) forgetLooks(target);
}

/**
 * Another process may have written what a write of ours without an answer was to say, and told it; where none led in
 * between, nobody but we can.
 */
export function forgetStatus({ targets }: ApplicationMemory): void {
  for (const { unreported } of targets.values()) unreported.forgetStatus();
}
