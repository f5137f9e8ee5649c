/** How long manifests have been healthy in an environment: what is counted, what begins anew, what is waited for. Pure. */

/** Kept in the target's record, and written only when health changes. */
export interface Soak {
  /** Of the manifests. */
  readonly digest: string;
  /** For how long they were healthy before `since`. */
  readonly ms: number;
  /** RFC 3339, by the clock at home. Absent: they are not healthy now. */
  readonly since?: string;
}

/** `Paused`: they come up, or it cannot be seen. `Broken`: they are Degraded, or Missing. */
export type Counted = 'Healthy' | 'Paused' | 'Broken';

export interface SoakSeen {
  /** Of what is deployed to the end; undefined: something else is on its way. */
  readonly digest: string | undefined;
  readonly health: Counted;
  readonly now: Date;
  /** Present at the first look of a process: until when one before it looked. Unknown where none is known to have. */
  readonly gap?: { readonly from: Date | undefined };
}

/** So much counts of a time in which nobody looked; what is longer counts no further. */
export const GAP_MS = 120_000;

/** What is known after a look; the very same where nothing is to be written. */
export function soakAfter(
  before: Soak | undefined,
  { digest, health, now, gap }: SoakSeen,
): Soak | undefined {
  if (digest === undefined) return undefined;
  if (before === undefined || before.digest !== digest || health === 'Broken') {
    const anew: Soak = { digest, ms: 0, ...(health === 'Healthy' ? { since: now.toISOString() } : {}) };
    return isSame(before, anew) ? before : anew;
  }
  const ms = gap === undefined ? healthyMs(before, now) : healthyWithGap(before, now, gap.from);
  if (health === 'Paused') return before.since === undefined ? before : { digest, ms };
  if (before.since === undefined) return { digest, ms, since: now.toISOString() };
  return gap === undefined ? before : { digest, ms, since: now.toISOString() };
}

/** For how long they have been healthy by now. */
export function healthyMs({ ms, since }: Pick<Soak, 'ms' | 'since'>, now: Date): number {
  return since === undefined ? ms : ms + Math.max(0, now.getTime() - Date.parse(since));
}

/** The same where nobody looked from a time on. */
function healthyWithGap({ ms, since }: Soak, now: Date, from: Date | undefined): number {
  if (since === undefined) return ms;
  const begin = Date.parse(since);
  const seenUntil = Math.min(Math.max(begin, from?.getTime() ?? begin), Math.max(begin, now.getTime()));
  return ms + (seenUntil - begin) + Math.min(GAP_MS, Math.max(0, now.getTime() - seenUntil));
}

function isSame(one: Soak | undefined, other: Soak): boolean {
  return (
    one?.digest === other.digest &&
    one.ms === other.ms &&
    one.since === undefined &&
    other.since === undefined
  );
}
