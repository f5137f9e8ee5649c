import { TowpathError } from '../../api/errors.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { describeObject } from '../../manifest/manifest.ts';
import type { Candidate, Deployment } from '../record.ts';
import { type Advance, advance, describeAll, isUndisturbed, type PruneHeld } from './deploy.ts';
import { type Facts, Quarantine, type Standing } from './facts.ts';
import { blocked, type Run } from './run.ts';
import { explainForbidden } from './service-account.ts';
import { shortRevision } from './settle.ts';

/** Errors of the candidate's own, which count against `sync.retries`; all others are tried for ever. */
const COUNTED = new Set(['HookFailed', 'ApplyFailed']);
/** The longest pause between tries of what is not the candidate's own failure. */
export const PATIENCE_MS = 30_000;

export function gone(run: Run, candidate: Candidate): TowpathError {
  run.session.renderAnew = true;
  return new TowpathError(
    'Time',
    'RecordDamaged',
    `The kept manifests of ${candidate.id} are gone; they are rendered anew.`,
  );
}

/** Goes on with the deployment that is under way or done; returns when to look again. */
export async function goOn(run: Run): Promise<Date | undefined> {
  const { context, facts, session } = run;
  const { deployment } = context.record;
  if (deployment === undefined) return undefined;
  if (deployment.outcome === 'Failed' && deployment.exhausted === true) {
    facts.standing = {
      sync: 'Failed',
      reason: deployment.reason ?? 'ApplyFailed',
      message: deployment.message ?? 'The deployment failed.',
      remedy: 'Person',
    };
    return undefined;
  }
  if (!(isUndisturbed(context) && session.kept.length === 0)) {
    const manifests =
      run.wanted?.candidate.id === deployment.candidate.id && run.wanted.manifests !== undefined
        ? run.wanted.manifests
        : await context.store.manifests(context.record, deployment.candidate, context.signal);
    if (manifests === undefined) throw gone(run, deployment.candidate);
    const result = await advance(context, deployment, manifests);
    return standAfter(run, deployment, result);
  }
  facts.running = deployment.candidate;
  facts.standing = synced(deployment, context.record.applied.size);
  return undefined;
}

function standAfter(run: Run, deployment: Deployment, result: Advance): Date | undefined {
  const { facts, session, context } = run;
  session.kept = result.kept;
  facts.kept = result.kept;
  facts.done = { repaired: result.repaired, pruned: result.pruned };
  if (result.drift !== undefined) facts.drift = result.drift;
  const revision = shortRevision(deployment.candidate.revision, deployment.candidate.ref);
  const { progress } = result;
  facts.running = deployment.candidate;
  switch (progress.state) {
    case 'Done':
      facts.standing = synced(deployment, context.record.applied.size);
      if (facts.drift !== undefined) facts.drift.count = 0;
      return undefined;
    case 'Waiting':
      facts.standing = {
        sync: 'Syncing',
        reason: 'Progressing',
        message: `Revision ${revision} is applied. ${progress.message}`,
      };
      return progress.deadline;
    case 'TimedOut':
      deployment.outcome ??= 'Failed';
      deployment.finishedAt ??= context.now().toISOString();
      deployment.message ??= `Not healthy in time: ${progress.message}`;
      facts.standing = {
        sync: 'Failed',
        reason: 'TimedOut',
        message: `Revision ${revision} did not become healthy within ${run.application.spec.sync.timeout}: ${progress.message} Correct it in Git, or raise spec.sync.timeout.`,
        remedy: 'Person',
      };
      return undefined;
    case 'PruneHeld':
      tellHeld(run, deployment.candidate, progress);
      return undefined;
    case 'RepairDelayed':
      keepTimeTold(run);
      facts.standing = {
        sync: 'Syncing',
        reason: 'RepairDelayed',
        message: `${changed(facts)} again and again: it is put back every few seconds. Stop who changes it, or leave the field to them with spec.sync.ignore.`,
      };
      return progress.until;
    case 'Drifted':
      facts.standing = {
        sync: 'OutOfSync',
        reason: 'OutOfSync',
        message: `${changed(facts)} and is left so: set spec.sync.drift to Repair, or ask for a sync.`,
      };
      return undefined;
  }
}

/** Drift that is left for a while is told with its first time: every further change would be a write (A14). */
function keepTimeTold({ facts, application }: Run): void {
  const before = application.status?.environments?.[0]?.drift;
  if (facts.drift !== undefined && before?.lastAt !== undefined && (before.count ?? 0) > 0)
    facts.drift = { ...facts.drift, lastAt: before.lastAt };
}

/** Begins a sentence about drift. */
function changed({ drift }: Facts): string {
  if (drift === undefined) return 'An object was changed';
  return `${describeObject(drift.lastObject)} was changed${drift.lastBy === undefined ? '' : ` by ${drift.lastBy}`}`;
}

function tellHeld({ facts }: Run, { revision, ref }: Candidate, { digest, objects }: PruneHeld): void {
  facts.pendingPrune = { digest, objects };
  facts.standing = {
    sync: 'Blocked',
    reason: 'PruneHeld',
    message: `Revision ${shortRevision(revision, ref)} renders nothing: deleting ${describeAll(objects)} needs consent. Correct it in Git, or annotate: towpath.dev/prune-consent=default=${digest}`,
    remedy: 'Person',
  };
}

