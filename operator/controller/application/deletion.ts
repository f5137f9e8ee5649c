import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { DEFAULT_ENVIRONMENT, FINALIZER } from '../../api/v1alpha1/names.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { KeptObject } from '../../plan/plan.ts';
import { targetId } from '../record.ts';
import { finalize } from './finalize.ts';
import { accessOf, type Parts } from './run.ts';
import { explainForbidden } from './service-account.ts';
import type { ApplicationWriter } from './writer.ts';

export interface DeletionParts {
  parts: Parts;
  writer: ApplicationWriter;
  /** The Application as it is known by now: an answer of ours may have made it newer. */
  latest(application: Application): Application;
}

/** Deletes what an Application that is to go has deployed, then lets it go; answers whether it is gone. */
export async function deleteApplication(
  { parts, writer, latest }: DeletionParts,
  application: Application,
  signal: AbortSignal,
): Promise<boolean> {
  const { finalizers } = application.metadata;
  if (!finalizers.includes(FINALIZER)) return true;
  const tell = (message: string, kept?: readonly KeptObject[]) =>
    writer.tellDeleting(
      latest(application),
      { reason: 'Deleting', message, isStalled: false, ...(kept === undefined ? {} : { kept }) },
      signal,
    );
  const warn = (message: string) => writer.warn(application, 'RecordDamaged', message);
  const finalized = await finalize(parts, application, signal, { tell, warn });
  if (finalized.state === 'Gone') {
    // Another's that went in the meantime must not come back.
    const { metadata } = latest(application);
    await writer.setFinalizers(metadata, without(metadata.finalizers), signal);
    writer.tellDeleted(application, finalized.kept);
    return true;
  }
  await tell(finalized.message, finalized.kept);
  return false;
}

/**
 * What an Application that cannot be read wants done with its objects is unknown: they are left, like with
 * deletionPolicy Orphan, and it is let go.
 */
export async function releaseUnreadable(
  { parts, writer }: DeletionParts,
  { metadata }: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace = '', finalizers = [] } = metadata;
  if (!finalizers.includes(FINALIZER)) return;
  const target = { namespace, application: name, environment: DEFAULT_ENVIRONMENT };
  const record = parts.store.get(targetId(parts.installation, target));
  if (record !== undefined) await parts.store.remove(record, signal);
  await writer.setFinalizers(metadata, without(finalizers), signal);
}

/** Says why a deletion did not get on, and what a person can do about it. */
export async function tellUndeleted(
  { parts, writer }: DeletionParts,
  application: Application,
  error: unknown,
): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const account = accessOf(parts, application, signal).as;
  await parts.wanted.learnSecrets(application, signal).catch(() => undefined);
  const hidden = parts.wanted.hide(application, error);
  const told =
    hidden instanceof TowpathError ? await explainForbidden(parts.client, account, hidden, signal) : hidden;
  const why = told instanceof Error ? told.message : String(told);
  // Without the right, or without an answer, only the person can say that the objects are to be left.
  const abandon = ' To leave the objects: annotate towpath.dev/abandon=default.';
  const message = fitBetween('Deleting: ', why, abandon);
  const isStalled = !(told instanceof TowpathError && told.remedy === 'Time' && told.reason !== 'HookFailed');
  writer.warn(application, 'DeletionFailed', message);
  await writer.tellDeleting(application, { reason: 'DeletionFailed', message, isStalled }, signal);
}

function without(finalizers: readonly string[]): string[] {
  return finalizers.filter((finalizer) => finalizer !== FINALIZER);
}
