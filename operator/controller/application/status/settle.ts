import {
  type ApplicationStatus,
  type Condition,
  type EnvironmentStatus,
  environmentOf,
  type HealthState,
  type HistoryEntry,
} from '../../../api/v1alpha1/application.ts';
import { boundStatus } from '../../../api/v1alpha1/bound-status.ts';
import { setConditions } from '../../../api/v1alpha1/conditions.ts';
import { secondTime } from '../../../kube/times.ts';
import { describeObject } from '../../../manifest/manifest.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { Deployment } from '../../record/record.ts';
import type { Facts, Repaired, Standing } from '../../target/words/facts.ts';
import type { Report } from '../../target/words/unreported.ts';

type Judged = {
  ready: Pick<Condition, 'status' | 'reason' | 'message'>;
  reconciling: boolean;
  stalled: boolean;
};

/**
 * The table of sync × health → conditions (docs/reference/status.md). Waiting is never told as an error, an
 * error never as waiting.
 */
export function judge(
  standing: Standing,
  health: { state: HealthState; message?: string | undefined },
): Judged {
  const { sync, reason, message } = standing;
  const notReady = (why: string, text: string) => ({ status: 'False' as const, reason: why, message: text });
  switch (sync) {
    case 'Synced':
      if (health.state === 'Healthy') {
        return {
          ready: { status: 'True', reason: 'Synced', message: syncedMessage(standing, health) },
          reconciling: false,
          stalled: false,
        };
      }
      return {
        ready: notReady(health.state, health.message ?? message),
        reconciling: health.state === 'Progressing',
        stalled: false,
      };
    case 'Syncing':
      return { ready: notReady(reason, message), reconciling: true, stalled: false };
    case 'Blocked':
      return {
        ready: notReady(reason, message),
        reconciling: standing.remedy !== 'Person',
        stalled: standing.remedy === 'Person',
      };
    case 'Quarantined':
    case 'Failed':
      return { ready: notReady(reason, message), reconciling: false, stalled: true };
    case 'OutOfSync':
    case 'Suspended':
      return { ready: notReady(reason, message), reconciling: false, stalled: false };
  }
}

/** What is healthy may have something to tell all the same: a claim that waits for its first Pod. */
function syncedMessage({ message }: Standing, health: { message?: string | undefined }): string {
  return health.message === undefined ? message : `${message} ${health.message}`;
}

/** Turns the facts of a reconcile, and what was done and not told yet, into the status. Pure. */
export function settle(
  found: Facts,
  done: Pick<Report['done'], 'repaired'>,
  previous: ApplicationStatus | undefined,
): ApplicationStatus {
  const drift = found.drift ?? repairedDrift(done.repaired);
  const facts = drift === undefined ? found : { ...found, drift };
  const { application, standing, health } = facts;
  const now = secondTime(facts.now);
  const judged = judge(standing, health);
  const unreachable = facts.sourceError !== undefined && standing.sync === 'Synced';
  const ready = unreachable
    ? { ...judged.ready, message: `${judged.ready.message} ${facts.sourceError?.message ?? ''}`.trim() }
    : judged.ready;
  const environment = settleEnvironment(facts, environmentOf(previous, facts.environment), now);
  const isReady = ready.status === 'True';
  const status: ApplicationStatus = {
    observedGeneration: application.metadata.generation,
    conditions: setConditions(
      previous?.conditions ?? [],
      [
        { type: 'Ready', ...ready },
        ...(judged.reconciling || unreachable
          ? [
              {
                type: 'Reconciling',
                status: 'True' as const,
                reason: unreachable ? (facts.sourceError?.reason ?? '') : ready.reason,
                message: ready.message,
              },
            ]
          : []),
        ...(judged.stalled
          ? [{ type: 'Stalled', status: 'True' as const, reason: ready.reason, message: ready.message }]
          : []),
      ],
      application.metadata.generation,
      now,
    ),
    sync: standing.sync,
    health: health.state,
    summary: { ...revisionSummary(facts, previous), environments: `${isReady ? 1 : 0}/1` },
    environments: [environment],
  };
  const source = settleSource(facts, previous?.source);
  if (source !== undefined) status.source = source;
  const handled = facts.handledSyncRequest ?? previous?.handledSyncRequest;
  if (handled !== undefined) status.handledSyncRequest = handled;
  return boundStatus({ ...status, ...aboutEnvironment(facts) });
}

