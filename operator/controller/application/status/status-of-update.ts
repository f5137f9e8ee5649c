import { type ApplicationStatus, environmentOf } from '../../../api/v1alpha1/application.ts';
import { STATUS_LIMITS } from '../../../api/v1alpha1/application-status.ts';
import { boundStatus, cut } from '../../../api/v1alpha1/bound-status.ts';
import { setConditions } from '../../../api/v1alpha1/conditions.ts';
import { secondTime } from '../../../kube/times.ts';
import type { TargetUpdate } from '../../target/words/target-update.ts';
import type { Report } from '../../target/words/unreported.ts';
import { changeEvents, type ReportedEvent } from './event-texts.ts';
import { changeLines, type LogLine } from './log-lines.ts';
import { judge, settle } from './settle.ts';

/** What an event tells of; those of a deletion are no repetition of what a sync did. */
export type Action = 'Sync' | 'Delete';

type Leaving = Extract<TargetUpdate, { kind: 'Leaving' }>;
type Failing = Extract<TargetUpdate, { kind: 'Failing' }>;
type Conditions = Required<Pick<ApplicationStatus, 'conditions' | 'observedGeneration'>>;

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
      return whileFailing(update, before);
  }
}

/** The same of one that has told nothing yet: what was told of it before stays. Pure. */
export function statusUntold({ environment, generation, now, status }: Before): ApplicationStatus {
  const entry = environmentOf(status, environment);
  const { sync = 'Syncing', health = 'Unknown', message = 'It was not looked at yet.' } = entry ?? {};
  const reason = entry?.blockedBy?.[0]?.reason ?? (sync === 'Synced' ? 'Synced' : sync);
  const isForPerson = status?.conditions?.some(
    (condition) => condition.type === 'Stalled' && condition.reason === reason,
  );
  const standing = { sync, reason, message, ...(isForPerson === true ? { remedy: 'Person' as const } : {}) };
  const judged = judge(standing, { state: health, message });
  const conditions = [
    { type: 'Ready', ...judged.ready },
    ...(judged.reconciling ? [{ ...judged.ready, type: 'Reconciling', status: 'True' as const }] : []),
    ...(judged.stalled ? [{ ...judged.ready, type: 'Stalled', status: 'True' as const }] : []),
  ];
  const isReady = judged.ready.status === 'True';
  return {
    ...status,
    conditions: setConditions(
      status?.conditions ?? [],
      conditions,
      status?.observedGeneration ?? generation,
      secondTime(now),
    ),
    sync,
    health,
    summary: { ...status?.summary, environments: isReady ? '1/1' : '0/1' },
    environments: entry === undefined ? [] : [entry],
  };
}

/** What is news about a status. Pure. */
export function newsOf(update: TargetUpdate, status: ApplicationStatus, { before }: Report): ReportedEvent[] {
  if (update.kind === 'Facts') return changeEvents(update.facts, status, before);
  if (update.kind === 'Leaving') return [];
  const { reason, message } = update.error;
  const ready = before?.conditions?.find(({ type }) => type === 'Ready');
  const isOld = ready?.reason === reason && ready.message === message;
  return isOld ? [] : [{ type: 'Warning', reason, message }];
}

/** The same for the log. Pure. */
export function linesOf(
  update: TargetUpdate,
  status: ApplicationStatus,
  { environment, before }: Report,
): LogLine[] {
  return update.kind === 'Facts' ? changeLines(environment, status, before) : [];
}

export function actionOf({ kind }: TargetUpdate): Action {
  return kind === 'Leaving' ? 'Delete' : 'Sync';
}

function whileLeaving(update: Leaving, { environment, generation, now, status }: Before): ApplicationStatus {
  const message = cut(update.message, STATUS_LIMITS.message);
  const { kept, keptTotal, retry: _, ...before } = status ?? {};
  const keptNow = update.kept?.map((one) => ({ environment, ...one })) ?? kept ?? [];
  return boundStatus({
    ...before,
    ...notReady(before),
    sync: update.isStalled ? ('Blocked' as const) : ('Syncing' as const),
    ...unready(status, { ...update, message }, generation, now),
    ...(keptNow.length === 0
      ? {}
      : { kept: keptNow, keptTotal: update.kept?.length ?? keptTotal ?? keptNow.length }),
    ...(update.retry === undefined ? {} : { retry: retryOf(update.retry, environment) }),
  });
}

/** What runs is as it was, as far as is known. */
function whileFailing(
  { error, retry }: Failing,
  { environment, generation, now, status }: Before,
): ApplicationStatus {
  const { reason, message, remedy } = error;
  return boundStatus({
    ...status,
    ...notReady(status ?? {}),
    sync: 'Blocked' as const,
    ...unready(status, { reason, message, isStalled: remedy === 'Person' }, generation, now),
    retry: retryOf(retry, environment),
  });
}

function retryOf({ attempts, nextAt }: Failing['retry'], environment: string) {
  return { attempts, nextAt: secondTime(nextAt), environment };
}

/** Conditions of what does not get on. */
export function unready(
  previous: Pick<ApplicationStatus, 'conditions'> | undefined,
  { reason, message, isStalled }: { reason: string; message: string; isStalled: boolean },
  generation: number,
  now: Date,
): Conditions {
  const judged = [
    { type: 'Ready', status: 'False' as const, reason, message },
    { type: isStalled ? 'Stalled' : 'Reconciling', status: 'True' as const, reason, message },
  ];
  const conditions = setConditions(previous?.conditions ?? [], judged, generation, secondTime(now));
  return { observedGeneration: generation, conditions };
}

/** What `kubectl get` shows of an Application that is not looked after as usual. */
export function notReady({ summary }: ApplicationStatus): Pick<ApplicationStatus, 'summary'> {
  return summary === undefined ? {} : { summary: { ...summary, environments: '0/1' } };
}
