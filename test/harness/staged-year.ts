/** What happens in a year to an Application in a tree of stages, from outside: the same of the same seed. */

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const YEAR = { from: Date.parse('2026-01-01T00:00:00Z'), until: Date.parse('2027-01-01T00:00:00Z') };
/** So long something may take to become healthy. */
export const TIMEOUT_MS = 10 * MINUTE;
export const ENVIRONMENTS = ['staging', 'eu', 'us', 'partner', 'last'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

/** What becomes of a commit in one environment. */
export interface Fate {
  /** So long it takes until it is healthy; infinite: it never is. */
  readonly takes: number;
  /** So long after that it breaks; infinite: never. */
  readonly breaksAfter: number;
  /** And is well again so long after that. */
  readonly wellAfter: number;
}

export interface Commit {
  readonly number: number;
  readonly at: number;
  readonly fates: Readonly<Record<Environment, Fate>>;
}

type Skips = readonly ('soak' | 'windows' | 'order' | 'approvals')[];
const SKIPS: readonly [Skips, ...Skips[]] = [
  [],
  ['windows'],
  ['soak', 'windows'],
  ['soak', 'windows', 'order'],
  ['approvals'],
];

/** Somebody does something; what exactly depends on how it is by then, and on these numbers alone. */
export interface Doing {
  readonly at: number;
  readonly environment: Environment;
  readonly type: 'Promote' | 'Rollback' | 'Resume' | 'Cancel' | 'Retry';
  readonly by: 'anna' | 'ben';
  readonly which: number;
  readonly skips: Skips;
}

/** Somebody says yes or no to what a commit comes to in an environment: by an Approval, which nobody takes back. */
export interface Said {
  readonly at: number;
  readonly environment: Environment;
  /** Its number. */
  readonly commit: number;
  readonly by: 'anna' | 'carl' | 'dora';
  readonly decision: 'Approve' | 'Reject';
}

export interface StagedYear {
  readonly commits: readonly Commit[];
  readonly doings: readonly Doing[];
  readonly said: readonly Said[];
  /** Which policies there are from a time on, by their names in the model. */
  readonly policies: readonly { readonly at: number; readonly which: number }[];
  /** No operator looks. */
  readonly away: readonly { readonly from: number; readonly until: number }[];
}

const GOOD: Fate = {
  takes: MINUTE,
  breaksAfter: Number.POSITIVE_INFINITY,
  wellAfter: Number.POSITIVE_INFINITY,
};
export const GOOD_EVERYWHERE = { staging: GOOD, eu: GOOD, us: GOOD, partner: GOOD, last: GOOD };

function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function pick<const One>(random: number, all: readonly [One, ...One[]]): One {
  return all[Math.floor(random * all.length)] ?? all[0];
}

/** Carl says yes to most, before or after it has soaked; Dora says no to some, and to some of these yes in the end. */
function saidOf(commits: readonly Commit[], random: () => number): Said[] {
  const later = () => Math.floor(6 * HOUR * random());
  const said = commits.flatMap(({ at, number }): Said[] => {
    const of = { environment: 'partner' as const, commit: number };
    const carls = at + 1 + later();
    const doras = carls + later();
    const all: Said[] = [];
    if (random() < 0.85) all.push({ ...of, at: carls, by: 'carl', decision: 'Approve' });
    if (random() < 0.1) all.push({ ...of, at: at + 1 + later(), by: 'anna', decision: 'Approve' });
    if (random() < 0.2) {
      all.push({ ...of, at: doras, by: 'dora', decision: 'Reject' });
      if (random() < 0.5) all.push({ ...of, at: doras + 1 + later(), by: 'dora', decision: 'Approve' });
    }
    return all;
  });
  return said.sort((one, other) => one.at - other.at);
}

/** @param policies how many sets of them there are; the first holds most of the time. */
export function stagedYear(seed: number, policies: number): StagedYear {
  const random = chance(seed);
  const times = (perDay: number) => {
    const all: number[] = [];
    for (let at = YEAR.from; at < YEAR.until; at += (2 * DAY * random()) / perDay) all.push(Math.floor(at));
    return all;
  };
  const fate = (): Fate => ({
    takes: random() < 0.08 ? Number.POSITIVE_INFINITY : Math.floor(5 * MINUTE * random()),
    breaksAfter: random() < 0.12 ? Math.floor(3 * HOUR * random()) : Number.POSITIVE_INFINITY,
    wellAfter: random() < 0.5 ? Math.floor(HOUR * random()) : Number.POSITIVE_INFINITY,
  });
  // On some days one comes each half hour.
  const busy = times(0.1).flatMap((at) => Array.from({ length: 20 }, (_, index) => at + index * 30 * MINUTE));
  const pushes = [...times(2), ...busy].sort((one, other) => one - other);
  const commits = pushes.map((at, number) => {
    const fates = { staging: fate(), eu: fate(), us: fate(), partner: fate(), last: fate() };
    return { number, at, fates };
  });
  const doings = times(2).flatMap((at): Doing[] => {
    const environment = pick(random(), ENVIRONMENTS);
    const one = () => ({
      environment,
      by: pick(random(), ['anna', 'ben']),
      which: random(),
      skips: pick(random(), SKIPS),
    });
    const type = pick(random(), ['Promote', 'Promote', 'Rollback', 'Resume', 'Retry', 'Cancel']);
    const then = pick(random(), ['Cancel', 'Cancel', 'Rollback', 'Promote', 'Resume', 'Retry']);
    // Some think again soon.
    const later = { ...one(), at: at + Math.floor(20 * MINUTE * random()), type: then };
    return [{ ...one(), at, type }, ...(random() < 0.5 ? [later] : [])];
  });
  const edits = times(0.1).flatMap((at) => [
    { at, which: 1 + Math.floor((policies - 1) * random()) },
    { at: at + Math.floor(3 * DAY * random()), which: 0 },
  ]);
  return {
    commits,
    doings,
    said: saidOf(commits, chance(seed + 1_000)),
    policies: [{ at: YEAR.from, which: 0 }, ...edits.sort((one, other) => one.at - other.at)],
    away: times(0.2).map((from) => ({ from, until: from + Math.floor(3 * HOUR * random()) })),
  };
}
