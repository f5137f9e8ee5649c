import {
  type ApplicationStatus,
  type EnvironmentStatus,
  environmentOf,
} from '../../../api/v1alpha1/application.ts';
import { STATUS_LIMITS } from '../../../api/v1alpha1/application-status.ts';
import { boundStatus, cut } from '../../../api/v1alpha1/bound-status.ts';
import { secondTime } from '../../../kube/times.ts';
import type { Retry, TargetUpdate } from '../../target/words/target-update.ts';
import type { Report } from '../../target/words/unreported.ts';
import { conditionsOf, judge, unready } from './conditions.ts';
import { type Hindrance, hinderedEntry, pendingPruneOf, reasonOf } from './environment-entry.ts';
import { changeEvents, isOtherFailure, type ReportedEvent } from './event-texts.ts';
import { changeLines, heldLines, type LogLine } from './log-lines.ts';
import { settle } from './settle.ts';

/** What an event tells of; those of a deletion are no repetition of what a sync did. */
export type Action = 'Sync' | 'Delete';

type Leaving = Extract<TargetUpdate, { kind: 'Leaving' }>;
type Failing = Extract<TargetUpdate, { kind: 'Failing' | 'Refused' }>;

/** Which status a part of it is made from. */
export interface Before {
  environment: string;
  generation: number;
  now: Date;
  /** As if the Application had no other environment. */
  status: ApplicationStatus | undefined;
}

/** The status that an Application has that has no other target. Pure. */
export function statusOf(
  update: TargetUpdate,
  done: Pick<Report['done'], 'repaired'>,
  before: Before,
): ApplicationStatus {
  switch (update.kind) {
    case 'Facts':
      return settle(update.facts, done, before.status);
    case 'Leaving':
      return whileLeaving(update, before);
    case 'Failing':
    case 'Refused':
      return whileFailing(update, before);
  }
}

/** The same of one that has told nothing yet: what was told of it before stays. Pure. */
export function statusUntold({ environment, generation, now, status }: Before): ApplicationStatus {
  const entry = environmentOf(status, environment);
  const { sync = 'Syncing', health = 'Unknown', message = 'It was not looked at yet.' } = entry ?? {};
  const reason = entry === undefined ? sync : reasonOf(entry);
  const isForPerson = status?.conditions?.some(
    (condition) => condition.type === 'Stalled' && condition.reason === reason,
  );
  const standing = { sync, reason, message, ...(isForPerson === true ? { remedy: 'Person' as const } : {}) };
  // What there is to tell of the health of what is Healthy stands in that message already.
  const judged = judge(standing, { state: health, message: health === 'Healthy' ? undefined : message });
  const isReady = judged.ready.status === 'True' && sync === 'Synced';
  return {
    ...status,
    ...conditionsOf(judged, status, status?.observedGeneration ?? generation, now),
    sync,
    health,
    summary: { ...status?.summary, environments: isReady ? '1/1' : '0/1' },
    environments: entry === undefined ? [] : [entry],
  };
}

/**
 * The status of what cannot be read as an Application: what is wrong, beside what was told before as far as that can be
 * read. Pure.
 */
export function statusUnreadable(
  previous: ApplicationStatus,
  errors: readonly string[],
  generation: number,
  now: Date,
): ApplicationStatus {
  const whole = `The Application cannot be read; correct it: ${errors.join('; ')}`;
  const message = cut(whole, STATUS_LIMITS.message);
  const why = { sync: 'Blocked', reason: 'InvalidSpec', message, remedy: 'Person' } as const;
  const readable = Array.isArray(previous.conditions) ? previous : { ...previous, conditions: [] };
  const entries = Array.isArray(previous.environments) ? previous.environments : [];
  const environments = entries.map((entry) => hinderedEntry(entry, entry.name, why, secondTime(now)));
  return {
    ...previous,
    ...notReady(previous),
    ...unready(readable, { ...why, isStalled: true }, generation, now),
    sync: why.sync,
    ...(environments.length === 0 ? {} : { environments }),
  };
}

