import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { classify } from '../../apply/classify.ts';
import {
  ApiError,
  isAlreadyExists,
  isConflict,
  NotLeaderError,
  UnreachableError,
} from '../../kube/errors.ts';
import { backoffMs } from '../../retry/backoff.ts';
import type { Secrecy } from '../candidate/secrecy/secrecy.ts';
import { PATIENCE_MS } from './next.ts';

/** What the log is told of a look that failed. */
export interface Fault {
  message: string;
  stack?: string;
}

/** So many looks in a row that failed are told on the Application: one alone may have had bad luck. */
const TOLD_AFTER = 3;
/** Before the next look where the API server knew something newer, where something failed, and where a defect did. */
const OUTDATED = { firstMs: 100, longestMs: PATIENCE_MS };
const FAILED = { firstMs: 1_000, longestMs: PATIENCE_MS };
const DEFECT = { firstMs: 1_000, longestMs: 10 * 60_000 };
/** So many in a row are no accident, and told as what else fails is. */
const UNLIKELY_CONFLICTS = 6;

/** Whether nobody foresaw it. */
export function isDefect(error: unknown): boolean {
  const foreseen = [TowpathError, ApiError, UnreachableError, NotLeaderError];
  return !foreseen.some((kind) => error instanceof kind);
}

/** Somebody else wrote: what the watches have not told yet is to be read first. */
export function isOutdated(error: unknown): boolean {
  return isConflict(error) || isAlreadyExists(error);
}

/** An accident that the next look mends, and nobody has to hear of. */
export function isAccident(error: unknown, failures: number): boolean {
  return isOutdated(error) && failures < UNLIKELY_CONFLICTS;
}

/** How long to wait after so many failures in a row, in milliseconds. */
export function pauseAfter(error: unknown, failures: number, random: number): number {
  const pace = isAccident(error, failures) ? OUTDATED : isDefect(error) ? DEFECT : FAILED;
  return backoffMs({ ...pace, failures, jitter: 'Fifth', random });
}

/**
 * The one place where what ended a look leaves it, for the log: no value of a Secret does (S5). Before anything is
 * cut or folded: part of a value is not known as one any more.
 */
export function faultOf(error: unknown, application: Application | undefined, secrecy: Secrecy): Fault {
  // Of one that cannot be read nothing of Secrets can be in the error.
  const hide = (text: string) => (application === undefined ? text : secrecy.hideIn(application, text));
  if (!(error instanceof Error)) return { message: hide(String(error)) };
  const stack = isDefect(error) ? error.stack : undefined;
  return { message: hide(error.message), ...(stack === undefined ? {} : { stack: hide(stack) }) };
}

/**
 * What ended a look, as its Application is told it, without values of Secrets: what nobody foresaw is a defect of ours.
 * Undefined: it has happened too rarely so far.
 */
export function errorToTell(
  error: unknown,
  failures: number,
  application: Application,
  secrecy: Secrecy,
): TowpathError | undefined {
  if (failures < TOLD_AFTER || error instanceof NotLeaderError) return undefined;
  const hidden = secrecy.hide(application, asTowpathError(error, application, secrecy));
  return hidden instanceof TowpathError ? hidden : undefined;
}

function asTowpathError(error: unknown, application: Application, secrecy: Secrecy): TowpathError {
  const { namespace, name } = application.metadata;
  if (!isDefect(error))
    return classify(error, 'work on', { group: '', kind: 'Application', namespace, name }).error;
  const { message } = faultOf(error, application, secrecy);
  const why = message.slice(0, 500).replaceAll(/\s+/g, ' ');
  const before = 'A defect of Towpath: ';
  const after =
    '. It is tried again, ever more rarely. Send this message and the Application, without what is secret in it, to who runs Towpath: its log has more.';
  return new TowpathError('Person', 'InternalError', fitBetween(before, why, after), { cause: error });
}
