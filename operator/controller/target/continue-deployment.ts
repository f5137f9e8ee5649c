import { TowpathError } from '../../api/errors.ts';
import { isInPrinciple } from '../../apply/classify.ts';
import { shortCandidate } from '../candidate/revision.ts';
import { type Candidate, candidateKey, type Deployment, type Manifests } from '../record/record.ts';
import { advance, repair } from './deploy/deploy.ts';
import { endHooks } from './deploy/run-hooks.ts';
import { isAsApplied, isUndisturbed, saveChanges } from './deploy-context.ts';
import { toldAfter } from './refusals.ts';
import type { Run } from './run.ts';
import { explainForbidden } from './service-account.ts';
import { standAfter, standFailed, synced } from './standing.ts';
import { syncRetryMs } from './sync-retries.ts';

/** Errors of the candidate's own, which count against `sync.retries`; all others are tried for ever. */
const COUNTED = new Set(['HookFailed', 'ApplyFailed']);

export function gone(run: Run, candidate: Candidate): TowpathError {
  run.session.renderAnew = true;
  return new TowpathError(
    'Time',
    'RecordDamaged',
    `The kept manifests of ${shortCandidate(candidate.id)} are gone; they are rendered anew.`,
  );
}

/**
 * Goes on with the deployment that is under way or done; returns when to look again. Its own failures are
 * counted, spaced and told here, whatever else is wanted by now; what else goes wrong is thrown, without values of
 * Secrets.
 */
export async function continueDeployment(run: Run): Promise<Date | undefined> {
  try {
    return await continueOrCount(run);
  } catch (failure) {
    run.context.signal.throwIfAborted();
    throw run.parts.wanted.hide(run.application, failure);
  }
}

async function continueOrCount(run: Run): Promise<Date | undefined> {
  const { context, session } = run;
  const { deployment } = context.record;
  if (deployment === undefined) return undefined;
  if (deployment.outcome === undefined && !deployment.applied)
    context.unreported.begin({ how: 'takenUp', deployment });
  // What an earlier process made, or a write that landed late, too: as often as one is seen.
  await endHooks(context, ({ madeIn = deployment.id }) => madeIn >= deployment.id);
  if (deployment.exhausted === true) return lookAfterFailed(run, deployment);
  const { failed } = session;
  const isWaiting =
    failed?.deployment === deployment.id &&
    failed.generation === run.application.metadata.generation &&
    failed.nextAt > context.now() &&
    !run.isAskedNow;
  if (failed !== undefined && isWaiting) return tellTry(run, deployment, failed);
  try {
    const at = await lookAfter(run, deployment);
    delete session.failed;
    return at;
  } catch (failure) {
    context.signal.throwIfAborted();
    const error = run.parts.wanted.hide(run.application, failure);
    if (!(error instanceof TowpathError) || !isOwn(deployment, error)) throw error;
    return countFailure(run, deployment, error);
  }
}

async function lookAfter(run: Run, deployment: Deployment): Promise<Date | undefined> {
  const { context, facts, session } = run;
  if (isUndisturbed(context) && session.kept.length === 0) {
    await saveChanges(context);
    context.drift.clear();
    facts.running = deployment.candidate;
    facts.isLookedAt = true;
    facts.standing = synced(deployment, context.record.applied);
    return undefined;
  }
  return standAfter(run, deployment, await advance(context, deployment, await manifestsOf(run, deployment)));
}

/** What was applied of a deployment that failed for good is still enforced. */
async function lookAfterFailed(run: Run, deployment: Deployment): Promise<Date | undefined> {
  const isAsItWas = isAsApplied(run.context);
  if (isAsItWas) run.context.drift.clear();
  const result = isAsItWas ? undefined : await repair(run.context, await manifestsOf(run, deployment));
  await saveChanges(run.context);
  return standFailed(run, deployment, result);
}

async function manifestsOf(run: Run, { candidate }: Deployment): Promise<Manifests> {
  const { context, wanted } = run;
  if (wanted?.manifests !== undefined && candidateKey(wanted.candidate) === candidateKey(candidate))
    return wanted.manifests;
  const kept = await context.store.manifests(context.record, candidate, context.signal);
  if (kept === undefined) throw gone(run, candidate);
  return kept;
}

/** Only a deployment under way can fail: one that succeeded stays the last good one, and stays enforced. */
function isOwn({ outcome }: Deployment, { reason }: TowpathError): boolean {
  return outcome !== 'Succeeded' && (COUNTED.has(reason) || isInPrinciple(reason));
}

async function countFailure(
  run: Run,
  deployment: Deployment,
  error: TowpathError,
): Promise<Date | undefined> {
  const { context, session, application, parts } = run;
  const { access, signal } = context;
  const told = await explainForbidden(access.client, access.as, error, signal);
  const { retries } = application.spec.sync;
  const attempts = (deployment.attempts ?? 0) + 1;
  deployment.attempts = attempts;
  if (attempts > retries.limit || isInPrinciple(told.reason)) {
    deployment.outcome ??= 'Failed';
    deployment.exhausted = true;
    deployment.reason ??= told.reason;
    deployment.message ??= told.message;
    deployment.finishedAt ??= context.now().toISOString();
    delete session.failed;
  }
  await context.store.save(context.record, { signal });
  if (deployment.exhausted === true) return lookAfterFailed(run, deployment);
  const pause = syncRetryMs(application, attempts, parts.random());
  const nextAt = new Date(context.now().getTime() + pause);
  const { generation } = application.metadata;
  session.failed = { deployment: deployment.id, generation, error: told, nextAt };
  return tellTry(run, deployment, session.failed);
}

function tellTry(
  { facts }: Run,
  { candidate, attempts = 1 }: Deployment,
  { error, nextAt }: { error: TowpathError; nextAt: Date },
): Date {
  facts.running = candidate;
  facts.retry = { attempts, nextAt };
  facts.standing = {
    sync: 'Syncing',
    reason: error.reason,
    message: toldAfter(`Try ${attempts} failed: `, error),
  };
  return nextAt;
}
