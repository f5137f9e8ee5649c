import { TowpathError } from '../../api/errors.ts';
import { type Application, environmentOf, type HistoryEntry } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../api/v1alpha1/names.ts';
import { classify } from '../../apply/classify.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import { circularValues, renderWarnings } from '../candidate/render-warnings.ts';
import { shortRevision } from '../candidate/revision.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { applicationKey } from '../record/application-key.ts';
import {
  type Candidate,
  candidateKey,
  inputsKey,
  movedTo,
  type TargetRecord,
  type Trigger,
} from '../record/record.ts';
import type { Target } from '../record/target.ts';
import { begin, judge, park } from './admit.ts';
import { continueDeployment, gone } from './continue-deployment.ts';
import { checkCycle, checkDependencies } from './dependencies.ts';
import { heldPrune } from './deploy/pruning.ts';
import { pause, resume } from './deploy-context.ts';
import type { Facts } from './facts.ts';
import { holdPrune, keepRunning, PATIENCE_MS, retryUnwatchedAt, scheduleRetry } from './keep-running.ts';
import { whereLost } from './lost-record.ts';
import { wishesOf } from './moving.ts';
import { Planning } from './planning.ts';
import { handledAs } from './requests.ts';
import { blocked, finish, healthNow, NEVER, type Parts, type Run, type Session, startRun } from './run.ts';
import { explainForbidden } from './service-account.ts';

/** load → run: gathers what is wanted, goes as far towards it as it gets without waiting, returns facts. */
export async function reconcile(
  parts: Parts,
  input: {
    application: Application;
    target: Target;
    values: string | undefined;
    session: Session;
    signal: AbortSignal;
    onFacts(facts: Facts): void;
    /** Has the facts told as they are, before the end. */
    tellNow(): void;
  },
): Promise<{ facts: Facts; requeueAt: Date | undefined }> {
  const run = startRun(parts, input);
  input.onFacts(run.facts);
  const { context, facts } = run;
  const { record } = context;
  recallHistory(record, historyOf(run));
  const unseen = await seeObjects(run);
  if (unseen !== undefined) run.unseen = unseen;
  facts.health = healthNow(run);
  if (input.application.spec.suspend) {
    await pause(context);
    facts.standing = {
      sync: 'Suspended',
      reason: 'Suspended',
      message: 'spec.suspend is true: nothing is written. Set it to false to go on.',
    };
    return finish(run, undefined);
  }
  await resume(context);
  if (input.application.status?.sync === 'Suspended') {
    facts.standing = { sync: 'Syncing', reason: 'Syncing', message: 'It is no longer suspended.' };
    input.tellNow();
  }
  return finish(
    run,
    await (unseen === undefined ? pursue(run, input.values) : lookAround(run, input.values, unseen)),
  );
}

/** Makes sure that the target's objects are watched; returns why they cannot be seen. */
async function seeObjects({
  parts,
  application,
  target,
  session,
  context,
}: Run): Promise<TowpathError | undefined> {
  const { record, access, inventory, signal } = context;
  try {
    if (parts.store.get(target) === undefined)
      record.kinds = session.found ??= await whereLost(application, target, access);
    await inventory.watches.ensure(record.kinds, access);
    await inventory.seeAutoscalers(access);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    const { namespace, name } = application.metadata;
    const object = { group: '', kind: 'Application', namespace, name };
    return explainForbidden(
      access.client,
      access.as,
      classify(error, 'watch the objects of', object).error,
      signal,
    );
  }
}

/** Without a view of the objects nothing is planned; what Git has is told all the same. */
async function lookAround(run: Run, values: string | undefined, unseen: TowpathError): Promise<Date> {
  try {
    await findWanted(run, values);
  } catch (error) {
    run.context.signal.throwIfAborted();
    if (error instanceof Quarantine) run.facts.rejected = error.rejected;
  }
  run.facts.standing = blocked(unseen);
  return new Date(run.context.now().getTime() + PATIENCE_MS);
}

/** Finds out what is wanted and goes for it; where that fails, what runs is kept running. */
async function pursue(run: Run, values: string | undefined): Promise<Date | undefined> {
  const { context, session, application } = run;
  try {
    checkCycle(application, run.parts.lookup);
    run.wanted = await findWanted(run, values);
    await tellWishes(run, run.wanted);
    session.unwatchedTries = 0;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof Quarantine) delete session.retry;
    const isHandled = isAnswered(run, error);
    const told = run.request === undefined || isHandled ? error : withRequest(error);
    const at = await keepRunning(run, told, retryUnwatchedAt(run, error));
    session.lookedFor = run.request;
    if (isHandled) noteHandled(run);
    return at;
  }
  const at = await deployWanted(run, run.wanted);
  session.lookedFor = run.request;
  if (!isRequestWaiting(run)) noteHandled(run);
  return at;
}

/**
 * Whether a failure is what a request found: a commit that cannot run must not leave it for the next one (mode
 * Manual). What keeps Git from being looked at at all, such as a credential, is none.
 */
