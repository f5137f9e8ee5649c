import {
  type ApplicationStatus,
  environmentOf,
  type HistoryEntry,
} from '../../../api/v1alpha1/application.ts';
import { SOURCE_REASONS } from '../../../api/v1alpha1/reasons/source.ts';
import { describeObject, type ObjectId } from '../../../manifest/manifest.ts';
import type { ApplicationLineName, LogField } from '../../../observe/application-log.ts';
import { shortCandidate } from '../../candidate/revision.ts';
import type { PromotedBy } from '../../record/record.ts';
import type { Report } from '../../target/words/unreported.ts';
import type { EndedTarget } from './end-texts.ts';
import { placeOf } from './event-texts.ts';

/** What the log is told of an Application. */
export interface LogLine {
  line: ApplicationLineName;
  fields: Partial<Record<LogField, string | number>>;
}

/** What the log is told of what was done. Pure. */
export function doneLines({
  environment,
  begun,
  outcomes,
  done,
}: Pick<Report, 'environment' | 'begun' | 'outcomes' | 'done'>): LogLine[] {
  return [
    ...begun.map(({ how, deployment: { id, trigger, candidate, promoted } }) => ({
      line: how,
      fields: {
        environment,
        deployment: id,
        revision: candidate.revision,
        candidate: shortCandidate(candidate.id),
        trigger,
        ...(promoted === undefined ? {} : askedFor(promoted)),
      },
    })),
    ...objectLines(
      'repaired',
      environment,
      done.repaired.map(({ object }) => object),
    ),
    ...objectLines('pruned', environment, done.pruned),
    ...outcomes.map((entry) => endedLine(environment, entry)),
  ];
}

function askedFor({ promotion, by, skipped = [] }: PromotedBy): LogLine['fields'] {
  return { promotion, by, ...(skipped.length === 0 ? {} : { skipped: skipped.join(',') }) };
}

/** What the log is told of what is news in a status. Pure. */
export function changeLines(
  environment: string,
  status: ApplicationStatus,
  before: ApplicationStatus | undefined,
): LogLine[] {
  return [
    ...quarantineLines(environment, status, before),
    ...heldLines(environment, status, before),
    ...suspensionLines(status, before),
    ...sourceLines(status, before),
  ];
}

/** Of so many namespaces the log is told. */
const NAMESPACES = 10;

/** What the log is told of a target that is over, and whose objects nobody deleted. Pure. */
export function behindLines({ environment, behind }: Pick<EndedTarget, 'environment' | 'behind'>): LogLine[] {
  if (behind === undefined) return [];
  const { why, namespaces } = behind;
  const more = namespaces.length > NAMESPACES ? ',…' : '';
  const shown = `${namespaces.slice(0, NAMESPACES).join()}${more}`;
  return [{ line: 'leftBehind', fields: { environment, namespaces: shown, why } }];
}

function endedLine(
  environment: string,
  { id, revision, candidate, trigger, outcome, startedAt, finishedAt }: HistoryEntry,
): LogLine {
  return {
    line: 'ended',
    fields: {
      environment,
      deployment: id,
      revision,
      ...shortened(candidate),
      trigger,
      ...(outcome === undefined ? {} : { outcome }),
      ...(finishedAt === undefined
        ? {}
        : { seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000 }),
    },
  };
}

function shortened(candidate: string | undefined): LogLine['fields'] {
  return candidate === undefined ? {} : { candidate: shortCandidate(candidate) };
}

function objectLines(
  line: ApplicationLineName,
  environment: string,
  objects: readonly ObjectId[],
): LogLine[] {
  const [first] = objects;
  if (first === undefined) return [];
  return [{ line, fields: { environment, object: describeObject(first), objects: objects.length } }];
}

function quarantineLines(
  environment: string,
  status: ApplicationStatus,
  before: ApplicationStatus | undefined,
): LogLine[] {
  const { quarantine } = status;
  const former = before?.quarantine;
  if (quarantine === undefined || !isQuarantined(status, environment)) return [];
  const { revision, candidate, total: errors } = quarantine;
  const isSame = former?.revision === revision && former.candidate === candidate;
  if (isSame && isQuarantined(before, environment)) return [];
  const reason = reasonsOf(status)[0];
  return [
    {
      line: 'quarantined',
      fields: {
        environment,
        revision,
        ...shortened(candidate),
        ...(reason === undefined ? {} : { reason }),
        errors,
      },
    },
  ];
}

/** Errors name their environment, and each that has any is named. */
function isQuarantined(status: ApplicationStatus | undefined, environment: string): boolean {
  if (status?.quarantine === undefined) return false;
  const place = placeOf(status, environment);
  return (
    place === undefined || status.quarantine.errors?.some((error) => error.environment === place) === true
  );
}

/** That a deletion waits for consent. */
export function heldLines(
  environment: string,
  status: ApplicationStatus,
  before: ApplicationStatus | undefined,
): LogLine[] {
  const held = environmentOf(status, environment)?.pendingPrune;
  const former = environmentOf(before, environment)?.pendingPrune;
  if (held === undefined || held.digest === former?.digest) return [];
  return [{ line: 'held', fields: { environment, objects: held.count, digest: held.digest } }];
}

function suspensionLines(status: ApplicationStatus, before: ApplicationStatus | undefined): LogLine[] {
  const is = status.sync === 'Suspended';
  const was = before?.sync === 'Suspended';
  if (is === was) return [];
  return [{ line: is ? 'suspended' : 'resumed', fields: {} }];
}

/** While it is suspended the repository is not asked. */
function sourceLines(status: ApplicationStatus, before: ApplicationStatus | undefined): LogLine[] {
  const reason = sourceReason(status);
  const former = sourceReason(before);
  if (reason === former || status.sync === 'Suspended') return [];
  return [
    reason === undefined
      ? { line: 'sourceRecovered', fields: {} }
      : { line: 'sourceFailing', fields: { reason } },
  ];
}

function sourceReason(status: ApplicationStatus | undefined): string | undefined {
  return reasonsOf(status).find((reason) => reason in SOURCE_REASONS);
}

/** Of all conditions, that of Ready first. */
function reasonsOf(status: ApplicationStatus | undefined): string[] {
  return (status?.conditions ?? [])
    .toSorted((one, other) => Number(other.type === 'Ready') - Number(one.type === 'Ready'))
    .map(({ reason }) => reason);
}
