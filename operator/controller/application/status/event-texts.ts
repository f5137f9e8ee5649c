import {
  type ApplicationStatus,
  type EnvironmentStatus,
  environmentOf,
  type HistoryEntry,
} from '../../../api/v1alpha1/application.ts';
import { describeObject, type ObjectId } from '../../../manifest/manifest.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { Facts, Repaired } from '../../target/words/facts.ts';
import type { Report } from '../../target/words/unreported.ts';
import { judge } from './conditions.ts';
import { reasonOf } from './environment-entry.ts';

/** What an event about an Application says. */
export interface ReportedEvent {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** Of the same kind, at a time. */
const MOST = 5;

/**
 * What is news of a status, with the facts that it was made of. Told only when it changed, so that a flapping object
 * or a resync floods nothing (A14). Pure.
 */
export function changeEvents(
  { standing, health, environment }: Pick<Facts, 'standing' | 'health' | 'environment'>,
  status: ApplicationStatus,
  before: ApplicationStatus | undefined,
): ReportedEvent[] {
  const events: ReportedEvent[] = [];
  const place = placeOf(status, environment);
  const [stands, stood] = [standsIn(status, place), standsIn(before, place)];
  if (stands === undefined) return events;
  const reason = place === undefined ? stands.state : judge(standing, health).ready.reason;
  const { advice } = standing;
  const message = inPlace(place, stands.message) + (advice === undefined ? '' : `\n${advice}`);
  const isOther = stands.state !== stood?.state;
  const isOtherMessage = isOther || stands.message !== stood.message;
  const isProblem =
    standing.remedy === 'Person' ||
    ['Quarantined', 'Failed'].includes(standing.sync) ||
    reason === 'Degraded';
  // For another resource, or for time. Its message may have numbers that differ at each try.
  const isWait = standing.sync === 'Blocked' && !isProblem;
  if ((isProblem && isOtherMessage) || (isWait && isOther)) events.push({ type: 'Warning', reason, message });
  if (standing.reason === 'AwaitingSync' && stands.message !== stood?.message)
    events.push({ type: 'Normal', reason: standing.reason, message: inPlace(place, standing.message) });
  if (
    standing.reason === 'OutOfSync' &&
    isMoreDrift(environmentOf(status, environment)?.drift, environmentOf(before, environment)?.drift)
  )
    events.push({ type: 'Warning', reason: 'DriftReported', message: inPlace(place, standing.message) });
  return events;
}

/** The environment, where its Application has others, too, and conditions may be those of another one. */
export function placeOf(status: ApplicationStatus, environment: string): string | undefined {
  return (status.environments?.length ?? 0) > 1 ? environment : undefined;
}

function inPlace(place: string | undefined, message: string): string {
  return place === undefined ? message : `In ${place}: ${message}`;
}

/** How an Application stands, or one of its environments: what differs is news. */
function standsIn(
  status: ApplicationStatus | undefined,
  place: string | undefined,
): { state: string; message: string } | undefined {
  if (place === undefined) {
    const ready = readyOf(status);
    return ready && { state: ready.reason, message: ready.message };
  }
  const entry = environmentOf(status, place);
  if (entry === undefined) return undefined;
  const { sync = 'Syncing', health = 'Unknown', message = '' } = entry;
  const reason = reasonOf(entry);
  // Of what is not in place the health says nothing new, however it flaps.
  return { state: judge({ sync, reason, message }, { state: health }).ready.reason, message };
}

/** Whether an error that no look came past is news of the status. Pure. */
export function isOtherFailure(
  environment: string,
  { reason, message }: { reason: string; message: string },
  status: ApplicationStatus,
  before: ApplicationStatus | undefined,
): boolean {
  const place = placeOf(status, environment);
  if (place === undefined) {
    const ready = readyOf(before);
    return ready?.reason !== reason || ready.message !== message;
  }
  const [stands, stood] = [standsIn(status, place), standsIn(before, place)];
  return stands?.state !== stood?.state || stands?.message !== stood?.message;
}

/** What was done and found besides. Pure. */
export function doneEvents({
  begun,
  outcomes,
  warnings,
  done,
}: Pick<Report, 'begun' | 'outcomes' | 'warnings' | 'done'>): ReportedEvent[] {
  return [
    ...begun.flatMap(({ how, deployment }) => (how === 'begun' ? promotedEvents(deployment) : [])),
    ...done.repaired.slice(0, MOST).flatMap(repairEvents),
    ...done.endedHooks.slice(0, MOST).map((object) => normal('HookDeleted', deletedHook(object))),
    ...prunedEvents(done.pruned),
    ...warnings.slice(0, MOST).map(({ reason, message }) => ({ type: 'Warning' as const, reason, message })),
    ...outcomes.flatMap(endEvents),
  ];
}

/** Deployments that ended and are not told yet, oldest first: what the status has of them, and an earlier one had. */
export function endedSince(
  status: ApplicationStatus,
  { environment, before, outcomes }: Pick<Report, 'environment' | 'before' | 'outcomes'>,
) {
  const earlier = new Set([...historyOf(before, environment), ...outcomes].map(toldAs));
  const since = historyOf(status, environment).filter(
    (entry) => entry.outcome !== undefined && !earlier.has(toldAs(entry)),
  );
  return [...outcomes, ...since.reverse()];
}

function toldAs({ id, outcome }: HistoryEntry): string {
  return `${id} ${outcome}`;
}

function historyOf(status: ApplicationStatus | undefined, environment: string): HistoryEntry[] {
  return environmentOf(status, environment)?.history ?? [];
}

function readyOf(status: ApplicationStatus | undefined) {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

function normal(reason: string, message: string): ReportedEvent {
  return { type: 'Normal', reason, message };
}

/** What a person had enter, and past which gates, is told beside what a policy does by itself. */
function promotedEvents({ candidate, promoted }: Report['begun'][number]['deployment']): ReportedEvent[] {
  if (promoted === undefined) return [];
  const { promotion, by, skipped = [] } = promoted;
  const past = skipped.length === 0 ? '' : `, past its gates ${skipped.join(', ')}`;
  const what = `Revision ${shortRevision(candidate.revision, candidate.ref)}`;
  return [normal('Promoted', `${what} enters${past}: ${by} asked for it by Promotion ${promotion}.`)];
}

/** One that failed is told as the problem that it is. */
function endEvents({ outcome, revision, ref = '', message = '' }: HistoryEntry): ReportedEvent[] {
  const what = `Revision ${shortRevision(revision, ref)}`;
  if (outcome === 'Succeeded') return [normal('Synced', `${what} is deployed and healthy.`)];
  if (outcome === 'Superseded') return [normal('Superseded', `${what} was overtaken before it was healthy.`)];
  if (outcome === 'Cancelled') return [normal('Cancelled', `${what} goes no further: ${message}`)];
  if (outcome === 'RolledBack')
    return [
      {
        type: 'Warning',
        reason: 'RolledBack',
        message:
          `${what} is rejected, and the environment goes back to what passed there last. ${message}`.trim(),
      },
    ];
  return [];
}

function prunedEvents(pruned: readonly ObjectId[]): ReportedEvent[] {
  const [first, ...others] = pruned;
  if (first === undefined) return [];
  const more = others.length === 0 ? 'is' : `and ${others.length} more are`;
  const were = others.length === 0 ? 'was' : 'were';
  return [normal('Pruned', `${describeObject(first)} ${more} no longer in Git and ${were} deleted.`)];
}

function deletedHook(object: ObjectId): string {
  return `${describeObject(object)}, a hook that nothing waits for any more, had not ended and was deleted.`;
}

function repairEvents({ object, by, contested }: Repaired): ReportedEvent[] {
  const after = by === undefined ? '' : ` after a change by ${by}`;
  const repaired = normal(
    'DriftRepaired',
    `${describeObject(object)} was put back to what Git says${after}.`,
  );
  if (contested === undefined) return [repaired];
  const fields = contested.length === 0 ? '' : ` (${contested.join(', ')})`;
  const message = `${describeObject(object)} is changed by ${by ?? 'somebody'}${fields} and put back again and again: stop who changes it, or leave the field to them with spec.sync.ignore.`;
  return [repaired, { type: 'Warning', reason: 'DriftContested', message }];
}

type Drift = EnvironmentStatus['drift'];

/** More drift than was told, or as much of another. */
function isMoreDrift(drift: Drift, before: Drift): boolean {
  if (drift === undefined || before === undefined || drift.count !== before?.count)
    return (drift?.count ?? 0) > (before?.count ?? 0);
  return drift.lastObject !== before?.lastObject || drift.lastBy !== before?.lastBy;
}
