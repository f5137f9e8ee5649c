import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import { ANNOTATION_ABANDON, ANNOTATION_SYNC_REQUESTED, FINALIZER } from '../../api/v1alpha1/names.ts';
import type { KubeObject } from '../../kube/client.ts';
import { secondTime } from '../../kube/times.ts';
import type { KeptObject } from '../../plan/plan.ts';
import { applicationKey } from '../record/application-key.ts';
import { finalize } from '../target/finalize.ts';
import type { Parts } from '../target/run.ts';
import { explainForbidden } from '../target/service-account.ts';
import { syncRetryMs } from '../target/sync-retries.ts';
import type { Unreported } from '../target/unreported.ts';
import type { ApplicationWriter } from './status/writer.ts';
import type { Targets } from './targets.ts';

export interface DeletionParts {
  parts: Parts;
  targets: Targets;
  writer: ApplicationWriter;
  /** The Application as it is known by now: an answer of ours may have made it newer. */
  latest(application: Application): Application;
  unreportedOf(application: Application): Unreported;
  /** Of Applications that were let go and may be there still, by their keys: what to tell when they are gone. */
  letGo: Map<string, { application: Application; kept: readonly KeptObject[]; unreported: Unreported }>;
  /** Of Applications that are being deleted and had a hook that failed, by their keys. */
  hookRetries: Map<string, HookRetry>;
}

/** A hook of a deletion is work each time it is run: not at each change in the cluster, nor of what it made. */
interface HookRetry {
  tries: number;
  until: Date;
  /** The sync request that there was: another one ends the rest. */
  syncRequest: string | undefined;
  /** What it failed with; undefined where an earlier process told. */
  error?: unknown;
}

/** Deletes what an Application that is to go has deployed, then lets it go; answers whether it is gone. */
export async function deleteApplication(
  deletion: DeletionParts,
  application: Application,
  signal: AbortSignal,
): Promise<boolean> {
  const { parts, writer, latest, hookRetries } = deletion;
  const key = applicationKey(application);
  const hookRetry = takeHookRetry(deletion, application);
  const mayRunHooks =
    hookRetry === undefined ||
    hookRetry.until <= parts.home.now() ||
    hookRetry.syncRequest !== syncRequestOf(application);
  // It takes over nothing any more.
  parts.wishes.tell(key, new Set());
  const { finalizers } = application.metadata;
  if (!finalizers.includes(FINALIZER)) {
    tellGone(deletion, key);
    return true;
  }
  const unreported = deletion.unreportedOf(application);
  const tell = (message: string, kept?: readonly KeptObject[]) =>
    writer.tellDeleting(
      latest(application),
      unreported,
      { reason: 'Deleting', message, isStalled: false, ...(kept === undefined ? {} : { kept }) },
      signal,
    );
  const warn = (message: string) => writer.warn(application, 'RecordDamaged', message);
  const [target] = deletion.targets.of(application);
  const finalized = await finalize(parts, application, target, signal, {
    tell,
    warn,
    mayRunHooks,
    onHooksRun: () => hookRetries.delete(key),
    unreported,
  });
  if (finalized.state === 'Resting') {
    // Again, in case it could not be told when it failed.
    if (hookRetry?.error !== undefined)
      await tellUndeleted(deletion, application, hookRetry.error, { again: true });
    return false;
  }
  if (finalized.state === 'Gone') {
    deletion.letGo.set(key, { application, kept: finalized.kept, unreported });
    await letGo(deletion, application, signal);
    return true;
  }
  await tell(finalized.message, finalized.kept);
  return false;
}

/**
 * An Application was let go. Whoever sees it first tells, once: the watch may before the answer to our own write
 * does, and that answer may be lost.
 */
export function tellGone({ writer, letGo }: DeletionParts, key: string): void {
  const gone = letGo.get(key);
  letGo.delete(key);
  if (gone !== undefined) writer.tellDeleted(gone.application, gone.unreported, gone.kept);
}

/**
 * What an Application that cannot be read wants done with its objects is unknown: they are left, like with
 * deletionPolicy Orphan, and it is let go.
 */