function isAnswered({ parts, application, request }: Run, error: unknown): boolean {
  if (error instanceof Quarantine) return true;
  const isForPerson = error instanceof TowpathError && error.remedy === 'Person';
  return (
    isForPerson && request !== undefined && parts.wanted.hasAnswered(applicationKey(application), request)
  );
}

/** What was asked for could not be looked at yet: that is said, and the request stays open. */
function withRequest(error: unknown): unknown {
  if (!(error instanceof TowpathError)) return error;
  const { remedy, reason, message, details, next } = error;
  const told = `The sync that was asked for waits: ${message}`;
  return new TowpathError(remedy, reason, told, { details, next, cause: error });
}

/** A request that found the cluster unwilling stays open until it could be acted on; in mode Manual whoever can help. */
function isRequestWaiting({ application, context, facts, request }: Run): boolean {
  const { standing } = facts;
  if (request === undefined || standing.sync !== 'Blocked') return false;
  if (context.record.deployment?.request === requestOf(application)) return false;
  return application.spec.sync.mode === 'Manual' || standing.remedy !== 'Person';
}

function noteHandled({ application, facts, request }: Run): void {
  if (request !== undefined) facts.handledSyncRequest = requestOf(application);
}

/** The request as the status and the record tell it; '' where there is none. */
function requestOf({ metadata }: Application): string {
  return handledAs(metadata.annotations[ANNOTATION_SYNC_REQUESTED] ?? '');
}

function historyOf({ application, target }: Run): readonly HistoryEntry[] {
  return environmentOf(application.status, target.environment)?.history ?? [];
}

/** The history in the status outlives a restart that came before the record was written again. */
function recallHistory(record: TargetRecord, history: readonly HistoryEntry[]): void {
  const told = new Set(history.map((entry) => entry.id));
  const oldest = told.size === 0 ? 0 : Math.min(...told);
  record.ended = record.ended.filter((deployment) => !told.has(deployment.id) && !(deployment.id < oldest));
  const { deployment } = record;
  const entry = history.find((one) => one.id === deployment?.id);
  if (deployment === undefined || deployment.outcome !== undefined) return;
  if (entry?.outcome === undefined) return;
  deployment.outcome = entry.outcome;
  if (entry.outcome === 'Succeeded') {
    deployment.applied = true;
    record.succeeded = candidateKey(deployment.candidate);
  }
  if (entry.finishedAt !== undefined) deployment.finishedAt = entry.finishedAt;
}

async function findWanted(run: Run, values: string | undefined): Promise<Wanted> {
  const { application, target, context, facts } = run;
  const { record } = context;
  const source = application.status?.source;
  const wanted = await run.parts.wanted.find(
    {
      key: applicationKey(application),
      application,
      target,
      values,
      kept: run.session.renderAnew ? [] : record.candidates,
      settled: { revision: source?.revision, candidate: source?.candidate },
      lookNow: run.request,
      now: context.now(),
    },
    (resolved) => {
      facts.source = { revision: resolved.commit, ref: resolved.ref };
    },
    context.signal,
  );
  const { candidate } = wanted;
  facts.source = {
    revision: candidate.revision,
    ref: candidate.ref,
    ...(candidate.commit === undefined ? {} : { commit: candidate.commit }),
    candidate: candidate.id,
  };
  const sourceError = run.parts.wanted.sourceError(applicationKey(application));
  if (sourceError !== undefined) facts.sourceError = sourceError;
  return wanted;
}

/** Tells which objects of what is wanted others must not delete; once all was applied, it has them. */
async function tellWishes({ parts, application, session, context }: Run, wanted: Wanted): Promise<void> {
  const { record, store, access, signal } = context;
  const { deployment } = record;
  const isThrough =
    deployment?.applied === true && candidateKey(deployment.candidate) === candidateKey(wanted.candidate);
  const told = isThrough ? 'none' : `${inputsKey(wanted.candidate)} ${access.adopt}`;
  if (session.toldWishes === told) return parts.wishes.noteLook(applicationKey(application));
  const manifests = isThrough
    ? undefined
    : (wanted.manifests ?? (await store.manifests(record, wanted.candidate, signal)));
  parts.wishes.tell(applicationKey(application), wishesOf(manifests?.objects ?? [], access, record));
  session.toldWishes = told;
}

/** What another resource decides is tried again when something wakes us, but not for every Pod that flaps (A14). */
const RESOURCE_PAUSE_MS = 500;

