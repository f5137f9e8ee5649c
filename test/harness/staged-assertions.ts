import assert from 'node:assert/strict';
import { parseDuration } from '../../operator/api/v1alpha1/duration.ts';
import { cameTo, waitingBeside } from '../../operator/controller/record/waiting.ts';
import { cancelledOf } from '../../operator/promote/cancelled.ts';
import type { Governance, InStage } from '../../operator/promote/governance.ts';
import { rejectionOf } from '../../operator/promote/rejection.ts';
import { type Begun, healthOf, StagedModel } from './staged-model.ts';
import { longSoak, OWN_GATES, POLICIES, SEQUENTIAL, VALID_HOURS } from './staged-policies.ts';
import {
  type Commit,
  DAY,
  ENVIRONMENTS,
  type Environment,
  GOOD_EVERYWHERE,
  HOUR,
  MINUTE,
  type StagedYear,
  stagedYear,
  TIMEOUT_MS,
  YEAR,
} from './staged-year.ts';

/** The day and the hour on the clocks of Berlin, by other means than the gate's. */
const BERLIN = new Intl.DateTimeFormat('en', {
  timeZone: 'Europe/Berlin',
  weekday: 'short',
  hour: '2-digit',
  hourCycle: 'h23',
});

function isInWindow(at: number): boolean {
  const parts = BERLIN.formatToParts(at).map(({ type, value }) => [type, value]);
  const { weekday, hour } = Object.fromEntries(parts);
  return ['Mon', 'Tue', 'Wed', 'Thu'].includes(weekday) && Number(hour) >= 9 && Number(hour) < 16;
}

/** What has to be so of whatever enters by the policy, or by a person's Promote. */
function assertMayEnter(begun: Begun, year: StagedYear, all: readonly Begun[]): void {
  const { environment, commit, at, by, governance, before } = begun;
  const who = by === undefined ? '' : ` by ${by.type}`;
  const about = `commit ${commit.number} in ${environment} at ${new Date(at).toISOString()}${who}`;
  if (by?.type === 'Retry') {
    // It has entered before: only a better time is waited for, and that nobody says no.
    const { windows, approvals } = (governance.is === 'InStage' ? governance.gates : undefined) ?? {};
    assert.ok(windows === undefined || isInWindow(at), about);
    if (approvals !== undefined) assertApproved(begun, year, all, about);
    return;
  }
  assert.notEqual(governance.is, 'Contested', about);
  if (by === undefined) assertEntersByItself(begun, year, about);
  const policy = year.policies.findLast((one) => one.at <= at)?.which ?? 0;
  const { soak } = OWN_GATES[policy]?.[environment] ?? {};
  const demandedMs = soak === undefined ? 0 : parseDuration(soak);
  const skips = by?.skipGates ?? [];
  if (governance.is !== 'InStage') {
    assert.ok(by !== undefined || before.governed !== true, `${about}: no policy says so`);
    assert.ok(demandedMs === 0 || skips.includes('soak'), `${about}: no stage before shows that it soaked`);
    return;
  }
  const { after, gates } = governance;
  if (gates?.windows !== undefined && !skips.includes('windows')) assert.ok(isInWindow(at), about);
  if (gates?.approvals !== undefined && !skips.includes('approvals')) assertApproved(begun, year, all, about);
  if (skips.includes('order')) return;
  if (environment === 'us' && SEQUENTIAL.includes(policy)) {
    assertPassed(begun, 'eu', about);
    assertNotRejected(begun, after?.environments ?? [], about);
    // It passed staging as it came to eu, which may have gone on since.
    if (enteredByGates(begun, 'eu', all, demandedMs)) return;
  }
  assert.ok((after?.soakMs ?? 0) >= demandedMs, `${about}: the Environment demands more than is asked for`);
  const soakMs = skips.includes('soak') ? 0 : (after?.soakMs ?? 0);
  for (const one of ENVIRONMENTS.filter((name) => after?.environments.includes(name))) {
    assertPassed(begun, one, about);
    const ms = soakedMs(begun, one, year);
    assert.ok(ms >= soakMs - MINUTE, `${about}: it has soaked in ${one} for ${ms} of ${soakMs} ms`);
  }
}