/** What is news about a status. Pure. */
export function newsOf(
  update: TargetUpdate,
  status: ApplicationStatus,
  { environment, before }: Report,
): ReportedEvent[] {
  if (update.kind === 'Facts') return changeEvents(update.facts, status, before);
  if (update.kind === 'Leaving' && update.pendingPrune === undefined) return [];
  const { reason, message } = update.kind === 'Leaving' ? update : update.error;
  return isOtherFailure(environment, { reason, message }, status, before)
    ? [{ type: 'Warning', reason, message }]
    : [];
}

/** The same for the log. Pure. */
export function linesOf(
  update: TargetUpdate,
  status: ApplicationStatus,
  { environment, before }: Report,
): LogLine[] {
  if (update.kind === 'Facts') return changeLines(environment, status, before);
  return update.kind === 'Leaving' ? heldLines(environment, status, before) : [];
}

export function actionOf({ kind }: TargetUpdate): Action {
  return kind === 'Leaving' ? 'Delete' : 'Sync';
}

function whileLeaving(update: Leaving, before: Before): ApplicationStatus {
  const { isStalled, reason, health, retry } = update;
  const message = cut(update.message, STATUS_LIMITS.message);
  const { kept, keptTotal, retry: _, ...others } = before.status ?? {};
  const keptNow = update.kept?.map((one) => ({ environment: before.environment, ...one })) ?? kept ?? [];
  const sync = isStalled ? 'Blocked' : reason === 'Suspended' ? 'Suspended' : 'Syncing';
  const remedy = isStalled ? 'Person' : 'Time';
  const status = hindered({ sync, health, reason, message, remedy, retry }, before);
  return boundStatus({
    ...others,
    ...status,
    environments: status.environments.map(({ pendingPrune: _pending, ...entry }) =>
      update.pendingPrune === undefined
        ? entry
        : { ...entry, pendingPrune: pendingPruneOf(update.pendingPrune) },
    ),
    ...(keptNow.length === 0
      ? {}
      : { kept: keptNow, keptTotal: update.kept?.length ?? keptTotal ?? keptNow.length }),
  });
}

/** What runs is as it was, as far as is known. */
function whileFailing(update: Failing, before: Before): ApplicationStatus {
  const { reason, message, remedy } = update.error;
  const retry = update.kind === 'Failing' ? update.retry : undefined;
  const handled = update.kind === 'Refused' ? update.handledSyncRequest : undefined;
  return boundStatus({
    ...before.status,
    // Nobody sees what runs there any more.
    ...hindered(
      {
        sync: 'Blocked',
        health: update.kind === 'Refused' ? 'Unknown' : undefined,
        reason,
        message,
        remedy,
        retry,
      },
      before,
    ),
    ...(handled === undefined ? {} : { handledSyncRequest: handled }),
  });
}

/** What the whole status and the entry of the environment say while no look tells where that stands. */
function hindered(
  hindrance: Hindrance,
  { environment, generation, now, status }: Before,
): Partial<ApplicationStatus> & { environments: EnvironmentStatus[] } {
  const { sync, health, reason, message, remedy, retry } = hindrance;
  const entry = hinderedEntry(environmentOf(status, environment), environment, hindrance, secondTime(now));
  return {
    ...notReady(status ?? {}),
    ...unready(status, { reason, message, isStalled: remedy === 'Person' }, generation, now),
    sync,
    ...(health === undefined ? {} : { health }),
    environments: [entry],
    ...(retry === undefined ? {} : { retry: retryOf(retry, environment) }),
  };
}

function retryOf({ attempts, nextAt }: Retry, environment: string) {
  return { attempts, nextAt: secondTime(nextAt), environment };
}

/** What `kubectl get` shows of an Application that is not looked after as usual. */
function notReady({ summary }: ApplicationStatus): Pick<ApplicationStatus, 'summary'> {
  return summary === undefined ? {} : { summary: { ...summary, environments: '0/1' } };
}
