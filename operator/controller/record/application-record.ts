/** What an Application accepted, in the order in which it was observed: the same for all of its targets. */

import { type BasePin, withBasePins } from './base-pins.ts';
import { type ChartPin, withPins } from './chart-pins.ts';
import { type Candidate, candidateKey } from './record.ts';

/** What one environment makes of a candidate. */
export type Rendering = Pick<Candidate, 'digest' | 'reads'>;

/** A candidate as the Application put it together, nothing of an environment. */
export type CandidateOfAll = Omit<Candidate, 'digest' | 'reads'>;

export interface Accepted extends Omit<CandidateOfAll, keyof Pinned> {
  /** Counts what the Application accepted, from 1. */
  order: number;
  /** By the environment's name. */
  environments: Readonly<Record<string, Rendering>>;
}

/** Never changed in place: what is in memory is what was written. */
export interface ApplicationRecord {
  /** Key of the Application: `<namespace>/<name>`. */
  readonly application: string;
  /** Of the last that was accepted. */
  readonly order: number;
  /** Those whose manifests are kept, the newest first. */
  readonly candidates: readonly Accepted[];
  /** What charts were that were fetched for any of what it accepted, the last used first. */
  readonly charts?: readonly ChartPin[];
  /** The same of other repositories that kustomizations refer to. */
  readonly bases?: readonly BasePin[];
}

/** What was fetched for a candidate besides the Application's own commit. */
export type Pinned = Pick<CandidateOfAll, 'charts' | 'bases'>;

export function newApplicationRecord(application: string): ApplicationRecord {
  return { application, order: 0, candidates: [] };
}

/**
 * The record with a candidate accepted in these environments. Kept beside it is what a target names (keys), and nothing
 * else. Where a cluster makes other manifests of it now, it is another entry of the same id; what the other
 * environments made of it stays.
 *
 * It is the newest one where it is new, or seen again (a git revert): where one of these environments had a newer one
 * already. An environment that is only behind the others finds it where they put it.
 */
export function accept(
  record: ApplicationRecord,
  { charts = [], bases = [], ...candidate }: CandidateOfAll,
  renderings: Readonly<Record<string, Rendering>>,
  named: ReadonlySet<string>,
): ApplicationRecord {
  const before = record.candidates.find(({ id }) => id === candidate.id);
  const same = record.candidates.find((one) => one.id === candidate.id && agrees(one, renderings));
  const others = record.candidates.filter((one) => one !== same);
  const isSeenAgain = others.some(
    (one) => one.order > (same?.order ?? 0) && Object.keys(renderings).some((name) => has(one, name)),
  );
  const order = same === undefined || isSeenAgain ? record.order + 1 : same.order;
  const environments = { ...(same ?? before)?.environments, ...renderings };
  const candidates = [{ ...candidate, order, environments }, ...others.filter((one) => isNamed(one, named))];
  return {
    ...withPinned(record, { charts, bases }),
    order: Math.max(order, record.order),
    candidates: candidates.toSorted((one, other) => other.order - one.order),
  };
}

/** The record with what was fetched for a candidate of it. */
export function withPinned(
  record: ApplicationRecord,
  { charts = [], bases = [] }: Pinned,
): ApplicationRecord {
  return {
    ...record,
    ...(charts.length === 0 ? {} : { charts: withPins(record.charts ?? [], charts) }),
    ...(bases.length === 0 ? {} : { bases: withBasePins(record.bases ?? [], bases) }),
  };
}

/** Whether nothing would change: it is accepted with these renderings, and none of their environments had a newer one. */
export function isAccepted(
  { candidates }: ApplicationRecord,
  { id }: Pick<Candidate, 'id'>,
  renderings: Readonly<Record<string, Rendering>>,
): boolean {
  const names = Object.keys(renderings);
  return names.every((name) => {
    const latest = candidates.find((one) => has(one, name));
    return latest?.id === id && agrees(latest, renderings);
  });
}

/** What is kept for an environment, the newest first. */
export function candidatesIn({ candidates }: ApplicationRecord, environment: string): Candidate[] {
  return candidates.flatMap((accepted) => {
    const { order: _, environments: __, ...candidate } = accepted;
    const rendering = renderingIn(accepted, environment);
    return rendering === undefined ? [] : [{ ...candidate, ...rendering }];
  });
}

/** Of the manifests that are kept. */
export function digestsOf({ candidates }: ApplicationRecord): Set<string> {
  return new Set(
    candidates.flatMap(({ environments }) => Object.values(environments)).map(({ digest }) => digest),
  );
}

/** Where no rendering of these differs from what is accepted. */
function agrees(accepted: Accepted, renderings: Readonly<Record<string, Rendering>>): boolean {
  return Object.entries(renderings).every(
    ([name, { digest }]) => (renderingIn(accepted, name)?.digest ?? digest) === digest,
  );
}

/** An environment may be called `constructor`. */
function renderingIn({ environments }: Accepted, name: string): Rendering | undefined {
  return Object.hasOwn(environments, name) ? environments[name] : undefined;
}

function has(accepted: Accepted, name: string): boolean {
  return renderingIn(accepted, name) !== undefined;
}

function isNamed({ id, environments }: Accepted, named: ReadonlySet<string>): boolean {
  return Object.values(environments).some(({ digest }) => named.has(candidateKey({ id, digest })));
}
