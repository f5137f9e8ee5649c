/** What has to become of what entered: for how long it stays healthy, and what fails it. Pure. */

import { type Counted, GAP_MS, type Gap, healthyMs, type Soak, seenMs, soakAfter } from './soak.ts';

/** What a policy wants of what enters. */
export interface VerifyRule {
  /** For so long it has to be healthy. */
  readonly forMs: number;
  /** What becomes of what fails. */
  readonly onFailure: 'Rollback' | 'Keep';
}

/**
 * Of one deployment, kept in the target's record: the rule as it was when that began, since what has its first write
 * goes on, whatever becomes of the policy.
 */
export interface Verify extends VerifyRule {
  /** Names of the checks that it has to pass, whoever has them by now. Absent: none. */
  readonly checks?: readonly string[];
  /** For how long it was healthy before `since`. */
  readonly ms: number;
  /** RFC 3339, by the clock at home, as the next ones. Absent: it is not healthy now. */
  readonly since?: string;
  /** Since when it comes up once more. */
  readonly comingUpSince?: string;
  readonly outcome?: 'Passed' | 'Failed';
  readonly endedAt?: string;
  /** What became of going back. Absent: nothing yet, or nothing is to. */
  readonly wentBack?: 'Impossible';
}

/** What came of it. */
export type Verified = Pick<Verify, 'onFailure'> & Required<Pick<Verify, 'outcome'>>;

/** What checks say of what entered. */
export type CheckVerdict = 'Passed' | 'Failed' | 'Unfinished';

export interface VerifySeen {
  readonly how: Counted;
  readonly now: Date;
  /** Absent: none are wanted. */
  readonly checks?: CheckVerdict;
  /** So long it may take to come up once more. */
  readonly timeoutMs: number;
  /** Present at the first look of a process. */
  readonly gap?: Gap;
}

/** Of a deployment that begins. */
export function newVerify({
  forMs,
  onFailure,
  checks = [],
}: VerifyRule & { readonly checks?: readonly { readonly name: string }[] }): Verify {
  const names = checks.map(({ name }) => name);
  return { forMs, onFailure, ms: 0, ...(names.length === 0 ? {} : { checks: names }) };
}

/** The same of one that is tried once more. */
export function verifyOnceMore({ forMs, onFailure, checks }: Verify): Verify {
  return { forMs, onFailure, ms: 0, ...(checks === undefined ? {} : { checks }) };
}

/** It is deployed to the end, and so healthy: from here on it counts. */
export function verifyFrom(verify: Verify, now: Date): Verify {
  return verify.outcome === undefined ? { ...verify, since: now.toISOString() } : verify;
}

/** Whether it is not decided yet. */
export function isUndecided(verify: Verify | undefined): verify is Verify {
  return verify !== undefined && verify.outcome === undefined;
}

export function failedVerify({ since: _, comingUpSince: __, ...verify }: Verify, now: Date): Verify {
  return { ...verify, outcome: 'Failed', endedAt: now.toISOString() };
}

/** What is known after a look at what is deployed; the very same where nothing is to be written. */
export function verifyAfter(before: Verify, { how, now, checks, timeoutMs, gap }: VerifySeen): Verify {
  if (before.outcome !== undefined) return before;
  if (how === 'Broken' || checks === 'Failed') return failedVerify(before, now);
  const { since: _, comingUpSince, ms: __, ...rule } = before;
  const counted = countedAfter(before, how, now, gap);
  const left = rule.forMs - healthyMs(counted, now);
  if (how === 'Healthy' && left <= 0 && checks !== 'Unfinished')
    return { ...rule, ms: rule.forMs, outcome: 'Passed', endedAt: now.toISOString() };
  const { ms, since } = counted;
  const after = { ...rule, ms, ...(since === undefined ? {} : { since }) };
  if (how !== 'ComingUp') return isSame(before, after) ? before : after;
  // What nobody looked at for longer may have been healthy meanwhile.
  const isLong = gap !== undefined && now.getTime() - (gap.from?.getTime() ?? 0) > GAP_MS;
  const from = comingUpSince === undefined || isLong ? now.toISOString() : comingUpSince;
  if (now.getTime() >= Date.parse(from) + timeoutMs)
    return failedVerify({ ...after, comingUpSince: from }, now);
  return from === comingUpSince && isSame(before, { ...after, comingUpSince: from })
    ? before
    : { ...after, comingUpSince: from };
}

/** When it is decided if it goes on as it is; undefined: that is not known. */
export function verifyEndsAt(verify: Verify | undefined, timeoutMs: number): Date | undefined {
  if (!isUndecided(verify)) return undefined;
  const { since, comingUpSince, forMs, ms } = verify;
  if (since !== undefined) return new Date(Date.parse(since) + forMs - ms);
  return comingUpSince === undefined ? undefined : new Date(Date.parse(comingUpSince) + timeoutMs);
}

/**
 * As a soak counts: while it comes up, or cannot be seen, the time stands still. But a time in which nobody looked does not
 * decide: for half of what is wanted, two minutes at most, it has to be seen, be it before that or after.
 */
function countedAfter(
  { ms, since, forMs }: Verify,
  how: VerifySeen['how'],
  now: Date,
  gap: Gap | undefined,
): Pick<Soak, 'ms' | 'since'> {
  const before = { digest: '', ms, ...(since === undefined ? {} : { since }) };
  const seen = { digest: '', health: how === 'Healthy' ? how : ('OutOfSight' as const), now };
  if (gap === undefined) return soakAfter(before, seen) ?? before;
  const after = soakAfter(before, { ...seen, gap }) ?? before;
  // What broke while nobody looked may be up again by now.
  const atMost = forMs - Math.min(GAP_MS, forMs / 2);
  return { ...after, ms: Math.max(seenMs(before, now, gap.from), Math.min(after.ms, atMost)) };
}

function isSame(one: Verify, other: Verify): boolean {
  return one.ms === other.ms && one.since === other.since && one.comingUpSince === other.comingUpSince;
}
