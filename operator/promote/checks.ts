/** Checks: Jobs that have to succeed in an environment for the manifests that run there. When which is run, and what it came to. Pure. */

import type { CheckSpec } from '../api/v1alpha1/checks.ts';
import { backoffMs } from '../retry/backoff.ts';
import { earliest } from './earliest.ts';

/** What of a check tells how its runs stand. */
export interface CheckRule {
  readonly name: string;
  /** Digest of what it runs, in hex: with another template it is another check. */
  readonly template: string;
  /** How long one run may take. */
  readonly deadlineMs: number;
  /** How old a result may be when something enters by it. */
  readonly validForMs?: number;
  /** The Environment that demands it itself; absent: a policy does. */
  readonly environment?: string;
}

/** A check as a policy or an Environment has it. */
export interface Check extends CheckRule {
  readonly job: CheckSpec['job'];
}

/** The last run of a check for the manifests that run. Kept in the target's record. */
export interface CheckRun {
  readonly check: string;
  readonly template: string;
  /** Counts the runs of the check for these manifests, from 1. */
  readonly run: number;
  /** RFC 3339, by the clock at home, as the next. */
  readonly startedAt: string;
  /** Absent: it has not ended. */
  readonly ended?: CheckEnd;
  /** In a row could not run before it. */
  readonly tries?: number;
}

export interface CheckEnd {
  readonly outcome: CheckOutcome;
  readonly at: string;
  /** What to know of it, as a sentence goes on: `exit code 1 (Error)`. */
  readonly why?: string;
}

/** `CouldNotRun`: nobody knows what it would have come to. */
export const CHECK_OUTCOMES = ['Passed', 'Failed', 'CouldNotRun'] as const;
export type CheckOutcome = (typeof CHECK_OUTCOMES)[number];

/** What ran for manifests. */
export interface Checks {
  /** Of the manifests. */
  readonly digest: string;
  readonly runs: readonly CheckRun[];
  /** Key of the sync request for which those that did not pass were run again. */
  readonly request?: string;
}

/** How a check stands for the manifests that run. */
export type CheckStanding =
  | { readonly is: 'Passed' }
  /** It passed longer ago than it counts. */
  | { readonly is: 'Expired'; readonly at: string }
  | { readonly is: 'Failed'; readonly why: string; readonly run: CheckRun }
  /** `again`: when it is tried again; undefined: it was tried often enough. */
  | { readonly is: 'CouldNotRun'; readonly why: string; readonly again: Date | undefined }
  | { readonly is: 'Runs'; readonly until: Date }
  | { readonly is: 'NotRun' };

/** One that could not run is tried so often in all. */
export const MOST_TRIES = 4;
const AGAIN = { firstMs: 15_000, longestMs: 300_000 };

/** Each once, where several lists have the same ones: a result counts for no longer than each of them lets it. */
export function together(...lists: readonly (readonly Check[])[]): readonly Check[] {
  const all = new Map<string, Check>();
  for (const check of lists.flat()) {
    const key = `${check.name} ${check.template}`;
    const before = all.get(key);
    all.set(key, before === undefined || isStricter(check, before) ? check : before);
  }
  return [...all.values()];
}

function isStricter({ validForMs = Number.POSITIVE_INFINITY }: Check, before: Check): boolean {
  return validForMs < (before.validForMs ?? Number.POSITIVE_INFINITY);
}

/** As sentences name it: those of a policy and of an Environment may be called alike. */
export function shownCheck({ name, environment }: Pick<Check, 'name' | 'environment'>): string {
  return environment === undefined ? name : `${name} of Environment ${environment}`;
}

/** The last run of a check; undefined: it was never run with this template. */
export function runOf(
  runs: readonly CheckRun[],
  { name, template }: Pick<Check, 'name' | 'template'>,
): CheckRun | undefined {
  return runs.find((one) => one.check === name && one.template === template);
}

/** How a check stands for manifests, by what is known of those that run. */
export function standingOf(
  check: CheckRule,
  digest: string,
  checks: Checks | undefined,
  now: Date,
): CheckStanding {
  const run = checks?.digest === digest ? runOf(checks.runs, check) : undefined;
  if (run === undefined) return { is: 'NotRun' };
  const { ended } = run;
  if (ended === undefined) return { is: 'Runs', until: deadlineOf(check, run) };
  switch (ended.outcome) {
    case 'Passed':
      return isExpired(check, ended, now) ? { is: 'Expired', at: ended.at } : { is: 'Passed' };
    case 'Failed':
      return { is: 'Failed', why: ended.why ?? 'it failed', run };
    case 'CouldNotRun':
      return { is: 'CouldNotRun', why: ended.why ?? 'nobody knows why', again: againAt(run) };
  }
}

