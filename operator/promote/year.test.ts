import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../manifest/digest.ts';
import {
  type Check,
  type CheckEnd,
  type CheckOutcome,
  type CheckRun,
  type Checks,
  checksAfter,
  nextCheck,
  standingOf,
} from './checks.ts';
import { type Candidate, choose, type Evidence } from './choose.ts';
import { changesAt, decide } from './decide.ts';
import type { Decision, Entry, Opening } from './gate.ts';
import { heldBy } from './gates/freeze.ts';
import { openingAt } from './gates/window.ts';
import type { Governance } from './governance.ts';
import { type Counted, healthyMs, type Soak, soakAfter, soaksUntil } from './soak.ts';

/** A year of one Application in staging and prod: commits, approvals, what breaks, what is out of sight, operators that are away. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = { from: Date.parse('2026-01-01T00:00:00Z'), until: Date.parse('2027-01-01T00:00:00Z') };
const SOAK_MS = 30 * MINUTE;
/** So long it may take to come up once more. */
const TIMEOUT_MS = 5 * MINUTE;
const FRESH_MS = 12 * HOUR;
const WINDOWS = [
  {
    days: ['Mon' as const, 'Tue' as const, 'Wed' as const, 'Thu' as const],
    from: '09:00',
    until: '16:00',
    timeZone: 'Europe/Berlin',
  },
];
const FREEZES = [{ from: '2026-12-20T00:00:00Z', until: '2026-12-28T06:00:00Z', reason: 'year end' }];
const SMOKE: Check = {
  name: 'smoke',
  template: 'a'.repeat(64),
  deadlineMs: 10 * MINUTE,
  validForMs: FRESH_MS,
  job: { spec: { template: {}, backoffLimit: 0, activeDeadlineSeconds: 600 } },
};
const STAGE: Governance = {
  is: 'InStage',
  policy: 'standard',
  stage: 'prod',
  after: { stage: 'staging', environments: ['staging'], soakMs: SOAK_MS, checks: [SMOKE] },
  isFollowed: false,
};
const ENFORCED = { is: 'Enforced', since: new Date(0) } as const;

/** The same year each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A commit, and what becomes of it in staging. */
interface Version {
  readonly number: number;
  readonly digest: string;
  readonly at: number;
  /** So long after it is deployed; infinite: never. */
  readonly healthyAfter: number;
  readonly brokenAfter: number;
  readonly checked: CheckOutcome;
  readonly checkTakes: number;
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/** What happens from outside. */
interface Year {
  readonly versions: readonly Version[];
  /** Staging cannot be seen. */
  readonly unseen: readonly Span[];
  /** Somebody has changed what runs in staging, which is healthy all the same. */
  readonly changed: readonly Span[];
  /** No operator looks. */
  readonly away: readonly Span[];
  /** When somebody approves what waits. */
  readonly approvals: readonly number[];
}

function yearOf(seed: number): Year {
  const random = chance(seed);
  const times = (perDay: number) => {
    const all: number[] = [];
    for (let at = YEAR.from; at < YEAR.until; at += (2 * DAY * random()) / perDay) all.push(Math.floor(at));
    return all;
  };
  const spans = (perDay: number, longest: number): Span[] =>
    times(perDay).map((from) => ({ from, until: from + Math.floor(longest * random()) }));
  const versions = times(4).map((at, number) => ({
    number,
    digest: digestOf(String(number)),
    at,
    healthyAfter: random() < 0.1 ? Number.POSITIVE_INFINITY : Math.floor(10 * MINUTE * random()),
    brokenAfter: random() < 0.1 ? Math.floor(2 * HOUR * random()) : Number.POSITIVE_INFINITY,
    checked: pick(random(), ['Passed', 'Passed', 'Passed', 'Passed', 'Failed', 'CouldNotRun'] as const),
    checkTakes: Math.floor(12 * MINUTE * random()),
  }));
  const others = { unseen: spans(0.5, HOUR), away: spans(0.2, 3 * HOUR), approvals: times(6) };
  return { versions, ...others, changed: spans(0.3, 2 * DAY) };
}

function pick<One>(random: number, all: readonly [One, ...One[]]): One {
  return all[Math.floor(random * all.length)] ?? all[0];
}

const isIn = (spans: readonly Span[], now: number) =>
  spans.some(({ from, until }) => from <= now && now < until);

/** What prod got, and how it was at that moment. */
interface Entered {
  readonly version: Version;
  readonly at: number;
  readonly deployedAt: number;
  readonly approvedAt: number;
  readonly checks: Checks | undefined;
}

/** Runs through a year: what happens from outside, and what the gates said that they would be asked again for. */
class Model {
  readonly entered: Entered[] = [];
  /** Times at which the newest waited and nothing said why. */
  silent = 0;
  /** Versions that prod waited for, and that something newer drove out of staging before they had soaked. */
  lost = 0;
  /** Times at which something newer waited for what somebody had changed for longer than it is waited for. */
  stuck = 0;
  looks = 0;
  readonly #year: Year;
  #known = -1;
  #runs: { version: Version; deployedAt: number } | undefined;
  #soak: Soak | undefined;
  #checks: Checks | undefined;
  #decisions: (Decision & { readonly digest: string })[] = [];
  #awaitsFresh = false;
  #lookedAt: number | undefined;
  /** Until it changes it is the same, and finding it takes longer than all else. */
  #opening: Opening = { is: 'Open', changesAt: new Date(0) };

