import { TowpathError } from '../../api/errors.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { ApiError, isAlreadyExists, isConflict } from '../../kube/errors.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import { type Candidate, candidateKey } from '../record/record.ts';
import { explainUnserved } from './api-service.ts';
import { continueDeployment } from './continue-deployment.ts';
import type { PruneHeld } from './deploy-context.ts';
import { blocked, type Run } from './run.ts';
import { explainForbidden } from './service-account.ts';
import { tellHeld } from './standing.ts';

/** The first and the longest pause between tries of what is not the candidate's own failure. */
const FIRST_MS = 1_000;
export const PATIENCE_MS = 30_000;
/** What another resource decides that nobody watches: asked for again at short intervals. */
const UNSEEN: ReadonlySet<string> = new Set(['AlreadyAllocated', 'QuotaExceeded']);
const UNSEEN_MS = 5_000;
/** Before what runs is looked after again, when that went wrong too. */
const AGAIN_MS = 5_000;

/** What is wanted could not be begun or gone on with: says when it is tried again. */
export async function scheduleRetry(run: Run, inputs: string, error: unknown): Promise<Date | undefined> {
  const { context, session, facts } = run;
  if (!(error instanceof TowpathError)) return keepRunning(run, error);
  const { access, signal } = context;
  const told = await explainUnserved(
    access.client,
    await explainForbidden(access.client, access.as, error, signal),
    signal,
  );
  const attempts = (session.retry?.attempts ?? 0) + 1;
  const least = retryAfterMsOf(told);
  const wait =
    least === 0 ? 0 : Math.min(least, PATIENCE_MS) * (1 + 0.2 * run.parts.random()) + CLOCK_ERROR_MS;
  const longestMs = UNSEEN.has(told.reason) ? UNSEEN_MS : PATIENCE_MS;
  const pause = Math.max(pauseAfter(run, attempts, { firstMs: FIRST_MS, longestMs }), wait);
  const nextAt = new Date(context.now().getTime() + pause);
  session.retry = { inputs, error: told, attempts, triedAt: context.now(), nextAt };
  facts.retry = { attempts, nextAt };
  return keepRunning(run, told, nextAt);
}

/** The API server's clock is told in whole seconds: what is known of it may move by that much meanwhile. */
const CLOCK_ERROR_MS = 1_000;

/** How long the API server asked to wait (Retry-After), in milliseconds. */
function retryAfterMsOf(error: Error): number {
  if (error instanceof ApiError) return error.retryAfterMs ?? 0;
  return error.cause instanceof Error ? retryAfterMsOf(error.cause) : 0;
}

/**
 * What is wanted cannot run: the last good one stays enforced, and the status says why (A4, D6). `error`
 * undefined: nothing is wrong, only what runs is looked after.
 */
export async function keepRunning(run: Run, error: unknown, at?: Date): Promise<Date | undefined> {
  const { context } = run;
  // What is known is outdated, and nothing is to be done by it.
  if (isConflict(error) || isAlreadyExists(error)) throw error;
  // Already now: what runs may have a hook that takes its time.
  if (isTold(error)) standWaiting(run, error);
  const { deployment } = context.record;
  const { wanted } = run;
  const isWanted = (candidate: Candidate) =>
    wanted !== undefined && candidateKey(wanted.candidate) === candidateKey(candidate);
  if (deployment !== undefined && !isWanted(deployment.candidate)) {
    try {
      at = earlier(at, await continueDeployment(run));
    } catch (failure) {
      context.signal.throwIfAborted();
      error ??= failure;
      at = earlier(at, new Date(context.now().getTime() + AGAIN_MS));
    }
  }
  if (error === undefined) return at;
  if (!isTold(error)) throw error;
  standWaiting(run, error);
  return at;
}

function isTold(error: unknown): error is Quarantine | TowpathError {
  return error instanceof Quarantine || error instanceof TowpathError;
}

/** Where a target stands whose wanted candidate cannot run. */
function standWaiting({ context, facts, wanted }: Run, error: Quarantine | TowpathError): void {
  if (error instanceof Quarantine) {
    facts.rejected = error.rejected;
    if (error.retry !== undefined) facts.retry = error.retry;
    facts.standing = {
      sync: 'Quarantined',
      reason: error.error.reason,
      message: error.message,
      remedy: 'Person',
    };
  } else if (error.remedy === 'Time' && context.record.deployment !== undefined && wanted === undefined)
    facts.sourceError = error;
  else facts.standing = blocked(error);
}

/** A candidate that would delete everything is not begun before a person consents; what runs is kept running (D2). */
export async function holdPrune(run: Run, candidate: Candidate, held: PruneHeld): Promise<Date | undefined> {
  const at = await keepRunning(run, undefined);
  tellHeld(run, candidate, held);
  return at;
}

/** When to look again after an error that no watch and no poll tells the end of. */
export function retryUnwatchedAt(run: Run, error: unknown): Date | undefined {
  if (error instanceof Quarantine) return error.retry?.nextAt;
  if (error instanceof TowpathError && error.remedy === 'Resource') return undefined;
  const { context, session, application, facts } = run;
  session.unwatchedTries += 1;
  const isForPerson = error instanceof TowpathError && error.remedy === 'Person';
  const firstMs = isForPerson ? parseDuration(application.spec.source.interval) : FIRST_MS;
  const longestMs = Math.max(firstMs, PATIENCE_MS);
  const pause = pauseAfter(run, session.unwatchedTries, { firstMs, longestMs });
  const nextAt = new Date(context.now().getTime() + pause);
  // What waits for a person is only looked at as often as ever: that is no try that anyone counts.
  if (!isForPerson) facts.retry = { attempts: session.unwatchedTries, nextAt };
  return nextAt;
}

function pauseAfter({ parts }: Run, failures: number, pace: { firstMs: number; longestMs: number }): number {
  return backoffMs({ ...pace, failures, jitter: 'Fifth', random: parts.random() });
}

function earlier(one: Date | undefined, other: Date | undefined): Date | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}