/** The longest that a check may take, and by which Kubernetes has ended its Job where no operator does. */
const LONGEST_MS = 86_700_000;

/**
 * Where no one policy has it in a stage, whatever became of that: what was begun goes on to its end, and is kept, so that
 * what is verified fails by it, and a policy that comes back finds it. Nothing new is begun by these.
 */
export function begunFor(digest: string, checks: Checks | undefined): readonly CheckRule[] {
  if (checks?.digest !== digest) return [];
  return checks.runs.map(({ check, template }) => ({ name: check, template, deadlineMs: LONGEST_MS }));
}

/** By when a run has to have ended. */
export function deadlineOf({ deadlineMs }: Pick<Check, 'deadlineMs'>, { startedAt }: CheckRun): Date {
  return new Date(Date.parse(startedAt) + deadlineMs);
}

/** When what could not run is tried again; undefined: never by itself, or there is no reason to. */
export function againAt({ ended, tries = 0 }: CheckRun): Date | undefined {
  if (ended?.outcome !== 'CouldNotRun' || tries + 1 >= MOST_TRIES) return undefined;
  return new Date(Date.parse(ended.at) + backoffMs({ ...AGAIN, failures: tries + 1, jitter: 'None' }));
}

function isExpired({ validForMs }: CheckRule, { at }: CheckEnd, now: Date): boolean {
  return validForMs !== undefined && now.getTime() - Date.parse(at) > validForMs;
}

export interface CheckSituation {
  /** Those that are to be run here. */
  readonly wanted: readonly CheckRule[];
  /** Names of those whose end is still asked for, also where no policy has them any more. */
  readonly kept?: readonly string[];
  /** Of the manifests that run, or are on their way. */
  readonly digest: string;
  readonly now: Date;
  /** Whether the manifests run there, deployed to the end, Synced and Healthy: before, nothing is begun. */
  readonly isHealthy: boolean;
  /** Key of the sync request by which a person asks for what did not pass; undefined: nobody does. */
  readonly request: string | undefined;
  /** Whether somebody waits for what a check says: what nobody asks is not run for each edit of a policy. */
  isWaitedFor(check: CheckRule): boolean;
  /** Something would enter by results that are too old by now. */
  readonly isAwaited: boolean;
}

/** What a run came to, by its check, template and number. */
export type CheckEnds = ReadonlyMap<CheckRun, CheckEnd>;

/**
 * What is known after a look at what runs, runs to begin among it; the very same where nothing is to be written. What was
 * known of other manifests, or of a check that nobody wants any more, is not kept.
 */
export function checksAfter(
  before: Checks | undefined,
  ends: CheckEnds,
  situation: CheckSituation,
): Checks | undefined {
  const { wanted, kept = [], digest, request } = situation;
  const known = before?.digest === digest ? before : undefined;
  const isAskedAgain = request !== undefined && known !== undefined && known.request !== request;
  const begun = wanted.flatMap((check) => {
    const last = known && runOf(known.runs, check);
    const end = last && ends.get(last);
    const now = last === undefined || end === undefined ? last : { ...last, ended: end };
    const asked = { ...situation, isAskedAgain, isWaitedFor: situation.isWaitedFor(check) };
    return runToBegin(check, now, asked) ?? now ?? [];
  });
  const left = (known?.runs ?? []).filter(
    ({ check, ended }) =>
      ended !== undefined && kept.includes(check) && !wanted.some(({ name }) => name === check),
  );
  const runs = [...begun, ...left];
  if (runs.length === 0) return undefined;
  const handled = isAskedAgain ? request : known?.request;
  const after = { digest, runs, ...(handled === undefined ? {} : { request: handled }) };
  return before !== undefined && isSame(before, after) ? before : after;
}

function isSame(one: Checks, other: Checks): boolean {
  if (one.digest !== other.digest || one.request !== other.request) return false;
  return one.runs.length === other.runs.length && one.runs.every((run, index) => run === other.runs[index]);
}

