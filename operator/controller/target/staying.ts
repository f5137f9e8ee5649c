/** What an environment stays on, although something newer might enter: what soaks there, or has, for others. */

import { ENTER_MS, staysOn, staysOnSoaked } from '../../promote/choose.ts';
import { earliest } from '../../promote/earliest.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { InStage } from '../../promote/governance.ts';
import { rejectionOf } from '../../promote/rejection.ts';
import { type Counted, healthyMs, type Soak, type SoaksAt, soaksUntil } from '../../promote/soak.ts';
import { staysFor, type WaitsFor } from '../../promote/staying.ts';
import type { TargetRecord, Waiting } from '../record/record.ts';
import type { SpecifiedTarget, Target } from '../record/target.ts';
import { cameTo, waitingBeside } from '../record/waiting.ts';
import type { Run } from './run.ts';
import type { Findings } from './state.ts';
import { healthNow } from './words/facts-of-look.ts';

export type KeptOut = Pick<WaitsFor, 'blockedBy' | 'openedAt'>;

/** Who waits for what runs here. */
interface Waiter {
  readonly record: TargetRecord;
  /** Absent: it is on its way out of the Application. */
  readonly place?: SpecifiedTarget;
  readonly waiting: readonly Waiting[];
  readonly neededMs: number;
}

/**
 * While what runs soaks, and another environment waits for it, nothing newer takes its place; nor when it has, while a clock
 * alone keeps it out there, or it is being begun.
 *
 * @param keptOut what keeps one that waits out of an environment, but for this one; undefined: this one is not asked
 */
export function staysOnWhatSoaks(
  run: Run,
  found: Findings,
  keptOut: (of: Run) => (one: Waiting) => KeptOut | undefined,
): readonly BlockedBy[] {
  const { parts, target, context } = run;
  const { governance, environment } = target;
  const { record } = context;
  const { soak, deployment } = record;
  if (governance.is !== 'InStage' || governance.soakedMs === undefined || soak === undefined) return [];
  if (deployment?.candidate.digest !== soak.digest) return [];
  if (hasRejected(parts, record, soak.digest)) return [];
  const waiters = waitersOf(run, governance);
  const soakedMs = Math.max(0, ...waiters.map(({ neededMs }) => neededMs));
  if (soakedMs === 0) return [];
  const { policy } = governance;
  const now = context.now();
  const at = { live: liveOf(run, found), timeoutMs: target.settings.timeoutMs, now };
  const end = soaksUntil(soak, { ...at, neededMs: soakedMs });
  const soaks = (until: Date | undefined) => [staysOn({ policy, environment, soakedMs, until })];
  // A time that moves with each look would be a write with each look.
  if (end === 'InSight') return soaks(undefined);
  if (end !== undefined && end > now) return soaks(end);
  const stands = end ?? standsOnceMore(soak, soakedMs, at);
  if (stands === undefined) return [];
  const waits = waiters.flatMap((one) => waitsFor(run, one, keptOut));
  const stays = staysFor(waits, { since: end ?? now, timeoutMs: at.timeoutMs, now });
  if (stands === 'InSight') return stays === undefined ? [] : soaks(undefined);
  const least = end && enteredBy(parts.evidence.knows(target) ? end : now);
  const until = stays && (end === undefined ? earliest(stands, stays.until) : stays.until);
  if (stays !== undefined && until !== undefined && (least === undefined || until > least))
    return [staysOnSoaked({ policy, environment, environments: stays.environments, until })];
  return least === undefined || least <= now ? [] : soaks(least);
}

/** Before it was looked at, it is not known how much counts of the time in which nobody looked. */
function enteredBy(soaked: Date): Date {
  return new Date(soaked.getTime() + ENTER_MS);
}

