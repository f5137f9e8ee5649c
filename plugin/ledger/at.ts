import type { LedgerEntry } from '../../operator/api/v1alpha1/ledger.ts';
import { isFinished, type PromotionPhase } from '../../operator/api/v1alpha1/promotion.ts';

/** What began, as the ledger has it; or as a status alone tells, where it could not be written down. */
export type Began = LedgerEntry & { readonly isUnrecorded?: true };

/** Whole: the archive could be read, and has lost nothing of its oldest. */
export type Reach = 'Whole' | 'Partial';

/** What the ledger knows of a namespace. */
export interface Ledger {
  readonly entries: readonly LedgerEntry[];
  /** What a status tells of beside that. */
  readonly unrecorded: readonly Began[];
  readonly reach: Reach;
  /** Whether it is known that a target (`<application>/<environment>`) is not there any more. */
  isGone(target: string): boolean;
}

/** What ran in a target at a moment. */
export type RanAt =
  | { readonly is: 'Recorded'; readonly entry: LedgerEntry; readonly phase: PromotionPhase }
  /** The Application, or its environment, was deleted, and with it what ran. */
  | { readonly is: 'Removed'; readonly entry: LedgerEntry }
  /** Nothing was deployed there by then. */
  | { readonly is: 'Nothing' }
  /** What is known does not reach so far, or has a gap there. */
  | { readonly is: 'NotRecorded' };

/** `<application>/<environment>` */
export function targetOf({ application, environment }: LedgerEntry): string {
  return `${application}/${environment}`;
}

/** What began in each target, in the order in which it did; of what is gone with an end that nobody knows, where none is recorded. */
export function beganIn({ entries, unrecorded, isGone }: Ledger): Map<string, Began[]> {
  const byTarget = deploymentsByTarget([...entries, ...unrecorded]);
  for (const [target, deployments] of byTarget) {
    const last = deployments.at(-1);
    if (last !== undefined && !isRemoval(last) && isGone(target)) deployments.push(lostEndOf(last));
  }
  return byTarget;
}

/** What came after it is lost, its removal at the least: until its own end it is known. */
function lostEndOf({ application, environment, startedAt = '', finishedAt = startedAt }: Began): Began {
  return {
    uid: `${application}/${environment}/removal`,
    promotion: '',
    application,
    environment,
    type: 'Remove',
    phase: 'Succeeded',
    by: '',
    requestedAt: finishedAt,
    startedAt: finishedAt,
    isUnrecorded: true,
  };
}

/** Deployments by target, each in the order in which they began: never of their names, which people choose (A19). */
export function deploymentsByTarget(entries: readonly Began[]): Map<string, Began[]> {
  const deployments = entries
    .filter((one) => (one.deployment !== undefined || isRemoval(one)) && one.startedAt !== undefined)
    .sort(inTime);
  const byTarget = grouped(deployments, targetOf);
  for (const [target, its] of byTarget)
    byTarget.set(
      target,
      its.filter((entry, index) => !isSame(entry, its[index - 1])),
    );
  return byTarget;
}

/**
 * Of the same target, and one after the other. One that was restored from a backup has another uid, and is the same all
 * the same; a removal that was killed is written down once more by who goes on with it.
 */
function isSame(entry: LedgerEntry, before: LedgerEntry | undefined): boolean {
  if (before === undefined) return false;
  if (isRemoval(entry) && isRemoval(before)) return true;
  return entry.deployment === before.deployment && startOf(entry) === startOf(before);
}

/** Node 20 has no Map.groupBy. */
function grouped<Entry extends LedgerEntry>(
  entries: readonly Entry[],
  by: (entry: Entry) => string,
): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const its = groups.get(by(entry));
    if (its === undefined) groups.set(by(entry), [entry]);
    else its.push(entry);
  }
  return groups;
}

function inTime(one: LedgerEntry, other: LedgerEntry): number {
  if (startOf(one) !== startOf(other)) return startOf(one) - startOf(other);
  if (targetOf(one) !== targetOf(other)) return targetOf(one) < targetOf(other) ? -1 : 1;
  return (one.deployment ?? 0) - (other.deployment ?? 0);
}

function startOf({ startedAt = '' }: LedgerEntry): number {
  return Date.parse(startedAt);
}

/**
 * What of a target's deployments, in the order in which they began, ran at that moment: the last that had begun by then,
 * and how far it was. Where one between it and the next is not known, it is known until its own end alone.
 *
 * @param reach Whole: nothing before the first of them is missing
 */
export function ranAt(deployments: readonly Began[], at: Date, reach: Reach): RanAt {
  const time = at.getTime();
  const index = deployments.findLastIndex((one) => startOf(one) <= time);
  const [entry, next] = [deployments[index], deployments[index + 1]];
  if (entry === undefined)
    return { is: reach === 'Whole' && next?.deployment === 1 ? 'Nothing' : 'NotRecorded' };
  if (entry.isUnrecorded === true) return { is: 'NotRecorded' };
  if (isRemoval(entry)) {
    const isKnown = next === undefined || followsRemoval(next, deployments[index - 1]);
    return isKnown ? { is: 'Removed', entry } : { is: 'NotRecorded' };
  }
  const hasEnded = entry.finishedAt !== undefined && Date.parse(entry.finishedAt) <= time;
  if (hasEnded && next !== undefined && !follows(next, entry)) return { is: 'NotRecorded' };
  return { is: 'Recorded', entry, phase: phaseAt(entry, time) };
}