/**
 * Of each person the newest that was said since it entered last is what counts: nobody says no, and somebody yes who does
 * not ask for it himself. What runs is not asked about again; of what failed there, or was taken back, nobody says no.
 */
function assertApproved(
  { environment, commit, digest, at, by, before }: Begun,
  { said }: StagedYear,
  all: readonly Begun[],
  about: string,
): void {
  const { candidate, outcome } = before.deployment ?? {};
  const isThere = candidate?.digest === digest;
  if (isThere && outcome !== 'Failed' && outcome !== 'Cancelled') return;
  const entered = all.filter(
    (one) => one.environment === environment && one.commit === commit && one.at < at && isSettled(one),
  );
  const since = Math.max(...entered.map((one) => one.at));
  const its = said.filter((one) => one.environment === environment && one.commit === commit.number);
  const newest = new Map(
    its.filter((one) => one.at > since && one.at <= at).map((one) => [one.by, one] as const),
  );
  const counting = [...newest.values()];
  const no = counting.filter(({ decision }) => decision === 'Reject');
  assert.deepEqual(no, [], `${about}: somebody said no`);
  if (isThere) return;
  const yes = counting.filter((one) => one.by !== by?.by && at < one.at + VALID_HOURS * HOUR);
  assert.ok(yes.length > 0, `${about}: nobody said yes`);
}

/** Whether by its entry all was settled that had been said of it. */
function isSettled({ isBack, governance, before, digest }: Begun): boolean {
  if (isBack || governance.is !== 'InStage' || governance.gates?.approvals === undefined) return false;
  return before.deployment?.candidate.digest !== digest;
}

/** How it had come to another environment: by what the stage before is asked, and past nothing of that. */
function enteredByGates(
  begun: Begun,
  environment: Environment,
  all: readonly Begun[],
  demandedMs: number,
): boolean {
  const { commit } = begun;
  // That one may go on at the same moment.
  const its = all.slice(0, all.indexOf(begun)).filter((one) => one.environment === environment);
  const entry = its.findLast(({ by }) => by?.type !== 'Retry');
  if (entry === undefined || entry.isBack || entry.commit !== commit) return false;
  const skips = entry.by?.skipGates ?? [];
  const { governance } = entry;
  if (governance.is !== 'InStage' || governance.after === undefined) return false;
  if ((governance.after.soakMs ?? 0) < demandedMs) return false;
  return !skips.includes('order') && !skips.includes('soak');
}

function assertNotRejected({ commit, records }: Begun, environments: readonly string[], about: string): void {
  for (const [environment, record] of records) {
    if (!environments.includes(environment)) continue;
    const digest = cameTo(record, `asked ${commit.number}`);
    const rejection = digest === undefined ? undefined : rejectionOf(record.rejected, digest);
    assert.equal(rejection, undefined, `${about}: ${environment} rejected it`);
  }
}

/** Nobody asked for it. */
function assertEntersByItself(
  { environment, commit, digest, at, governance, governances, before, records }: Begun,
  year: StagedYear,
  about: string,
): void {
  assert.equal(before.hold, undefined, `${about}: a person holds it`);
  assert.equal(rejectionOf(before.rejected, digest), undefined, `${about}: it was rejected`);
  assert.equal(cancelledOf(before.cancelled, digest), undefined, `${about}: it was taken back`);
  const runs = before.deployment;
  if (runs === undefined) return;
  const number = Number(runs.candidate.revision);
  assert.ok(commit.number > number, `${about}: it goes back from ${number}`);
  // What soaks here for another one is not driven out by what is newer.
  if (governance.is !== 'InStage' || runs.outcome !== 'Succeeded' || runs.verify?.outcome === 'Failed')
    return;
  if (before.soak === undefined) return;
  const { since, ms } = before.soak;
  const soaked = ms + (since === undefined ? 0 : at - Date.parse(since));
  if (isBrokenOrStuck(year.commits[number], environment, Date.parse(runs.startedAt), at)) return;
  const asked = `asked ${number}`;
  if (before.asks?.some((one) => one.asked === asked) !== true) return;
  const waits = [...records].filter(
    ([one, record]) =>
      one !== environment &&
      soaked < askedOf(environment, governances.get(one), governance) &&
      waitingBeside(record).some(
        (its) => its.asked === asked && rejectionOf(record.rejected, its.digest) === undefined,
      ),
  );
  assert.equal(waits.length, 0, `${about}: ${waits[0]?.[0]} waited for what soaked there`);
}

