import type { Remedy } from '../../../api/errors.ts';
import type { EnvironmentStatus, HealthState, HistoryEntry } from '../../../api/v1alpha1/application.ts';
import { secondTime } from '../../../kube/times.ts';
import { describeObject } from '../../../manifest/manifest.ts';
import type { Deployment } from '../../record/record.ts';
import { borneOut, isEndIn } from '../../target/told.ts';
import type { Facts } from '../../target/words/facts.ts';
import { syncedMessage } from './conditions.ts';

/** The entry of an environment in the status, as the facts of a look have it. Pure, as what follows. */
export function entryOf(
  facts: Facts,
  previous: EnvironmentStatus | undefined,
  now: string,
): EnvironmentStatus {
  const { standing, health, running, pendingPrune } = facts;
  const history = mergeHistory(facts, previous?.history ?? []);
  const newest = history[0];
  const became =
    standing.sync === 'Synced' && (previous?.sync !== 'Synced' || newest?.id !== previous.history?.[0]?.id);
  const lastSyncedAt = became ? now : previous?.lastSyncedAt;
  const environment: EnvironmentStatus = {
    name: facts.environment,
    sync: standing.sync,
    health: health.state,
    message:
      standing.sync !== 'Synced'
        ? standing.message
        : health.state === 'Healthy'
          ? syncedMessage(standing, health)
          : (health.message ?? standing.message),
    objects: facts.objects,
  };
  if (running === undefined) {
    const { revision, digest, chart, appVersion } = previous ?? {};
    if (revision !== undefined) Object.assign(environment, { revision, digest, chart, appVersion });
  } else {
    environment.revision = running.revision;
    environment.digest = running.digest;
    if (running.chart !== undefined) environment.chart = running.chart;
    if (running.appVersion !== undefined) environment.appVersion = running.appVersion;
  }
  if (facts.source !== undefined) environment.desiredRevision = facts.source.revision;
  else if (previous?.desiredRevision !== undefined) environment.desiredRevision = previous.desiredRevision;
  if (facts.desiredDigest !== undefined) environment.desiredDigest = facts.desiredDigest;
  if (facts.changes !== undefined) environment.changes = facts.changes;
  if (facts.waiting !== undefined) environment.waiting = facts.waiting;
  const drift = settleDrift(facts, previous?.drift);
  if (drift !== undefined) environment.drift = drift;
  if (pendingPrune !== undefined) environment.pendingPrune = pendingPruneOf(pendingPrune);
  if (lastSyncedAt !== undefined) environment.lastSyncedAt = lastSyncedAt;
  const waits = waitsFor(facts, previous, now);
  if (waits.length > 0) environment.blockedBy = waits;
  if (history.length > 0) environment.history = history;
  return environment;
}

/** In a word how an environment stands: what something newer waits for says nothing of what failed before it. */
export function reasonOf({ sync = 'Syncing', blockedBy = [] }: EnvironmentStatus): string {
  return sync === 'Failed' ? sync : (blockedBy[0]?.reason ?? sync);
}

/** Why what is wanted cannot be begun, or what something newer waits for. */
function waitsFor(
  { standing, gates, retry }: Facts,
  previous: EnvironmentStatus | undefined,
  now: string,
): NonNullable<EnvironmentStatus['blockedBy']> {
  if (standing.sync === 'Blocked') return [blockedBy(standing, previous, retry, now)];
  return gates.map(({ clearsAt, ...gate }) =>
    blockedBy(gate, previous, clearsAt && { attempts: 0, nextAt: clearsAt }, now),
  );
}

export function pendingPruneOf({
  digest,
  objects,
}: NonNullable<Facts['pendingPrune']>): NonNullable<EnvironmentStatus['pendingPrune']> {
  return { digest, count: objects.length, objects };
}

function settleDrift(
  { drift, isLookedAt }: Facts,
  previous: EnvironmentStatus['drift'],
): EnvironmentStatus['drift'] {
  if (drift === undefined) return isLookedAt && previous !== undefined ? { ...previous, count: 0 } : previous;
  const { count, lastAt, lastObject, lastBy } = drift;
  return {
    count,
    lastAt,
    lastObject: describeObject(lastObject),
    ...(lastBy === undefined ? {} : { lastBy }),
  };
}