/** The run to begin of a check, if one is to be begun now. */
function runToBegin(
  check: CheckRule,
  last: CheckRun | undefined,
  {
    now,
    isHealthy,
    isAskedAgain,
    isWaitedFor,
    isAwaited,
  }: Pick<CheckSituation, 'now' | 'isHealthy' | 'isAwaited'> &
    Readonly<Record<'isAskedAgain' | 'isWaitedFor', boolean>>,
): CheckRun | undefined {
  if (!isHealthy || !(isWaitedFor || isAskedAgain)) return undefined;
  const begun = { check: check.name, template: check.template, startedAt: now.toISOString() };
  if (last === undefined) return { ...begun, run: 1 };
  const { ended, run, tries = 0 } = last;
  if (ended === undefined) return undefined;
  const next = { ...begun, run: run + 1 };
  if (ended.outcome === 'Passed') return isAwaited && isExpired(check, ended, now) ? next : undefined;
  if (isAskedAgain) return next;
  const again = againAt(last);
  return again !== undefined && again <= now ? { ...next, tries: tries + 1 } : undefined;
}

/**
 * What the checks of these names say together of the manifests that run: one that failed decides, and one that could not
 * run says nothing. @param had as the policy has them now: of one that it has no more, what it came to counts
 */
export function verdictOf(
  names: readonly string[],
  had: readonly Check[],
  digest: string,
  checks: Checks | undefined,
): { readonly is: 'Passed' | 'Unfinished' } | { readonly is: 'Failed'; readonly why: string } {
  const runs = names.map((name) => runNamed(name, had, digest, checks));
  const failed = runs.find((run) => run?.ended?.outcome === 'Failed');
  if (failed !== undefined)
    return { is: 'Failed', why: `Check ${failed.check} failed: ${failed.ended?.why ?? 'it failed'}.` };
  return { is: runs.every((run) => run?.ended?.outcome === 'Passed') ? 'Passed' : 'Unfinished' };
}

/** Those of these names that nobody can run any more, as no policy has them, and that came to nothing, nor will. */
export function lostOf(
  names: readonly string[],
  had: readonly Check[],
  digest: string,
  checks: Checks | undefined,
): readonly string[] {
  return withoutPolicy(names, had).filter((name) => {
    const run = runNamed(name, had, digest, checks);
    return run === undefined || run.ended?.outcome === 'CouldNotRun';
  });
}

/** Those of these names that no policy has any more, and that run to their end all the same. */
export function runningOn(
  names: readonly string[],
  had: readonly Check[],
  digest: string,
  checks: Checks | undefined,
): readonly string[] {
  return withoutPolicy(names, had).filter((name) => {
    const run = runNamed(name, had, digest, checks);
    return run !== undefined && run.ended === undefined;
  });
}

function withoutPolicy(names: readonly string[], had: readonly Check[]): readonly string[] {
  return names.filter((name) => !had.some((check) => check.name === name));
}

/** As a sentence has them. */
export function shownChecks(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `${names.length === 1 ? 'check' : 'checks'} ${names.slice(0, 3).join(', ')}${more}`;
}

function runNamed(
  name: string,
  had: readonly Check[],
  digest: string,
  checks: Checks | undefined,
): CheckRun | undefined {
  if (checks?.digest !== digest) return undefined;
  const check = had.find((one) => one.name === name);
  if (check !== undefined) return runOf(checks.runs, check);
  const its = checks.runs.filter((one) => one.check === name);
  return its.find(({ ended }) => ended !== undefined) ?? its[0];
}

/** Whether a check is under way, or is tried again by itself: what waits for its end does not wait for ever. */
export function isUnfinished(run: CheckRun): boolean {
  return run.ended === undefined || againAt(run) !== undefined;
}

/**
 * When something is to be done of what runs by itself: an end that is due, or another try. What is due already waits for
 * more than time.
 */
export function nextCheck(
  wanted: readonly CheckRule[],
  checks: Checks | undefined,
  now: Date,
): Date | undefined {
  const times = wanted.flatMap((check) => {
    const run = checks && runOf(checks.runs, check);
    if (run === undefined) return [];
    return (run.ended === undefined ? deadlineOf(check, run) : againAt(run)) ?? [];
  });
  return earliest(...times.filter((time) => time > now));
}
