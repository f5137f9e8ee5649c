import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { classify } from '../../apply/classify.ts';
import { ApiError, NotLeaderError, UnreachableError } from '../../kube/errors.ts';
import { type DeletionParts, tellUndeleted } from './deletion.ts';

/** What the log is told of a look that failed. */
export interface Fault {
  message: string;
  stack?: string;
}

/** So many looks in a row that failed are told on the Application: one alone may have had bad luck. */
const TOLD_AFTER = 3;
/** How long it may take to find out what to keep silent about, and to tell of a look that failed. */
const TELL_MS = 10_000;
/** Whether nobody foresaw it. */
export function isDefect(error: unknown): boolean {
  const foreseen = [TowpathError, ApiError, UnreachableError, NotLeaderError];
  return !foreseen.some((kind) => error instanceof kind);
}

/**
 * The one place where what ended a look leaves it, to the log and to the Application: no value of a Secret does (S5).
 * Never rejects.
 */
export async function tellFailed(
  deletion: DeletionParts,
  failed: {
    key: string;
    /** Undefined where it cannot be read: then nothing of Secrets can be in the error. */
    application: Application | undefined;
    error: unknown;
    retry: { attempts: number; nextAt: Date };
  },
  { onFault, isOver }: { onFault(key: string, fault: Fault): void; isOver(): boolean },
): Promise<void> {
  const { wanted } = deletion.parts;
  const { key, application, error, retry } = failed;
  if (application === undefined)
    return onFault(
      key,
      describe(error, (text) => text),
    );
  const signal = AbortSignal.timeout(TELL_MS);
  const isDeleted = application.metadata.deletionTimestamp !== undefined;
  // A process that began with the deletion has not read them yet.
  if (isDeleted) await wanted.learnSecrets(application, signal).catch(() => undefined);
  // Before anything is cut or folded: part of a value is not known as one any more.
  const fault = describe(error, (text) => wanted.hideIn(application, text));
  onFault(key, fault);
  if (isDeleted) return tellUndeleted(deletion, application, error).catch(() => undefined);
  if (retry.attempts < TOLD_AFTER || error instanceof NotLeaderError) return;
  const told = wanted.hide(application, toldOf(error, fault, application.metadata));
  // Meanwhile it may have come to an end, or have been changed.
  if (isOver() || !(told instanceof TowpathError)) return;
  const latest = deletion.latest(application);
  const unreported = deletion.unreportedOf(application);
  await deletion.writer.tellFailed(latest, unreported, { error: told, retry }, signal).catch(() => undefined);
}

function describe(error: unknown, hideIn: (text: string) => string): Fault {
  if (!(error instanceof Error)) return { message: hideIn(String(error)) };
  const stack = isDefect(error) ? error.stack : undefined;
  return { message: hideIn(error.message), ...(stack === undefined ? {} : { stack: hideIn(stack) }) };
}

/** What ended a look, as its Application is told it: what nobody foresaw is a defect of ours. */
function toldOf(
  error: unknown,
  { message }: Fault,
  object: { namespace: string; name: string },
): TowpathError {
  if (!isDefect(error))
    return classify(error, 'work on', { group: '', kind: 'Application', ...object }).error;
  const why = message.slice(0, 500).replaceAll(/\s+/g, ' ');
  const before = 'A defect of Towpath: ';
  const after =
    '. It is tried again, ever more rarely. Send this message and the Application, without what is secret in it, to who runs Towpath: its log has more.';
  return new TowpathError('Person', 'InternalError', fitBetween(before, why, after), { cause: error });
}