export async function releaseUnreadable(
  { parts, targets, writer }: DeletionParts,
  { metadata }: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const { finalizers = [] } = metadata;
  if (!finalizers.includes(FINALIZER)) return;
  for (const target of targets.named(applicationKey({ metadata }))) {
    const record = parts.store.get(target);
    if (record !== undefined) await parts.store.remove(record, signal);
  }
  await writer.setFinalizers(metadata, without(finalizers), signal);
}

/** Notes that a hook failed; returns when it may run again: as spec.sync.retries says, however often that is. */
export function hookRetryAfter(
  { parts, hookRetries }: DeletionParts,
  application: Application,
  error: unknown,
): Date {
  const key = applicationKey(application);
  const tries = (hookRetries.get(key)?.tries ?? 0) + 1;
  const pause = syncRetryMs(application, tries, parts.random());
  const until = new Date(parts.home.now().getTime() + pause);
  hookRetries.set(key, { tries, until, syncRequest: syncRequestOf(application), error });
  return until;
}

async function letGo(deletion: DeletionParts, application: Application, signal: AbortSignal): Promise<void> {
  // Another's finalizer that went in the meantime must not come back.
  const { metadata } = deletion.latest(application);
  await deletion.writer.setFinalizers(metadata, without(metadata.finalizers), signal);
  tellGone(deletion, applicationKey(application));
}

function takeHookRetry({ hookRetries }: DeletionParts, application: Application): HookRetry | undefined {
  const key = applicationKey(application);
  const hookRetry = hookRetries.get(key) ?? hookRetryInStatus(application);
  if (hookRetry !== undefined) hookRetries.set(key, hookRetry);
  return hookRetry;
}

/** A restart is no reason to run it before its time. */
function hookRetryInStatus(application: Application): HookRetry | undefined {
  const { conditions = [], retry } = application.status ?? {};
  const ready = conditions.find(({ type }) => type === 'Ready');
  if (ready?.reason !== 'DeletionFailed' || retry?.nextAt === undefined) return undefined;
  return { tries: retry.attempts, until: new Date(retry.nextAt), syncRequest: syncRequestOf(application) };
}

/** How long the hook that failed still rests; Infinity: none does. */
export function hookRetryInMs({ parts, hookRetries }: DeletionParts, application: Application): number {
  const hookRetry = hookRetries.get(applicationKey(application));
  const left = hookRetry === undefined ? 0 : hookRetry.until.getTime() - parts.home.now().getTime();
  return left <= 0 ? Number.POSITIVE_INFINITY : left + 5;
}

function syncRequestOf(application: Application): string | undefined {
  return application.metadata.annotations[ANNOTATION_SYNC_REQUESTED];
}

/** Says why a deletion did not get on, and what a person can do about it. */
export async function tellUndeleted(
  { parts, targets, writer, latest, hookRetries, unreportedOf }: DeletionParts,
  application: Application,
  error: unknown,
  { again = false } = {},
): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const [target] = targets.of(application);
  const { account, environment } = target;
  await parts.wanted.learnSecrets(application, signal).catch(() => undefined);
  const hidden = parts.wanted.hide(application, error);
  const told =
    hidden instanceof TowpathError
      ? await explainForbidden(parts.clusterOf(target).client, account, hidden, signal)
      : hidden;
  const why = told instanceof Error ? told.message : String(told);
  // Without the right, or without an answer, only the person can say that the objects are to be left.
  const abandon = ` To leave the objects: annotate ${ANNOTATION_ABANDON}=${environment}.`;
  const message = fitBetween('Deleting: ', why, abandon);
  const isStalled = !(told instanceof TowpathError && told.remedy === 'Time' && told.reason !== 'HookFailed');
  if (!again) writer.warn(application, 'DeletionFailed', message);
  const hookRetry =
    told instanceof TowpathError && told.reason === 'HookFailed'
      ? hookRetries.get(applicationKey(application))
      : undefined;
  const retry =
    hookRetry === undefined
      ? {}
      : { retry: { attempts: hookRetry.tries, nextAt: secondTime(hookRetry.until) } };
  await writer.tellDeleting(
    latest(application),
    unreportedOf(application),
    { reason: 'DeletionFailed', message, isStalled, ...retry },
    signal,
  );
}

function without(finalizers: readonly string[]): string[] {
  return finalizers.filter((finalizer) => finalizer !== FINALIZER);
}