/** A candidate that would delete everything is not begun before a person consents; what runs is kept running (D2). */
export async function holdPrune(run: Run, candidate: Candidate, held: PruneHeld): Promise<Date | undefined> {
  const at = await keepRunning(run, undefined);
  tellHeld(run, candidate, held);
  return at;
}

function synced(deployment: Deployment, objects: number): Standing {
  const revision = shortRevision(deployment.candidate.revision, deployment.candidate.ref);
  const count = objects === 1 ? '1 object' : `${objects} objects`;
  return { sync: 'Synced', reason: 'Synced', message: `Revision ${revision} is deployed: ${count}.` };
}

/** Decides what an error of the candidate means: quarantine, failure, or another try. */
export async function scheduleRetry(run: Run, inputs: string, error: unknown): Promise<Date | undefined> {
  const { context, session, application, facts } = run;
  if (!(error instanceof TowpathError)) return keepRunning(run, error);
  const told = await explainForbidden(run.parts.client, context.access.as, error, context.signal);
  const { retries } = application.spec.sync;
  const attempts = (session.retry?.attempts ?? 0) + 1;
  const { deployment } = context.record;
  // Only a deployment under way can fail: what ran before stays the last good one, and stays enforced.
  const isUnderWay =
    deployment !== undefined &&
    deployment.outcome !== 'Succeeded' &&
    deployment.candidate.id === run.wanted?.candidate.id;
  const isOwn =
    isUnderWay &&
    (COUNTED.has(told.reason) || told.reason === 'ManifestInvalid' || told.reason === 'ImmutableField');
  if (isOwn && (attempts > retries.limit || !COUNTED.has(told.reason))) {
    deployment.outcome ??= 'Failed';
    deployment.exhausted = true;
    deployment.reason = told.reason;
    deployment.message ??= told.message;
    deployment.finishedAt ??= context.now().toISOString();
    await context.store.save(context.record, { signal: context.signal });
    delete session.retry;
    return goOn(run);
  }
  const first = isOwn ? parseDuration(retries.backoff) : 1_000;
  const longest = isOwn ? parseDuration(retries.maxBackoff) : PATIENCE_MS;
  const pause = Math.min(first * 2 ** (attempts - 1), longest) * (0.8 + 0.2 * run.parts.random());
  const nextAt = new Date(context.now().getTime() + pause);
  session.retry = { inputs, error: told, attempts, nextAt };
  facts.retry = { attempts, nextAt };
  return keepRunning(run, told, nextAt);
}

/**
 * What is wanted cannot run: the last good one stays enforced, and the status says why (A4, D6). `error`
 * undefined: nothing is wrong, only what runs is looked after.
 */
export async function keepRunning(run: Run, error: unknown, at?: Date): Promise<Date | undefined> {
  const { context, facts, session } = run;
  const { deployment } = context.record;
  const isUnderWay = deployment !== undefined && deployment.candidate.id === run.wanted?.candidate.id;
  if (deployment !== undefined && !isUnderWay) {
    try {
      at = earlier(at, await goOn(run));
    } catch (failure) {
      context.signal.throwIfAborted();
      error ??= run.wanted?.redaction.of(failure) ?? failure;
      at ??= new Date(context.now().getTime() + 5_000);
    }
  }
  if (session.retry !== undefined)
    facts.retry = { attempts: session.retry.attempts, nextAt: session.retry.nextAt };
  if (error === undefined) return at;
  if (error instanceof Quarantine) {
    facts.rejected = error.rejected;
    if (error.retry !== undefined) facts.retry = error.retry;
    facts.standing = {
      sync: 'Quarantined',
      reason: error.error.reason,
      message: error.message,
      remedy: 'Person',
    };
    return at;
  }
  if (!(error instanceof TowpathError)) throw error;
  if (error.remedy === 'Time' && deployment !== undefined && run.wanted === undefined) {
    facts.sourceError = error;
    return at;
  }
  const isTried = COUNTED.has(error.reason) && isUnderWay;
  facts.standing = isTried
    ? {
        sync: 'Syncing',
        reason: error.reason,
        message: `Try ${session.retry?.attempts ?? 1} failed: ${error.message}`,
      }
    : blocked(error);
  return at;
}

function earlier(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one === undefined || (other !== undefined && other < one) ? other : one;
}

/** When to look again after an error that no watch and no poll tells the end of. */
export function blindRetryAt(run: Run, error: unknown): Date | undefined {
  if (error instanceof Quarantine) return error.retry?.nextAt;
  if (error instanceof TowpathError && error.remedy === 'Resource') return undefined;
  const { context, session, parts, application } = run;
  session.blindTries += 1;
  const isForPerson = error instanceof TowpathError && error.remedy === 'Person';
  const first = isForPerson ? parseDuration(application.spec.source.interval) : 1_000;
  const longest = isForPerson ? Math.max(first, PATIENCE_MS) : PATIENCE_MS;
  const pause = Math.min(first * 2 ** (session.blindTries - 1), longest) * (0.8 + 0.2 * parts.random());
  return new Date(context.now().getTime() + pause);
}
