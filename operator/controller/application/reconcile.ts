import type { Application } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../api/v1alpha1/names.ts';
import { classify } from '../../apply/classify.ts';
import type { Candidate, TargetRecord, Trigger } from '../record.ts';
import { begin, judge, park } from './admit.ts';
import { checkCycle, checkDependencies } from './dependencies.ts';
import { heldPrune, pause, resume } from './deploy.ts';
import { type Facts, Quarantine } from './facts.ts';
import {
  blindRetryAt,
  gone,
  goOn,
  holdPrune,
  keepRunning,
  PATIENCE_MS,
  scheduleRetry,
} from './keep-running.ts';
import { whereLost } from './lost-record.ts';
import { handledAs } from './requests.ts';
import { blocked, finish, healthNow, NEVER, type Parts, type Run, type Session, startRun } from './run.ts';
import { explainForbidden } from './service-account.ts';
import { shortRevision } from './settle.ts';
import type { Wanted } from './wanted.ts';

/** load → run: gathers what is wanted, goes as far towards it as it gets without waiting, returns facts. */
export async function reconcile(
  parts: Parts,
  input: {
    application: Application;
    values: string | undefined;
    session: Session;
    signal: AbortSignal;
    onFacts(facts: Facts): void;
  },
): Promise<{ facts: Facts; requeueAt: Date | undefined }> {
  const run = startRun(parts, input);
  input.onFacts(run.facts);
  const { context, facts } = run;
  const { record } = context;
  recallHistory(record, input.application);
  try {
    if (parts.store.get(context.access.targetId) === undefined)
      record.kinds = run.session.found ??= await whereLost(
        parts.inventory,
        input.application,
        context.access,
      );
    await context.inventory.ensure(record.kinds, context.access.as, input.signal);
  } catch (error) {
    input.signal.throwIfAborted();
    const told = classify(error, 'watch the objects of', {
      group: '',
      kind: 'Application',
      namespace: record.target.namespace,
      name: record.target.application,
    }).error;
    facts.standing = blocked(await explainForbidden(parts.client, context.access.as, told, input.signal));
    return finish(run, new Date(context.now().getTime() + PATIENCE_MS));
  }
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
  resume(context);
  return finish(run, await pursue(run, input.values));
}

/** Finds out what is wanted and goes for it; where that fails, what runs is kept running. */
async function pursue(run: Run, values: string | undefined): Promise<Date | undefined> {
  const { context, facts, session, application } = run;
  const handled = handledAs(application.metadata.annotations[ANNOTATION_SYNC_REQUESTED] ?? '');
  try {
    checkCycle(application, run.parts.lookup);
    run.wanted = await findWanted(run, values);
    session.blindTries = 0;
  } catch (error) {
    context.signal.throwIfAborted();
    const at = await keepRunning(run, error, blindRetryAt(run, error));
    if (run.request !== undefined && !isParked(run)) facts.handledSyncRequest = handled;
    return at;
  }
  const at = await deployWanted(run, run.wanted);
  // A request that found the cluster unwilling stays open until it could be acted on (mode Manual).
  if (run.request !== undefined && !(isParked(run) && facts.standing.sync === 'Blocked'))
    facts.handledSyncRequest = handled;
  return at;
}

function isParked(run: Run): boolean {
  return run.application.spec.sync.mode === 'Manual';
}

/** The history in the status outlives a restart that came before the record was written again. */
function recallHistory(record: TargetRecord, application: Application): void {
  const history = application.status?.environments?.[0]?.history ?? [];
  const told = new Set(history.map((entry) => entry.id));
  const oldest = told.size === 0 ? 0 : Math.min(...told);
  record.ended = record.ended.filter((deployment) => !told.has(deployment.id) && !(deployment.id < oldest));
  const { deployment } = record;
  const entry = history.find((one) => one.id === deployment?.id);
  if (deployment === undefined || deployment.outcome !== undefined) return;
  if (entry?.outcome === undefined || entry.outcome === 'RolledBack') return;
  deployment.outcome = entry.outcome;
  if (entry.outcome === 'Succeeded') deployment.applied = true;
  if (entry.finishedAt !== undefined) deployment.finishedAt = entry.finishedAt;
}