function isRemoval({ type }: LedgerEntry): boolean {
  return type === 'Remove';
}

/**
 * Whether no deployment is missing between them. Each Application that has the name counts from 1; but one that was
 * restored, which has another uid, goes on with its records, and what ran before is what is known to have run.
 */
function follows(next: LedgerEntry, entry: LedgerEntry): boolean {
  // An older operator did not say.
  if (isRemoval(next)) return next.last === undefined || next.last === entry.deployment;
  const isNext = next.deployment === (entry.deployment ?? 0) + 1;
  if (isOfOneApplication(next, entry)) return isNext;
  const before = next.previous?.digest;
  return next.deployment === 1 || (isNext && before !== undefined && before === entry.digest);
}

/** The same after a removal: what came back counts from 1, or goes on where the Application stayed. */
function followsRemoval(next: LedgerEntry, before: LedgerEntry | undefined): boolean {
  return isRemoval(next) || next.deployment === 1 || (before !== undefined && follows(next, before));
}

function isOfOneApplication(one: LedgerEntry, other: LedgerEntry): boolean {
  const [uid, otherUID] = [one.applicationUID, other.applicationUID];
  return uid === undefined || otherUID === undefined || uid === otherUID;
}

function phaseAt({ phase, deployedAt, finishedAt }: LedgerEntry, time: number): PromotionPhase {
  const hasEnded = isFinished(phase) && finishedAt !== undefined && Date.parse(finishedAt) <= time;
  if (hasEnded) return phase;
  const isDeployed = deployedAt !== undefined && Date.parse(deployedAt) <= time;
  return isDeployed ? 'Verifying' : 'Deploying';
}

/** Each change of what ran between two moments, and what ran at the first of them. */
export function ranBetween(
  deployments: readonly Began[],
  { from, until }: { from: Date; until: Date },
  reach: Reach,
): { at: Date; ran: RanAt }[] {
  const times = deployments
    .flatMap(({ startedAt, deployedAt, finishedAt }) => [startedAt, deployedAt, finishedAt])
    .flatMap((time) => (time === undefined ? [] : Date.parse(time)))
    .filter((time) => time > from.getTime() && time <= until.getTime());
  const moments = [from.getTime(), ...new Set(times.sort((one, other) => one - other))];
  return moments.map((time) => ({ at: new Date(time), ran: ranAt(deployments, new Date(time), reach) }));
}

/**
 * Whether all is known that began in a target in a time; without one: from its first deployment on.
 *
 * @param deployments of the target, in the order in which they began
 */
export function isAllKnown(
  deployments: readonly Began[],
  times: { readonly from: Date; readonly until: Date } | undefined,
  reach: Reach,
): boolean {
  const [from, until] = [times?.from.getTime() ?? Number.NEGATIVE_INFINITY, times?.until.getTime()];
  const isOver = (one: Began) => until !== undefined && startOf(one) > until;
  // What ran when the time began: nothing is missing before it.
  const begin = deployments.findLastIndex((one) => startOf(one) <= from);
  const isFromFirst = reach === 'Whole' && (deployments.length === 0 || deployments[0]?.deployment === 1);
  if (begin === -1 && !isFromFirst) return false;
  if (isLostEnd(deployments[begin])) return false;
  if (deployments.slice(begin + 1).some((one) => one.isUnrecorded === true && !isOver(one))) return false;
  return deployments.every((next, index) => {
    const entry = deployments[index - 1];
    // Between these two nothing of that time can have begun.
    if (entry === undefined || index <= begin || isOver(entry)) return true;
    return isRemoval(entry) ? followsRemoval(next, deployments[index - 2]) : follows(next, entry);
  });
}

function isLostEnd(one: Began | undefined): boolean {
  return one !== undefined && one.isUnrecorded === true && isRemoval(one);
}

/** Deployments of an environment, and how many of them failed. */
export interface Rate {
  readonly environment: string;
  readonly deployments: number;
  readonly failed: number;
  /** Of those that ended as succeeded, failed or rolled back; what was superseded or cancelled says nothing (A5). */
  readonly failureRate: number | undefined;
}

/** @param its records of that environment */
export function rateOf(environment: string, its: readonly LedgerEntry[]): Rate {
  const deployments = its.filter(({ deployment }) => deployment !== undefined);
  const of = (...phases: readonly PromotionPhase[]) =>
    deployments.filter(({ phase }) => phases.includes(phase)).length;
  const failed = of('Failed', 'RolledBack');
  const judged = failed + of('Succeeded');
  return {
    environment,
    deployments: deployments.length,
    failed,
    failureRate: judged === 0 ? undefined : failed / judged,
  };
}