/** How long something is to be healthy in an environment before another one gets it. */
function askedOf(environment: Environment, other: Governance | undefined, { verify }: InStage): number {
  if (other?.is !== 'InStage') return 0;
  const { after, behind } = other;
  const isAsked = after?.environments.includes(environment) === true;
  if (!isAsked && behind !== environment) return 0;
  return Math.max(isAsked ? (after.soakMs ?? 0) : 0, verify?.forMs ?? 0);
}

/** What only comes up once more is waited for, for as long as that may take. */
function isBrokenOrStuck(commit: Commit | undefined, environment: Environment, since: number, at: number) {
  if (commit === undefined) return false;
  const { takes, breaksAfter } = commit.fates[environment];
  const health = healthOf(commit, environment, since, at);
  return (
    health === 'Degraded' || (health === 'Progressing' && at >= since + takes + breaksAfter + TIMEOUT_MS)
  );
}

/** It runs there, is through with what its policy wanted of it, and healthy. */
function assertPassed({ commit, at, records }: Begun, environment: Environment, about: string): void {
  const deployment = records.get(environment)?.deployment;
  const there = `${about}: ${environment}`;
  assert.equal(deployment?.candidate.revision, String(commit.number), `${there} runs another one`);
  assert.equal(deployment.outcome, 'Succeeded', `${there} has not got it to the end`);
  assert.ok(
    deployment.verify === undefined || deployment.verify.outcome === 'Passed',
    `${there} verifies it`,
  );
  const since = Date.parse(deployment.startedAt);
  assert.equal(healthOf(commit, environment, since, at), 'Healthy', `${there} is not healthy`);
}

/** For how long it was healthy there since it broke last, and somebody saw that; of a time in which nobody looked two minutes count. */
function soakedMs({ commit, at, records }: Begun, environment: Environment, { away }: StagedYear): number {
  const since = Date.parse(records.get(environment)?.deployment?.startedAt ?? '');
  let ms = 0;
  let wasAway = false;
  for (let then = at; then > since; then -= MINUTE) {
    const isAway = away.some(({ from, until }) => from <= then && then < until);
    const health = isAway ? 'Healthy' : healthOf(commit, environment, since, then);
    if (health === 'Degraded') return ms;
    if (health === 'Healthy' && (!isAway || !wasAway)) ms += isAway ? 2 * MINUTE : MINUTE;
    wasAway = isAway;
  }
  return ms;
}

/** A year of a tree of stages, with rollbacks, cancels and edited policies: what has to be so of each. */
export async function assertYear(seed: number): Promise<void> {
  const year = stagedYear(seed, POLICIES.length);
  const model = new StagedModel(year);
  await model.run(YEAR.from, YEAR.until);
  for (const begun of model.begun) if (!begun.isBack) assertMayEnter(begun, year, model.begun);
  for (const environment of ENVIRONMENTS) {
    const entered = model.begun.filter((one) => one.environment === environment && !one.isBack);
    assert.ok(entered.length > 20, `${entered.length} of a year's commits reached ${environment}`);
  }
  const isReached = (number: number) =>
    model.begun.some((one) => one.environment === 'partner' && one.commit.number === number);
  const rejected = year.said.filter(({ decision, commit }) => decision === 'Reject' && !isReached(commit));
  assert.ok(rejected.length > 10, `${rejected.length} that somebody rejected never entered`);
  const ends = new Set(model.ended.values());
  for (const end of ['Succeeded', 'Failed', 'Superseded', 'Cancelled'] as const)
    assert.ok(ends.has(end), `what a person asked for ends ${end} some time`);
  assert.ok(model.looks < 60_000, `${model.looks} looks: nothing is polled`);
  // All let go, and a commit that is good everywhere.
  for (const [environment, { hold }] of model.records) {
    const letsGo = { type: 'Resume', by: 'anna', promotion: `let-go-${environment}` } as const;
    if (hold !== undefined) model.ask(environment, { ...letsGo, about: hold.promotion });
  }
  const last = model.push({ at: YEAR.until, fates: GOOD_EVERYWHERE });
  const carl = { environment: 'partner', by: 'carl', decision: 'Approve' } as const;
  model.say({ ...carl, at: YEAR.until, commit: last.number });
  await model.run(YEAR.until, YEAR.until + 8 * DAY);
  for (const [environment, { deployment }] of model.records)
    assert.equal(deployment?.candidate.revision, String(last.number), `${environment} got stuck`);
}