/**
 * Another message, a number in it say, is no other wait. What a person or another resource clears is over when they
 * say so, at no time that is known.
 */
function blockedBy(
  { reason, message, remedy }: { reason: string; message: string; remedy?: Remedy | undefined },
  previous: EnvironmentStatus | undefined,
  retry: Facts['retry'],
  now: string,
): NonNullable<EnvironmentStatus['blockedBy']>[number] {
  const before = previous?.blockedBy?.find((one) => one.reason === reason);
  const clearsAt = remedy === 'Time' ? retry?.nextAt : undefined;
  return {
    reason,
    message,
    since: before?.since ?? now,
    ...(clearsAt === undefined ? {} : { clearsAt: secondTime(clearsAt) }),
  };
}

/** Why an environment does not get on whatever it has: what runs is as it was. */
export interface Hindrance {
  sync: 'Blocked' | 'Syncing' | 'Suspended';
  /** Undefined: it stays as it was. */
  health?: HealthState | undefined;
  reason: string;
  message: string;
  remedy: Remedy | undefined;
  retry?: Facts['retry'] | undefined;
}

/** The entry of an environment of which no look could tell, or that is being removed. */
export function hinderedEntry(
  previous: EnvironmentStatus | undefined,
  environment: string,
  { sync, health, retry, ...why }: Hindrance,
  now: string,
): EnvironmentStatus {
  const { blockedBy: _, desiredDigest: __, changes: ___, waiting: ____, ...before } = previous ?? {};
  return {
    ...before,
    name: environment,
    sync,
    ...(health === undefined ? {} : { health }),
    message: why.message,
    ...(sync === 'Blocked' ? { blockedBy: [blockedBy(why, previous, retry, now)] } : {}),
  };
}

/**
 * Newest first; what is there already is not told twice (D7), unless it failed what came after its end, or was taken back.
 * What others wrote there takes the place of nothing that ran, and does not stay before it.
 */
function mergeHistory(facts: Facts, all: readonly HistoryEntry[]): HistoryEntry[] {
  const previous = borneOut(all, facts.lastId);
  const told = new Map(previous.map((entry) => [entry.id, entry]));
  const isNew = (one: Deployment) => {
    const entry = told.get(one.id);
    return one.outcome !== undefined && (entry === undefined || !isEndIn(entry, one));
  };
  const added = facts.ended.filter(isNew).map(historyEntry);
  const anew = new Set(added.map(({ id }) => id));
  return [...previous.filter(({ id }) => !anew.has(id)), ...added]
    .sort((a, b) => b.id - a.id)
    .slice(0, facts.application.spec.revisionHistoryLimit);
}

function historyEntry(deployment: Deployment): HistoryEntry {
  const { candidate } = deployment;
  return {
    id: deployment.id,
    revision: candidate.revision,
    candidate: candidate.id,
    ...(candidate.ref === '' ? {} : { ref: candidate.ref }),
    ...(candidate.chart === undefined ? {} : { chart: candidate.chart }),
    ...(candidate.published === undefined ? {} : { chartDigest: `sha256:${candidate.published.digest}` }),
    ...(candidate.appVersion === undefined ? {} : { appVersion: candidate.appVersion }),
    digest: candidate.digest,
    ...(deployment.outcome === undefined ? {} : { outcome: deployment.outcome }),
    trigger: deployment.trigger,
    startedAt: secondTime(new Date(deployment.startedAt)),
    ...(deployment.finishedAt === undefined
      ? {}
      : { finishedAt: secondTime(new Date(deployment.finishedAt)) }),
    ...messageOf(deployment),
  };
}

function messageOf({ message, from = [] }: Deployment): Pick<HistoryEntry, 'message'> {
  const taken = from.length === 0 ? [] : [`It took over the objects of environment ${from.join(' and ')}.`];
  const all = message === undefined ? taken : [...taken, message];
  return all.length === 0 ? {} : { message: all.join(' ') };
}