/** Until when what has soaked, and comes up once more, or cannot be seen, is waited for; undefined: it is not. */
function standsOnceMore(
  soak: Soak,
  neededMs: number,
  at: Omit<SoaksAt, 'neededMs'>,
): ReturnType<typeof soaksUntil> {
  const soakedMs = healthyMs(soak, at.now);
  return soakedMs < neededMs ? undefined : soaksUntil(soak, { ...at, neededMs: soakedMs + 1 });
}

function waitersOf({ parts, target, context: { record } }: Run, governance: InStage): readonly Waiter[] {
  const places = parts.specifiedTargets(target.application);
  return parts.store.recordsOf(target.application).flatMap((other): Waiter[] => {
    const waiting = other === record ? [] : waitingWith(other, record);
    if (waiting.length === 0) return [];
    const place = places.find(({ environment }) => environment === other.target.environment);
    const neededMs = neededFor(place, target, governance);
    return [{ record: other, waiting, neededMs, ...(place === undefined ? {} : { place }) }];
  });
}

/** How long it is to be healthy here before it enters there. */
function neededFor(
  place: SpecifiedTarget | undefined,
  { environment }: Target,
  { soakedMs = 0, verify }: InStage,
): number {
  // Of what is not known the longest is asked.
  if (place === undefined || !('governance' in place) || place.governance.is !== 'InStage') return soakedMs;
  const { after, behind } = place.governance;
  const isAsked = after?.environments.includes(environment) === true;
  if (!isAsked && behind !== environment) return 0;
  return Math.max(isAsked ? (after.soakMs ?? 0) : 0, verify?.forMs ?? 0);
}

/** How it stands there. Of one that cannot be placed for now the gates are not known: that is tried again. */
function waitsFor(
  run: Run,
  { record, place, waiting, neededMs }: Waiter,
  keptOut: (of: Run) => (one: Waiting) => KeptOut | undefined,
): readonly WaitsFor[] {
  if (place === undefined || neededMs === 0) return [];
  const { environment, settings, refusal } = place;
  // Nothing begins there before a person asks for it, or corrects something.
  if (settings.suspended !== undefined || settings.mode === 'Manual') return [];
  if (refusal !== undefined && refusal.remedy !== 'Time') return [];
  if (!('governance' in place)) return [{ environment, neededMs, blockedBy: [] }];
  const keptOutOf = keptOut({ ...run, target: place, context: { ...run.context, target: place, record } });
  return waiting.flatMap((one) => {
    const its = keptOutOf(one);
    return its === undefined ? [] : [{ environment, neededMs, ...its }];
  });
}

/** Whether another environment waits with what runs here, or would again if what is on its way there were taken back. */
export function isWaitedFor(others: readonly TargetRecord[], record: TargetRecord): boolean {
  return others.some((other) => waitingWith(other, record).length > 0);
}

function waitingWith(other: TargetRecord, record: TargetRecord): readonly Waiting[] {
  const digest = record.deployment?.candidate.digest;
  return waitingBeside(other).filter(
    (one) =>
      cameTo(record, one.asked) === digest && rejectionOf(other.rejected, one.digest, one.id) === undefined,
  );
}

/** What was said of another target's manifests, whose place it took, it knows by their candidate. */
export function hasRejected({ store }: Run['parts'], record: TargetRecord, digest: string): boolean {
  const inherited = record.inherited === true ? store.candidatesOf(record.target) : [];
  const id = inherited.find((one) => one.digest === digest)?.id;
  return rejectionOf(record.rejected, digest, id) !== undefined;
}

/** How what runs is now: it is noted at the end of a look only, and what is newer may begin before. */
function liveOf(run: Run, found: Findings): Counted | undefined {
  if (found.sight !== 'Seen') return undefined;
  switch (healthNow(run, { found }).state) {
    case 'Healthy':
      return 'Healthy';
    case 'Degraded':
    case 'Missing':
      return 'Broken';
    case 'Unknown':
      return 'OutOfSight';
    default:
      return 'ComingUp';
  }
}