/** Deploys what is wanted, or goes on with it; returns when to look again. */
async function deployWanted(run: Run, wanted: Wanted): Promise<Date | undefined> {
  const { context, application, session, parts } = run;
  const { record } = context;
  const current = record.deployment;
  const inputs = `${inputsKey(wanted.candidate)} ${application.metadata.generation} ${context.settings.adopt} ${run.request ?? ''}`;
  const isNew = current === undefined || candidateKey(current.candidate) !== candidateKey(wanted.candidate);
  if (!isNew) current.candidate = movedTo(current.candidate, wanted.candidate);
  if (session.retry !== undefined && session.retry.inputs !== inputs) delete session.retry;
  const { retry, refused } = session;
  if (refused?.inputs === inputs) return keepRunning(run, refused.quarantine);
  delete session.refused;
  if (retry !== undefined) {
    const soonest = new Date(retry.triedAt.getTime() + RESOURCE_PAUSE_MS);
    const nextAt = retry.error.remedy === 'Resource' && soonest < retry.nextAt ? soonest : retry.nextAt;
    if (nextAt > context.now()) {
      run.facts.retry = { attempts: retry.attempts, nextAt: retry.nextAt };
      return keepRunning(run, retry.error, nextAt);
    }
  }
  try {
    const isAskedAgain =
      current?.outcome === 'Failed' &&
      (run.request !== undefined || current.generation !== application.metadata.generation);
    if (isNew || isAskedAgain || session.renderAnew) {
      const waits = await deployAnew(run, wanted);
      if (waits !== undefined) return waits;
    }
    const at = await continueDeployment(run);
    delete session.retry;
    return at;
  } catch (failure) {
    context.signal.throwIfAborted();
    const error = parts.wanted.hide(application, failure);
    if (error instanceof Quarantine) session.refused = { inputs, quarantine: error };
    return scheduleRetry(run, inputs, error);
  }
}

/** Accepts a candidate and begins its deployment; a returned date: it waits, and is looked at again then. */
async function deployAnew(run: Run, wanted: Wanted): Promise<Date | undefined> {
  const { application, context, parts, session } = run;
  const { record } = context;
  checkDependencies(application, parts.lookup);
  const manifests =
    wanted.manifests ?? (await context.store.manifests(record, wanted.candidate, context.signal));
  if (manifests === undefined) throw gone(run, wanted.candidate);
  const isParkedOnly = application.spec.sync.mode === 'Manual' && run.request === undefined;
  // What waits for a request was judged when it came; whatever wakes us since is no reason to ask again.
  const judged = `${inputsKey(wanted.candidate)} ${application.metadata.generation}`;
  if (isParkedOnly && session.judged === judged) return awaitRequest(run, wanted.candidate, manifests);
  const { deferred, undecided } = await judge(context, wanted.candidate, manifests);
  session.unreported.warn([
    ...renderWarnings(application, wanted),
    ...circularValues(application, manifests),
    ...undecided,
  ]);
  session.judged = judged;
  if (isParkedOnly) return awaitRequest(run, wanted.candidate, manifests);
  if (isRestored(run, wanted.candidate)) {
    // The same bytes as those that were lost: nothing new is deployed.
    await context.store.save(context.record, {
      accepted: { digest: wanted.candidate.digest, manifests },
      signal: context.signal,
    });
    run.session.renderAnew = false;
    return undefined;
  }
  const held = await heldPrune(context, await Planning.of(context, manifests.objects));
  if (held !== undefined) return (await holdPrune(run, wanted.candidate, held)) ?? NEVER;
  const trigger = triggerOf(run, wanted.candidate);
  const lastId = Math.max(0, ...historyOf(run).map((entry) => entry.id));
  await begin(context, wanted.candidate, manifests, {
    trigger,
    deferred,
    lastId,
    generation: application.metadata.generation,
    ...(run.request === undefined ? {} : { request: requestOf(application) }),
  });
  run.session.renderAnew = false;
  return undefined;
}

/** In mode Manual a candidate waits for its request; a deployment that was asked for before goes on meanwhile. */
async function awaitRequest(
  run: Run,
  candidate: Candidate,
  manifests: NonNullable<Wanted['manifests']>,
): Promise<Date> {
  await park(run.context, candidate, manifests);
  const at = (await keepRunning(run, undefined)) ?? NEVER;
  const { deployment } = run.context.record;
  // What is under way, or failed, is what a person has to know first.
  if (deployment !== undefined && deployment.outcome !== 'Succeeded' && deployment.outcome !== 'Superseded')
    return at;
  const revision = shortRevision(candidate.revision, candidate.ref);
  run.facts.standing = {
    sync: 'OutOfSync',
    reason: 'AwaitingSync',
    message: `Revision ${revision} differs from what runs and waits: ask for it with the annotation towpath.dev/sync-requested.`,
  };
  return at;
}

/** Whether what was rendered anew is exactly what runs, whose kept manifests were damaged. */
function isRestored({ session, context, request }: Run, candidate: Candidate): boolean {
  const { deployment } = context.record;
  if (deployment?.outcome !== 'Succeeded' || request !== undefined || !session.renderAnew) return false;
  return candidateKey(deployment.candidate) === candidateKey(candidate);
}

/** What asked for a deployment. A request that only found a new commit earlier is that commit's. */
function triggerOf({ application, context, request }: Run, candidate: Candidate): Trigger {
  const before = context.record.deployment;
  if (request !== undefined && application.spec.sync.mode === 'Manual') return 'Manual';
  if (before === undefined) return 'Commit';
  const isAskedAnew =
    before.generation !== application.metadata.generation &&
    (before.candidate.ref !== candidate.ref || before.candidate.request !== candidate.request);
  if (before.candidate.revision !== candidate.revision && !isAskedAnew) return 'Commit';
  return request === undefined ? 'Spec' : 'Manual';
}
