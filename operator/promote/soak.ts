/** How long manifests have been healthy in an environment: what is counted, what begins anew, what is waited for. Pure. */

/** Kept in the target's record, and written only when health changes. */
export interface Soak {
  /** Of the manifests. */
  readonly digest: string;
  /** For how long they were healthy before `since`. */
  readonly ms: number;
  /** RFC 3339, by the clock at home, as the next one. Absent: they are not healthy now. */
  readonly since?: string;
  /** Since when they come up once more. */
  readonly comingUpSince?: string;
  /** Since when they are healthy, but not as they were deployed. */
  readonly changedSince?: string;
  /** They were Degraded, or Missing, and have not been healthy since. */
  readonly broken?: true;
}

/**
 * `Changed`: they are healthy, but somebody changed them. `OutOfSight`: it cannot be seen. `Broken`: they are Degraded, or
 * Missing.
 */
export type Counted = 'Healthy' | 'ComingUp' | 'Changed' | 'OutOfSight' | 'Broken';

export interface SoakSeen {
  /** Of what is deployed to the end; undefined: something else is on its way. */
  readonly digest: string | undefined;
  readonly health: Counted;
  readonly now: Date;
  /** Present at the first look of a process. */
  readonly gap?: Gap;
  /** Nobody asks for it at the moment. */
  readonly unasked?: true;
}

/** A time in which nobody looked. */
export interface Gap {
  /** Until when a process before looked. Undefined: none is known to have. */
  readonly from: Date | undefined;
  /** As far as can be seen after it, nothing was changed or begun anew in it: else none of it counts. */
  readonly isUndisturbed?: true;
}

/** So much counts of a time in which nobody looked; what is longer counts no further. */
export const GAP_MS = 120_000;

/** What is known after a look; the very same where nothing is to be written. */
export function soakAfter(before: Soak | undefined, { digest, ...seen }: SoakSeen): Soak | undefined {
  if (digest === undefined) return undefined;
  if (before?.digest !== digest) return counted({ digest, ms: 0 }, seen);
  const after = resting(before, seen) ?? counted(before, seen);
  return isSame(before, after) ? before : after;
}

/**
 * What nobody asks for is counted on by the process that saw it, and by no later one: each would have to write down since
 * when it looks, or what nobody looked at would count once somebody asks again.
 */
function resting(before: Soak, { health, now, gap, unasked }: Omit<SoakSeen, 'digest'>): Soak | undefined {
  if (unasked !== true || health !== 'Healthy') return undefined;
  const { digest, since, comingUpSince, changedSince, broken } = before;
  if (since !== undefined)
    return gap === undefined ? undefined : { digest, ms: healthyWithGap(before, now, gap) };
  const isResting = comingUpSince === undefined && changedSince === undefined && broken === undefined;
  return isResting ? before : undefined;
}

function counted(before: Soak, { health, now, gap }: Omit<SoakSeen, 'digest'>): Soak {
  const { digest, broken, since } = before;
  if (health === 'Broken') return { digest, ms: 0, broken: true };
  if (health === 'Healthy' && since !== undefined && gap === undefined) return before;
  const ms = gap === undefined ? healthyMs(before, now) : healthyWithGap(before, now, gap);
  if (health === 'Healthy') return { digest, ms, since: now.toISOString() };
  if (health === 'Changed')
    return { digest, ms, changedSince: waitedFrom(before, now, gap), ...(broken === true ? { broken } : {}) };
  if (broken === true) return before;
  return health === 'OutOfSight'
    ? { digest, ms }
    : { digest, ms, comingUpSince: waitedFrom(before, now, gap) };
}

/** What comes up and is changed by turns is waited for from the first of these on. */
function waitedFrom({ comingUpSince, changedSince }: Soak, now: Date, gap: Gap | undefined): string {
  // What nobody looked at for longer may have been healthy meanwhile.
  const isLong = gap !== undefined && now.getTime() - (gap.from?.getTime() ?? 0) > GAP_MS;
  return isLong ? now.toISOString() : (comingUpSince ?? changedSince ?? now.toISOString());
}

export interface SoaksAt {
  /** How they are at this moment, which need not be noted yet; undefined: that is not known. */
  readonly live: Counted | undefined;
  /** For so long they are to be healthy. */
  readonly neededMs: number;
  /** So long they may take to come up once more. */
  readonly timeoutMs: number;
  readonly now: Date;
}

/**
 * Until when they soak, as far as one can tell: what only comes up, or is changed, is waited for, but not for ever.
 * `InSight`: until it can be seen how they are, which is at no time that is known. Undefined: they do not, since they broke,
 * or do not come up any more. What has soaked did so until a time that is past.
 */
export function soaksUntil(
  soak: Soak,
  { live, neededMs, timeoutMs, now }: SoaksAt,
): Date | 'InSight' | undefined {
  const { comingUpSince, changedSince, broken } = soak;
  const isHealthy = live === undefined ? soak.since !== undefined : live === 'Healthy';
  if (live === 'Broken' || (broken === true && !isHealthy)) return undefined;
  const left = neededMs - healthyMs(soak, now);
  // What somebody changed is healthy by itself, and does not count before it is as it was.
  const isCounting = isHealthy && changedSince === undefined;
  if (isCounting || (left <= 0 && soak.since !== undefined)) return new Date(now.getTime() + left);
  if (left <= 0) return undefined;
  const begun = comingUpSince ?? changedSince;
  if (begun === undefined && (live === undefined || live === 'OutOfSight')) return 'InSight';
  const since = begun === undefined ? now.getTime() : Date.parse(begun);
  return now.getTime() < since + timeoutMs ? new Date(since + timeoutMs) : undefined;
}

/** For how long they have been healthy by now. */
export function healthyMs({ ms, since }: Pick<Soak, 'ms' | 'since'>, now: Date): number {
  return since === undefined ? ms : ms + Math.max(0, now.getTime() - Date.parse(since));
}

/** The same as far as somebody saw that, where nobody looked from a time on. */
export function seenMs({ ms, since }: Pick<Soak, 'ms' | 'since'>, now: Date, from: Date | undefined): number {
  if (since === undefined) return ms;
  const begin = Date.parse(since);
  return ms + Math.min(Math.max(begin, from?.getTime() ?? begin), Math.max(begin, now.getTime())) - begin;
}

/** The same with what counts of the time in which nobody looked. */
function healthyWithGap(soak: Soak, now: Date, { from, isUndisturbed }: Gap): number {
  const seen = seenMs(soak, now, from);
  if (isUndisturbed !== true) return seen;
  return seen + Math.min(GAP_MS, Math.max(0, healthyMs(soak, now) - seen));
}

function isSame(one: Soak | undefined, other: Soak): boolean {
  const { digest, ms, since, comingUpSince, changedSince, broken } = one ?? {};
  return (
    digest === other.digest &&
    ms === other.ms &&
    since === other.since &&
    comingUpSince === other.comingUpSince &&
    changedSince === other.changedSince &&
    broken === other.broken
  );
}
