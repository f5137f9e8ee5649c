import { isDeepStrictEqual } from 'node:util';
import {
  type ApplicationStatus,
  environmentOf,
  HEALTH_STATES,
  type HealthState,
  SYNC_STATES,
  type SyncState,
} from '../../../api/v1alpha1/application.ts';
import { boundStatus } from '../../../api/v1alpha1/bound-status.ts';
import { requestFor } from '../../../api/v1alpha1/environment-request.ts';
import { handledAs } from '../../target/request-annotations.ts';
import { withPromoted } from './promoted.ts';

/** A status as it would be if the Application had only that environment. */
export interface Part {
  environment: string;
  status: ApplicationStatus;
  /** The environment has told nothing new: lists of it are as the former status had room for them. */
  isFormer: boolean;
  /** The Application names it no more: nothing is asked of it. */
  hasLeft: boolean;
  /** Whether its last look found the newest candidate deployed there; undefined where none has told since the start. */
  runsNewest: boolean | undefined;
}

/** What of the status of an Application is about one environment, as if it had no other. Pure. */
export function partOf(
  status: ApplicationStatus | undefined,
  environment: string,
  environments: readonly unknown[],
): ApplicationStatus | undefined {
  if (status === undefined || environments.length === 1) return status;
  const { kept, keptTotal: _, retry, quarantine, ...common } = status;
  const its = <Entry extends { environment?: string | undefined }>(entries: readonly Entry[] = []) =>
    entries.filter((entry) => entry.environment === environment);
  const keptHere = its(kept);
  const errors = its(quarantine?.errors);
  return {
    ...common,
    environments: (status.environments ?? []).filter(({ name }) => name === environment),
    ...(keptHere.length === 0 ? {} : { kept: keptHere, keptTotal: keptHere.length }),
    ...(retry?.environment === environment ? { retry } : {}),
    ...(quarantine === undefined || errors.length === 0
      ? {}
      : { quarantine: { ...quarantine, errors, total: errors.length } }),
  };
}

/**
 * Who knows the source best. Environments with files of their own have another candidate of the same commit each: while
 * one has that which was told, it stays, whoever told last (A14).
 */
function sourceBy(
  statuses: readonly ApplicationStatus[],
  latest: ApplicationStatus,
  previous: ApplicationStatus | undefined,
): ApplicationStatus {
  if (previous?.source === undefined || previous.source.revision !== latest.source?.revision) return latest;
  return statuses.find(({ source }) => isDeepStrictEqual(source, previous.source)) ?? latest;
}

/**
 * The status of an Application of those of its environments: conditions are those of the one that is worst off, and
 * what was asked for is handled when all that it was asked of have handled it. Pure.
 *
 * @param parts one for each environment, at least one.
 * @param latest the environment that told last, and so knows the source best; undefined where none did.
 * @param syncRequest the annotation towpath.dev/sync-requested
 * @param now RFC 3339
 */
export function combine(
  parts: readonly Part[],
  latest: string | undefined,
  previous: ApplicationStatus | undefined,
  syncRequest: string | undefined,
  now: string,
): ApplicationStatus {
  const standings = parts
    .filter(({ hasLeft }) => !hasLeft)
    .map(({ environment, status, runsNewest }) => ({
      environment,
      entry: environmentOf(status, environment),
      runsNewest,
    }));
  const status = combined(parts, latest, previous, syncRequest);
  return boundStatus(withPromoted(status, standings, previous, now));
}

function combined(
  parts: readonly Part[],
  latest: string | undefined,
  previous: ApplicationStatus | undefined,
  syncRequest: string | undefined,
): ApplicationStatus {
  const statuses = parts.map(({ status }) => status);
  const [worst = {}] = statuses.toSorted((one, other) => rankOf(one) - rankOf(other));
  if (parts.length === 1) return worst;
  const generations = statuses.flatMap(({ observedGeneration }) => observedGeneration ?? []);
  const newest = Math.max(...generations);
  const oldest = Math.min(...generations);
  const isReady = ({ summary, observedGeneration }: ApplicationStatus) =>
    summary?.environments === '1/1' && observedGeneration === newest;
  const ready = statuses.filter(isReady).length;
  const { source, summary } = sourceBy(
    statuses,
    parts.find(({ environment }) => environment === latest)?.status ?? worst,
    previous,
  );
  const states = { sync: statuses.map(({ sync }) => sync), health: statuses.map(({ health }) => health) };
  return {
    ...(generations.length === 0 ? {} : { observedGeneration: oldest }),
    conditions: asOf(oldest, worst.conditions),
    sync: worstOf<SyncState>(SYNC_STATES, states.sync),
    health: worstOf<HealthState>(HEALTH_STATES, states.health),
    summary: { ...summary, environments: `${ready}/${parts.length}` },
    environments: statuses.flatMap(({ environments }) => environments ?? []),
    ...(source === undefined ? {} : { source }),
    ...handledBy(parts, previous, syncRequest),
    ...lists(parts, previous),
  };
}