async function findWanted(run: Run, values: string | undefined): Promise<Wanted> {
  const { application, context, facts } = run;
  const { record } = context;
  const source = application.status?.source;
  const wanted = await run.parts.wanted.find(
    {
      key: `${application.metadata.namespace}/${application.metadata.name}`,
      application,
      target: record.target,
      targetId: context.access.targetId,
      values,
      known: run.session.renderAnew ? [] : record.candidates,
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
    commit: candidate.commit,
    candidate: candidate.id,
  };
  const sourceError = run.parts.wanted.sourceError(
    `${application.metadata.namespace}/${application.metadata.name}`,
  );
  if (sourceError !== undefined) facts.sourceError = sourceError;
  return wanted;
}

/** Deploys what is wanted, or goes on with it; returns when to look again. */
async function deployWanted(run: Run, wanted: Wanted): Promise<Date | undefined> {
  const { context, application, session } = run;
  const { record } = context;
  const current = record.deployment;
  const inputs = `${wanted.candidate.id} ${application.metadata.generation} ${context.settings.adopt} ${run.request ?? ''}`;
  const isNew = current?.candidate.id !== wanted.candidate.id;
  if (!isNew && current !== undefined)
    current.candidate = { ...current.candidate, ...placeOf(wanted.candidate) };
  if (session.retry !== undefined && session.retry.inputs !== inputs) delete session.retry;
  const { retry, refused } = session;
  if (refused?.inputs === inputs) return keepRunning(run, refused.quarantine);
  delete session.refused;
  // What another resource decides is looked at whenever one wakes us; only what time heals is left alone.
  if (retry !== undefined && retry.error.remedy !== 'Resource' && retry.nextAt > context.now()) {
    return keepRunning(run, retry.error, retry.nextAt);
  }
  try {
    const isAskedAgain =
      current?.outcome === 'Failed' &&
      (run.request !== undefined || current.generation !== application.metadata.generation);
    if (isNew || isAskedAgain || session.renderAnew) {
      const waits = await admit(run, wanted);
      if (waits !== undefined) return waits;
    }
    const at = await goOn(run);
    delete session.retry;
    return at;
  } catch (failure) {
    context.signal.throwIfAborted();
    const error = wanted.redaction.of(failure);
    if (error instanceof Quarantine) session.refused = { inputs, quarantine: error };
    return scheduleRetry(run, inputs, error);
  }
}

function placeOf({ revision, ref, commit }: Candidate): Pick<Candidate, 'revision' | 'ref' | 'commit'> {
  return { revision, ref, commit };
}

/** Accepts a candidate and begins its deployment; a returned date: it waits, and is looked at again then. */
async function admit(run: Run, wanted: Wanted): Promise<Date | undefined> {
  const { application, context, parts } = run;
  const { record } = context;
  checkDependencies(application, parts.lookup);
  const manifests =
    wanted.manifests ?? (await context.store.manifests(record, wanted.candidate, context.signal));
  if (manifests === undefined) throw gone(run, wanted.candidate);
  const deferred = await judge(context, wanted.candidate, manifests);
  if (application.spec.sync.mode === 'Manual' && run.request === undefined) {
    await park(context, wanted.candidate, manifests);
    const revision = shortRevision(wanted.candidate.revision, wanted.candidate.ref);
    await keepRunning(run, undefined);
    run.facts.standing = {
      sync: 'OutOfSync',
      reason: 'AwaitingSync',
      message: `Revision ${revision} differs from what runs and waits: ask for it with the annotation towpath.dev/sync-requested.`,
    };
    return NEVER;
  }
  const held = heldPrune(context, manifests);
  if (held !== undefined) return (await holdPrune(run, wanted.candidate, held)) ?? NEVER;
  const trigger = triggerOf(run, wanted.candidate);
  const lastId = Math.max(
    0,
    ...(application.status?.environments?.[0]?.history ?? []).map((entry) => entry.id),
  );
  await begin(context, wanted.candidate, manifests, {
    trigger,
    deferred,
    lastId,
    generation: application.metadata.generation,
  });
  run.session.renderAnew = false;
  run.facts.standing = {
    sync: 'Syncing',
    reason: 'Syncing',
    message: `Applying revision ${shortRevision(wanted.candidate.revision, wanted.candidate.ref)}.`,
  };
  return undefined;
}

/** What asked for a deployment. A request that only found a new commit earlier is that commit's. */
function triggerOf({ application, context, request }: Run, candidate: Candidate): Trigger {
  const before = context.record.deployment;
  if (request !== undefined && application.spec.sync.mode === 'Manual') return 'Manual';
  if (before === undefined || before.candidate.revision !== candidate.revision) return 'Commit';
  return request === undefined ? 'Spec' : 'Manual';
}