/** What of the whole status is about one environment, and names it. */
function aboutEnvironment({
  environment,
  retry,
  rejected,
  kept,
}: Facts): Pick<ApplicationStatus, 'retry' | 'quarantine' | 'kept' | 'keptTotal'> {
  const about: ReturnType<typeof aboutEnvironment> = {};
  if (retry !== undefined)
    about.retry = { attempts: retry.attempts, nextAt: secondTime(retry.nextAt), environment };
  if (rejected !== undefined) {
    const { revision, candidate, errors } = rejected;
    about.quarantine = {
      revision,
      ...(candidate === undefined ? {} : { candidate }),
      errors: errors.map((error) => ({ environment, ...error })),
      total: errors.length,
    };
  }
  if (kept.length > 0) {
    about.kept = kept.map(({ object, reason }) => ({ environment, object, reason }));
    about.keptTotal = kept.length;
  }
  return about;
}

/** What differed is told also where the look that put it back did not come to tell. */
function repairedDrift(repaired: readonly Repaired[]): Facts['drift'] {
  const [last] = repaired.toSorted((one, other) => other.at.localeCompare(one.at));
  if (last === undefined) return undefined;
  const { object, at, by } = last;
  return {
    count: 0,
    lastAt: at,
    lastObject: object,
    isGone: false,
    ...(by === undefined ? {} : { lastBy: by }),
  };
}

function settleSource(facts: Facts, previous: ApplicationStatus['source']): ApplicationStatus['source'] {
  if (facts.source === undefined) return previous;
  const { revision, ref, commit, candidate } = facts.source;
  const known = commit ?? (previous?.revision === revision ? previous : undefined);
  return {
    revision,
    ...(candidate === undefined ? {} : { candidate }),
    ...(ref === '' ? {} : { ref }),
    ...(known?.message === undefined ? {} : { message: known.message }),
    ...(known?.author === undefined ? {} : { author: known.author }),
    ...(known?.committedAt === undefined ? {} : { committedAt: known.committedAt }),
  };
}

function settleEnvironment(
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
  const drift = settleDrift(facts, previous?.drift);
  if (drift !== undefined) environment.drift = drift;
  if (pendingPrune !== undefined) {
    environment.pendingPrune = {
      digest: pendingPrune.digest,
      count: pendingPrune.objects.length,
      objects: pendingPrune.objects,
    };
  }
  if (lastSyncedAt !== undefined) environment.lastSyncedAt = lastSyncedAt;
  if (standing.sync === 'Blocked') environment.blockedBy = [blockedBy(standing, previous, now)];
  if (history.length > 0) environment.history = history;
  return environment;
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

/** Another message, a number in it say, is no other wait. */
function blockedBy(
  { reason, message }: Standing,
  previous: EnvironmentStatus | undefined,
  now: string,
): NonNullable<EnvironmentStatus['blockedBy']>[number] {
  const before = previous?.blockedBy?.find((one) => one.reason === reason);
  return { reason, message, since: before?.since ?? now };
}

/** Newest first; an id that is there already is not told twice (D7). */
function mergeHistory(facts: Facts, previous: HistoryEntry[]): HistoryEntry[] {
  const known = new Set(previous.map((entry) => entry.id));
  const added = facts.ended
    .filter((deployment) => deployment.outcome !== undefined && !known.has(deployment.id))
    .map(historyEntry);
  return [...previous, ...added]
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
    ...(candidate.appVersion === undefined ? {} : { appVersion: candidate.appVersion }),
    digest: candidate.digest,
    ...(deployment.outcome === undefined ? {} : { outcome: deployment.outcome }),
    trigger: deployment.trigger,
    startedAt: secondTime(new Date(deployment.startedAt)),
    ...(deployment.finishedAt === undefined
      ? {}
      : { finishedAt: secondTime(new Date(deployment.finishedAt)) }),
    ...(deployment.message === undefined ? {} : { message: deployment.message }),
  };
}

function revisionSummary(facts: Facts, previous: ApplicationStatus | undefined): { revision?: string } {
  // A ref that names nothing wants nothing: what an earlier one named is not what is wanted.
  const before = facts.standing.reason === 'RefNotFound' ? undefined : previous?.source;
  const known = facts.source ?? before ?? facts.running;
  return known === undefined ? {} : { revision: shortRevision(known.revision ?? '', known.ref ?? '') };
}