/** They hold for all environments: for a generation that one has not seen yet, nothing is said. */
function asOf(
  generation: number,
  conditions: ApplicationStatus['conditions'],
): ApplicationStatus['conditions'] {
  return conditions?.map((condition) => ({
    ...condition,
    ...(condition.observedGeneration === undefined
      ? {}
      : { observedGeneration: Math.min(condition.observedGeneration, generation) }),
  }));
}

function handledBy(
  parts: readonly Part[],
  previous: ApplicationStatus | undefined,
  syncRequest: string | undefined,
): Pick<ApplicationStatus, 'handledSyncRequest'> {
  const before = previous?.handledSyncRequest;
  const value = syncRequest === undefined ? undefined : handledAs(syncRequest);
  const theirs = parts.filter(
    ({ environment, hasLeft }) => !hasLeft && requestFor(syncRequest, environment) !== undefined,
  );
  const isHandled = theirs.length > 0 && theirs.every(({ status }) => status.handledSyncRequest === value);
  const one = isHandled ? value : before;
  return one === undefined ? {} : { handledSyncRequest: one };
}

/** What names its environment by itself. */
function lists(
  parts: readonly Part[],
  previous: ApplicationStatus | undefined,
): Pick<ApplicationStatus, 'retry' | 'quarantine' | 'kept' | 'keptTotal'> {
  const statuses = parts.map(({ status }) => status);
  const [retry] = statuses
    .flatMap((status) => status.retry ?? [])
    .toSorted((one, other) => (one.nextAt ?? '').localeCompare(other.nextAt ?? ''));
  const quarantines = statuses.flatMap(({ quarantine }) => quarantine ?? []);
  // Of several candidates the one that was told of just now.
  const [first] = parts
    .toSorted((one, other) => Number(one.isFormer) - Number(other.isFormer))
    .flatMap(({ status }) => status.quarantine ?? []);
  const kept = statuses.flatMap((status) => status.kept ?? []);
  // What the former status had no room for is known again when all have told.
  const isSure = parts.every(({ isFormer }) => !isFormer);
  const total = (counts: readonly number[], before = 0) =>
    Math.max(
      counts.reduce((sum, count) => sum + count, 0),
      isSure ? 0 : before,
    );
  return {
    ...(retry === undefined ? {} : { retry }),
    ...(first === undefined
      ? {}
      : {
          quarantine: {
            ...first,
            errors: quarantines.flatMap(({ errors }) => errors ?? []),
            total: total(
              quarantines.map((one) => one.total),
              isSameCandidate(first, previous?.quarantine) ? previous?.quarantine?.total : 0,
            ),
          },
        }),
    ...(kept.length === 0
      ? {}
      : {
          kept,
          keptTotal: total(
            statuses.map(({ keptTotal = 0 }) => keptTotal),
            previous?.keptTotal,
          ),
        }),
  };
}

function isSameCandidate(
  { revision, candidate }: NonNullable<ApplicationStatus['quarantine']>,
  former: ApplicationStatus['quarantine'],
): boolean {
  return former?.revision === revision && former.candidate === candidate;
}

/** By how badly it is off: first what needs a person, then by sync, then by health. */
function rankOf({ conditions = [], sync, health }: ApplicationStatus): number {
  const is = (type: string) =>
    conditions.some((condition) => condition.type === type && condition.status === 'True');
  const group = is('Stalled') ? 0 : is('Ready') ? 2 : 1;
  const [bySync, byHealth] = [
    SYNC_STATES.indexOf(sync ?? 'Synced'),
    HEALTH_STATES.indexOf(health ?? 'Healthy'),
  ];
  return (group * SYNC_STATES.length + bySync) * HEALTH_STATES.length + byHealth;
}

function worstOf<State extends string>(
  order: readonly State[],
  states: readonly (State | undefined)[],
): State | undefined {
  return order.find((state) => states.includes(state));
}
