/** How long an environment stays on what has soaked there, where others could not take it at that very moment. Pure. */

import type { BlockedBy } from './gate.ts';

/** One that waits for what runs in another environment, where that has soaked for it. */
export interface WaitsFor {
  readonly environment: string;
  /** So long what is newer would have to soak for it first. */
  readonly neededMs: number;
  /** What keeps it out there, but for the environment that it has soaked in. */
  readonly blockedBy: readonly BlockedBy[];
  /** When the last of its gates opened, where that was a moment ago. */
  readonly openedAt?: Date;
}

export interface Soaked {
  readonly since: Date;
  /** So long it may take to be deployed, and to be begun where that is tried again. */
  readonly timeoutMs: number;
  readonly now: Date;
}

export interface Stays {
  /** Those that it stays for. */
  readonly environments: readonly string[];
  readonly until: Date;
}

/** Undefined: what is newer may take its place. */
export function staysFor(all: readonly WaitsFor[], soaked: Soaked): Stays | undefined {
  const those = all.flatMap((one) => {
    const until = endOf(one, soaked);
    return until !== undefined && until > soaked.now.getTime()
      ? [{ environment: one.environment, until }]
      : [];
  });
  if (those.length === 0) return undefined;
  const until = new Date(Math.max(...those.map((one) => one.until)));
  return { environments: those.map(({ environment }) => environment), until };
}

function endOf(
  { neededMs, blockedBy, openedAt }: WaitsFor,
  { since, timeoutMs, now }: Soaked,
): number | undefined {
  // What persons or other resources have to do first may never come.
  if (!isTimeAlone(blockedBy)) return undefined;
  const clears = blockedBy.flatMap(({ clearsAt }) => clearsAt?.getTime() ?? []);
  if (clears.length === 0) return Math.max(since.getTime(), openedAt?.getTime() ?? 0) + timeoutMs;
  const opens = Math.max(...clears);
  // What is newer has the time to be deployed and to soak before that, and its commits are not kept waiting for days.
  return opens > now.getTime() + timeoutMs + neededMs ? undefined : opens + timeoutMs;
}

function isTimeAlone(blockedBy: readonly BlockedBy[]): boolean {
  return blockedBy.every(({ remedy }) => remedy === 'Time');
}

/** As what what waits is told apart for those that stay for it. */
export function standingOf(blockedBy: readonly BlockedBy[]): string {
  if (!isTimeAlone(blockedBy)) return 'Other';
  const clears = blockedBy.flatMap(({ clearsAt }) => clearsAt?.getTime() ?? []);
  return clears.length === 0 ? 'Now' : `At ${Math.max(...clears)}`;
}