/** Looked at every hour besides, nothing enters that did not, nor at another time, and nobody is told anything else. */
export async function assertWoken(seed: number, until: number): Promise<void> {
  const year = stagedYear(seed, POLICIES.length);
  const [woken, polled] = [new StagedModel(year), new StagedModel(year, HOUR)];
  await woken.run(YEAR.from, until);
  await polled.run(YEAR.from, until);
  assert.ok(woken.begun.length > 100, `${woken.begun.length} deployments`);
  assert.deepEqual(told(woken), told(polled));
}

function told({ begun, ended }: StagedModel) {
  const deployments = begun.map(({ environment, commit, at, isBack, by }) => {
    const how = `${isBack ? 'back ' : ''}${by?.promotion ?? ''}`;
    return `${new Date(at).toISOString()} ${environment} ${commit.number} ${how}`;
  });
  return { deployments, ended: [...ended] };
}

/** Staging breaks while no policy is there, and is well again before there is one: what waits has not soaked meanwhile. */
export async function assertSoaksUnasked(): Promise<void> {
  // A Monday, in the window.
  const from = Date.parse('2026-01-05T08:30:00Z');
  const breaks = { ...GOOD_EVERYWHERE.staging, breaksAfter: 15 * MINUTE, wellAfter: 10 * MINUTE };
  const year: StagedYear = {
    commits: [{ number: 0, at: from, fates: { ...GOOD_EVERYWHERE, staging: breaks } }],
    doings: [],
    said: [],
    policies: [
      { at: from, which: 0 },
      { at: from + 12 * MINUTE, which: POLICIES.findIndex(({ length }) => length === 0) },
      { at: from + 28 * MINUTE, which: 0 },
    ],
    away: [],
  };
  const model = new StagedModel(year, MINUTE);
  await model.run(from, from + 3 * HOUR);
  for (const begun of model.begun) assertMayEnter(begun, year, model.begun);
  const eu = model.begun.find(({ environment }) => environment === 'eu');
  assert.ok(eu !== undefined && eu.at >= from + 86 * MINUTE, 'an hour from when it was well again');
}

/** Whenever something has soaked, something newer waits to take its place, and the window is shut more often than not. */
export async function assertMovesWeekly(soak: Parameters<typeof longSoak>[0]): Promise<void> {
  // A Monday, after the window.
  const from = Date.parse('2026-01-05T17:00:00Z');
  const weeks = 4;
  // The other environment of the first stage is through later each time.
  const fates = { ...GOOD_EVERYWHERE, partner: { ...GOOD_EVERYWHERE.partner, takes: 7 * MINUTE } };
  const commits = Array.from({ length: weeks * 7 * 24 }, (_, number) => ({
    number,
    at: from + number * HOUR,
    fates,
  }));
  const policies = [{ at: from, which: 0 }];
  const year: StagedYear = { commits, doings: [], said: [], policies, away: [] };
  const model = new StagedModel(year, Number.POSITIVE_INFINITY, [longSoak(soak)]);
  await model.run(from, from + weeks * 7 * DAY);
  for (const begun of model.begun) assertMayEnter(begun, year, model.begun);
  const least = soak === '48h' ? 1 : 3;
  // What is there first is there at once, and the first week is not a whole one.
  for (const environment of ['eu', 'us'])
    for (let week = 1; week < weeks; week += 1) {
      const begin = from + week * 7 * DAY;
      const entered = model.begun.filter(
        (one) => one.environment === environment && one.at >= begin && one.at < begin + 7 * DAY,
      );
      const told = entered.map(({ at }) => new Date(at).toISOString()).join(', ');
      assert.ok(entered.length >= least, `${soak}: week ${week} in ${environment}: ${told}`);
    }
}