  constructor(year: Year) {
    this.#year = year;
  }

  run(): this {
    const { versions, unseen, away, approvals, changed } = this.#year;
    const outside = [
      ...versions.map(({ at }) => at),
      ...approvals,
      ...[...unseen, ...away, ...changed].flatMap(({ from, until }) => [from, until]),
    ].sort((one, other) => one - other);
    let next = 0;
    let wake = Number.POSITIVE_INFINITY;
    for (;;) {
      const now = Math.min(outside[next] ?? Number.POSITIVE_INFINITY, wake);
      if (now >= YEAR.until) return this;
      while ((outside[next] ?? Number.POSITIVE_INFINITY) <= now) {
        if (approvals.includes(outside[next] ?? 0)) this.#approve(now);
        next += 1;
      }
      wake = isIn(away, now) ? Number.POSITIVE_INFINITY : this.#look(now);
      assert.ok(wake > now, 'a look asks for one in the same moment');
    }
  }

  get #prod(): number {
    return this.entered.at(-1)?.version.number ?? -1;
  }

  /** Somebody says yes to what runs in staging. */
  #approve(now: number): void {
    const digest = this.#runs?.version.digest;
    if (digest === undefined) return;
    const uid = `${digest} ${now}`;
    this.#decisions.push({ uid, digest, by: 'anna', groups: [], decision: 'Approve', at: new Date(now) });
  }

  /** @returns when it is to be looked at again by itself */
  #look(now: number): number {
    this.looks += 1;
    this.#known = this.#year.versions.findLastIndex(({ at }) => at <= now);
    this.#follow(now);
    const wakes = [...this.#seeStaging(now), this.#prodAt(now)];
    if (this.#awaitsFresh) wakes.push(...this.#seeStaging(now));
    this.#awaitsFresh = false;
    this.#follow(now);
    wakes.push(this.#soaksUntil(now));
    this.#lookedAt = now;
    return Math.min(...wakes.filter((at) => at > now), Number.POSITIVE_INFINITY);
  }

  /** Staging gets the newest, unless it stays on what soaks or is checked for prod, or cannot be reached. */
  #follow(now: number): void {
    const newest = this.#year.versions[this.#known];
    if (newest === undefined || this.#runs?.version === newest || isIn(this.#year.unseen, now)) return;
    const live = this.#healthAt(now);
    const soaks = this.#soaksUntil(now) > now;
    const checked = this.#checks?.runs.some(({ ended }) => ended === undefined) === true;
    const isWaitedFor = (this.#runs?.version.number ?? -1) > this.#prod;
    if (isWaitedFor && soaks && this.#isChangedForLong(now)) this.stuck += 1;
    if (isWaitedFor && (soaks || (live === 'Healthy' && checked))) return;
    const soaked = this.#soak === undefined ? SOAK_MS : healthyMs(this.#soak, new Date(now));
    const isChanged = this.#soak?.changedSince !== undefined;
    if (isWaitedFor && live === 'Healthy' && soaked < SOAK_MS && !isChanged) this.lost += 1;
    this.#runs = { version: newest, deployedAt: now };
    this.#soak = undefined;
    this.#checks = undefined;
    this.#awaitsFresh = false;
  }

  /** 0: it does not. */
  #soaksUntil(now: number): number {
    if (this.#soak === undefined) return 0;
    const at = { live: this.#healthAt(now), neededMs: SOAK_MS, timeoutMs: TIMEOUT_MS, now: new Date(now) };
    const until = soaksUntil(this.#soak, at);
    return until === 'InSight' ? Number.POSITIVE_INFINITY : (until?.getTime() ?? 0);
  }

  /** Seen as changed, by operators that looked, for as long as it is waited for. */
  #isChangedForLong(now: number): boolean {
    const { changed, unseen, away } = this.#year;
    const { version, deployedAt } = this.#runs ?? {};
    const span = changed.find((one) => isIn([one], now));
    if (span === undefined || version === undefined || deployedAt === undefined) return false;
    const ends = [...unseen, ...away].map(({ until }) => until).filter((until) => until <= now);
    const since = Math.max(span.from, deployedAt + version.healthyAfter, ...ends);
    return now >= since + TIMEOUT_MS;
  }

  /** @returns when that changes by itself */
  #seeStaging(now: number): number[] {
    if (this.#runs === undefined) return [];
    const { version, deployedAt } = this.#runs;
    const live = this.#healthAt(now);
    const health = live === 'Healthy' && isIn(this.#year.changed, now) ? 'Changed' : live;
    const isGap = this.#year.away.some(({ until }) => until === now);
    const isThrough = now >= deployedAt + version.healthyAfter;
    this.#soak = soakAfter(this.#soak, {
      digest: isThrough ? version.digest : undefined,
      health,
      now: new Date(now),
      ...(isGap && this.#lookedAt !== undefined
        ? { gap: { from: new Date(this.#lookedAt), isUndisturbed: true as const } }
        : {}),
    });
    this.#checks = checksAfter(this.#checks, this.#endsAt(now), {
      wanted: [SMOKE],
      digest: version.digest,
      now: new Date(now),
      isHealthy: isThrough && health === 'Healthy',
      request: undefined,
      isWaitedFor: () => version.number > this.#prod,
      isAwaited: this.#awaitsFresh,
    });
    const ends = (this.#checks?.runs ?? []).map(({ startedAt, ended }) =>
      ended === undefined ? Date.parse(startedAt) + version.checkTakes : Number.POSITIVE_INFINITY,
    );
    const again = nextCheck([SMOKE], this.#checks, new Date(now))?.getTime() ?? Number.POSITIVE_INFINITY;
    return [deployedAt + version.healthyAfter, deployedAt + version.brokenAfter, ...ends, again];
  }

  #healthAt(now: number): Counted {
    if (this.#runs === undefined || isIn(this.#year.unseen, now)) return 'OutOfSight';
    const { version, deployedAt } = this.#runs;
    if (now >= deployedAt + version.brokenAfter) return 'Broken';
    return now >= deployedAt + version.healthyAfter ? 'Healthy' : 'ComingUp';
  }

  #endsAt(now: number): ReadonlyMap<CheckRun, CheckEnd> {
    const ends = new Map<CheckRun, CheckEnd>();
    const { checked, checkTakes } = this.#runs?.version ?? { checked: 'Passed', checkTakes: 0 };
    for (const run of this.#checks?.runs ?? []) {
      const took = now - Date.parse(run.startedAt);
      if (run.ended !== undefined || took < Math.min(checkTakes, SMOKE.deadlineMs)) continue;
      const outcome = checkTakes > SMOKE.deadlineMs ? 'Failed' : checked;
      ends.set(run, { outcome, at: new Date(now).toISOString() });
    }
    return ends;
  }

  /** What prod makes of what waits. @returns when it is to be asked again */
  #prodAt(now: number): number {
    const changes: number[] = [];
    const waiting = this.#year.versions.slice(Math.max(this.#prod + 1, this.#known - 7), this.#known + 1);
    const all = waiting.map((version) => this.#candidate(version, now, changes));
    const choice = choose({ environment: 'prod', governance: STAGE, wasGoverned: true, waiting: all });
    const { enter, blockedBy } = choice;
    if (waiting.length > 0 && (enter?.version === waiting.at(-1)) !== (blockedBy.length === 0))
      this.silent += 1;
    if (choice.changesAt !== undefined) changes.push(choice.changesAt.getTime());
    // Nothing but the age of the check's result is in the way.
    const aged = all.filter(({ checks = [] }) => checks.some(({ standing }) => standing.is === 'Expired'));
    const others = aged.map(({ checks: _, ...one }) => one);
    const fresh = choose({ environment: 'prod', governance: STAGE, wasGoverned: true, waiting: others });
    this.#awaitsFresh = enter === undefined && fresh.enter !== undefined;
    if (enter !== undefined) this.#enter(enter.version, now);
    return Math.min(...changes.filter((at) => at > now), Number.POSITIVE_INFINITY);
  }

  #candidate(version: Version, now: number, changes: number[]): Candidate & { readonly version: Version } {
    const entry = this.#entry(version, now);
    const gates = decide(entry);
    const change = changesAt(entry, gates)?.getTime();
    if (change !== undefined) changes.push(change);
    const standing = standingOf(SMOKE, version.digest, this.#checks, new Date(now));
    const checks = [{ environment: 'staging', check: 'smoke', standing }];
    return { key: version.digest, version, evidence: [this.#evidence(version, now)], gates, checks };
  }

  #entry({ digest }: Version, now: number): Entry {
    return {
      environment: 'prod',
      now: new Date(now),
      freezes: FREEZES,
      openings: [{ whose: 'Stage prod', field: 'gates.windows', opening: this.#openingAt(now) }],
      dependencies: [],
      approvals: [
        {
          whose: 'Stage prod',
          gate: { required: 1, validFor: '72h' },
          how: 'web prod',
          digest,
          decisions: this.#decisions.filter((one) => one.digest === digest),
          admission: ENFORCED,
        },
      ],
    };
  }

  #openingAt(now: number): Opening {
    if ('changesAt' in this.#opening && this.#opening.changesAt.getTime() <= now)
      this.#opening = openingAt(WINDOWS, new Date(now));
    return this.#opening;
  }

  #evidence(version: Version, now: number): Evidence {
    const environment = 'staging';
    if (this.#runs?.version !== version) {
      const isLater = version.number > (this.#runs?.version.number ?? -1);
      return { environment, is: isLater ? 'NotSeen' : 'RunsAnother' };
    }
    if (isIn(this.#year.unseen, now)) return { environment, is: 'OutOfSight' };
    const isChanged = isIn(this.#year.changed, now);
    if (isChanged || this.#healthAt(now) !== 'Healthy') return { environment, is: 'NotHealthy' };
    if (this.#soak === undefined) return { environment, is: 'Soaks' };
    const left = SOAK_MS - healthyMs(this.#soak, new Date(now));
    return left <= 0
      ? { environment, is: 'Passed' }
      : { environment, is: 'Soaks', soakedAt: new Date(now + left) };
  }

  #enter(version: Version, at: number): void {
    const approved = this.#decisions.filter(({ digest }) => digest === version.digest);
    this.entered.push({
      version,
      at,
      deployedAt: this.#runs?.deployedAt ?? Number.NaN,
      approvedAt: approved.at(-1)?.at.getTime() ?? Number.NaN,
      checks: this.#checks,
    });
    this.#decisions = this.#decisions.filter(({ digest }) => digest !== version.digest);
  }
}

/** The day and the hour on the clocks of Berlin, by other means than the gate's. */
const BERLIN = new Intl.DateTimeFormat('en', {
  timeZone: 'Europe/Berlin',
  weekday: 'short',
  hour: '2-digit',
  hourCycle: 'h23',
});

function assertMayEnter({ version, at, deployedAt, approvedAt, checks }: Entered): void {
  const about = `version ${version.number} at ${new Date(at).toISOString()}`;
  const { weekday, hour } = Object.fromEntries(
    BERLIN.formatToParts(at).map(({ type, value }) => [type, value]),
  );
  assert.ok(['Mon', 'Tue', 'Wed', 'Thu'].includes(weekday ?? ''), `${about}: ${weekday}`);
  assert.ok(Number(hour) >= 9 && Number(hour) < 16, `${about}: ${hour}`);
  assert.equal(heldBy(FREEZES, new Date(at)), undefined, about);
  assert.ok(at - deployedAt >= version.healthyAfter + SOAK_MS, `${about}: it has not soaked`);
  assert.ok(at - deployedAt < version.brokenAfter, `${about}: it is broken`);
  assert.ok(at - approvedAt < 72 * HOUR, `${about}: nobody approved it`);
  assert.equal(version.checked, 'Passed', about);
  const [run] = checks?.runs ?? [];
  assert.ok(checks?.digest === version.digest && run?.ended?.outcome === 'Passed', about);
  assert.ok(at - Date.parse(run.ended.at) <= FRESH_MS, `${about}: its check is too old`);
}

test('a year: nothing enters with a gate unmet or goes back, all that waits says why, and the same year is the same again', () => {
  for (const seed of [1, 2]) {
    const model = new Model(yearOf(seed)).run();
    for (const entered of model.entered) assertMayEnter(entered);
    const numbers = model.entered.map(({ version }) => version.number);
    assert.deepEqual(
      numbers,
      numbers.toSorted((one, other) => one - other),
      'it never goes back',
    );
    assert.equal(new Set(numbers).size, numbers.length, 'nothing enters twice');
    assert.ok(numbers.length > 50, `${numbers.length} of a year's commits reached prod`);
    assert.equal(model.silent, 0);
    assert.equal(model.lost, 0, 'what soaks for prod is driven out by nothing newer');
    assert.equal(model.stuck, 0, 'what somebody changed and left so keeps nothing newer waiting for ever');
    assert.ok(model.looks < 50_000, `${model.looks} looks: nothing is polled`);
    const again = new Model(yearOf(seed)).run();
    assert.deepEqual(
      again.entered.map(({ version, at }) => [version.number, at]),
      model.entered.map(({ version, at }) => [version.number, at]),
    );
  }
});
