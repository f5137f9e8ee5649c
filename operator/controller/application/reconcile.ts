import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import {
  ANNOTATION_ADOPT,
  ANNOTATION_PRUNE_CONSENT,
  ANNOTATION_SYNC_REQUESTED,
  DEFAULT_ENVIRONMENT,
} from '../../api/v1alpha1/names.ts';
import { classify } from '../../apply/classify.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeClient, ServiceAccount } from '../../kube/client.ts';
import type { Discovery } from '../../kube/discovery.ts';
import { isOurs } from '../../plan/live.ts';
import type { KeptObject } from '../../plan/plan.ts';
import type { Inventory } from '../inventory.ts';
import {
  type Candidate,
  type Deployment,
  newRecord,
  type TargetName,
  type TargetRecord,
  type Trigger,
  targetId,
  targetName,
} from '../record.ts';
import type { RecordStore } from '../record-store.ts';
import { begin, judge, park } from './admit.ts';
import { checkCycle, checkDependencies, type Lookup } from './dependencies.ts';
import { type Advance, advance, type DeployContext, describeAll, isUndisturbed } from './deploy.ts';
import { type Facts, Quarantine, type Standing } from './facts.ts';
import { worstHealth } from './health.ts';
import { requestFor } from './requests.ts';
import { explainForbidden } from './service-account.ts';
import { shortRevision } from './settle.ts';
import type { Wanted, WantedCandidates } from './wanted.ts';

export interface Parts {
  client: KubeClient;
  discovery: Discovery;
  store: RecordStore;
  inventory: Inventory;
  wanted: WantedCandidates;
  installation: string;
  /** False only with --insecure-no-impersonation. */
  impersonate: boolean;
  lookup: Lookup;
  random(): number;
}

/** What is remembered of an Application between two reconciles; nothing here needs to survive a restart. */
export interface Session {
  retry?: { inputs: string; error: TowpathError; attempts: number; nextAt: Date };
  /** A candidate that the API server refused in principle: not asked again before an input changes. */
  refused?: { inputs: string; quarantine: Quarantine };
  /** Tries in a row that did not even find out what is wanted. */
  blindTries: number;
  /** The kept manifests were damaged: what is wanted is rendered and accepted again. */
  renderAnew: boolean;
  kept: KeptObject[];
}

export function newSession(): Session {
  return { kept: [], blindTries: 0, renderAnew: false };
}

/** Errors of the candidate's own, which count against `sync.retries`; all others are tried for ever. */
const COUNTED = new Set(['HookFailed', 'ApplyFailed']);
/** The longest pause between tries of what is not the candidate's own failure. */
const PATIENCE_MS = 30_000;

/** The manifests of what runs could not be had; asks for a render. */
interface Run {
  parts: Parts;
  application: Application;
  session: Session;
  context: DeployContext;
  facts: Facts;
  /** The value of towpath.dev/sync-requested that is not handled yet. */
  request: string | undefined;
  wanted?: Wanted;
}

export function targetOf(application: Application): TargetName {
  const { namespace, name } = application.metadata;
  return { namespace, application: name, environment: DEFAULT_ENVIRONMENT };
}

export function accessOf(parts: Parts, application: Application, signal: AbortSignal): TargetAccess {
  const target = targetOf(application);
  const as: ServiceAccount = { namespace: target.namespace, name: application.spec.serviceAccountName };
  return {
    client: parts.client,
    discovery: parts.discovery,
    targetId: targetId(parts.installation, target),
    targetName: targetName(target),
    adopt: application.metadata.annotations[ANNOTATION_ADOPT] === 'true',
    observe: (object, resource) => parts.inventory.observe(object, resource),
    signal,
    ...(parts.impersonate ? { as } : {}),
  };
}

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
    facts.standing = {
      sync: 'Suspended',
      reason: 'Suspended',
      message: 'spec.suspend is true: nothing is written. Set it to false to go on.',
    };
    return finish(run, undefined);
  }
  return finish(run, await pursue(run, input.values));
}

/** Finds out what is wanted and goes for it; where that fails, what runs is kept running. */
async function pursue(run: Run, values: string | undefined): Promise<Date | undefined> {
  const { context, facts, session, application } = run;
  const request = application.metadata.annotations[ANNOTATION_SYNC_REQUESTED];
  try {
    checkCycle(application, run.parts.lookup);
    run.wanted = await findWanted(run, values);
    session.blindTries = 0;
  } catch (error) {
    context.signal.throwIfAborted();
    const at = await keepRunning(run, error, blindRetryAt(run, error));
    if (run.request !== undefined && !isParked(run)) facts.handledSyncRequest = request ?? '';
    return at;
  }
  const at = await deployWanted(run, run.wanted);
  // A request that found the cluster unwilling stays open until it could be acted on (mode Manual).
  if (run.request !== undefined && !(isParked(run) && facts.standing.sync === 'Blocked'))
    facts.handledSyncRequest = request ?? '';
  return at;
}

function isParked(run: Run): boolean {
  return run.application.spec.sync.mode === 'Manual';
}

/** When to look again after an error that no watch and no poll tells the end of. */
function blindRetryAt(run: Run, error: unknown): Date | undefined {
  if (error instanceof Quarantine || (error instanceof TowpathError && error.remedy === 'Resource'))
    return undefined;
  const { context, session, parts, application } = run;
  session.blindTries += 1;
  const isForPerson = error instanceof TowpathError && error.remedy === 'Person';
  const first = isForPerson ? parseDuration(application.spec.source.interval) : 1_000;
  const longest = isForPerson ? Math.max(first, PATIENCE_MS) : PATIENCE_MS;
  const pause = Math.min(first * 2 ** (session.blindTries - 1), longest) * (0.8 + 0.2 * parts.random());
  return new Date(context.now().getTime() + pause);
}

function startRun(
  parts: Parts,
  input: { application: Application; session: Session; signal: AbortSignal },
): Run {
  const { application, session, signal } = input;
  const { spec, metadata, status } = application;
  const target = targetOf(application);
  const record = parts.store.get(targetId(parts.installation, target)) ?? newRecord(target);
  const annotation = metadata.annotations[ANNOTATION_SYNC_REQUESTED];
  const isHandled = annotation === undefined || annotation === status?.handledSyncRequest;
  const request = isHandled ? undefined : requestFor(annotation);
  const context: DeployContext = {
    access: accessOf(parts, application, signal),
    store: parts.store,
    inventory: parts.inventory,
    installation: parts.installation,
    record,
    settings: {
      prune: spec.sync.prune,
      repair: request !== undefined || (spec.sync.drift === 'Repair' && spec.sync.mode === 'Automatic'),
      adopt: metadata.annotations[ANNOTATION_ADOPT] === 'true',
      ignore: spec.sync.ignore ?? [],
      consent: requestFor(metadata.annotations[ANNOTATION_PRUNE_CONSENT]),
      timeoutMs: parseDuration(spec.sync.timeout),
    },
    now: () => parts.client.now(),
    signal,
  };
  const facts: Facts = {
    application,
    now: parts.client.now(),
    standing: { sync: 'Syncing', reason: 'Syncing', message: 'Asking the Git server and rendering.' },
    health: { state: status?.health ?? 'Missing' },
    objects: record.applied.size,
    kept: session.kept,
    ended: [],
    done: { repaired: [] },
  };
  return { parts, application, session, context, facts, request };
}

/** The history in the status outlives a restart that came before the record was written again. */
function recallHistory(record: TargetRecord, application: Application): void {
  const history = application.status?.environments?.[0]?.history ?? [];
  const told = new Set(history.map((entry) => entry.id));
  const oldest = Math.min(...told);
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
  const inputs = `${wanted.candidate.id} ${application.metadata.generation} ${run.request ?? ''}`;
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
  } catch (error) {
    context.signal.throwIfAborted();
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
  const trigger: Trigger =
    run.request !== undefined ? 'Manual' : isCommit(record.deployment, wanted.candidate) ? 'Commit' : 'Spec';
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

function gone(run: Run, candidate: Candidate): TowpathError {
  run.session.renderAnew = true;
  return new TowpathError(
    'Time',
    'RecordDamaged',
    `The kept manifests of ${candidate.id} are gone; they are rendered anew.`,
  );
}

/** Further than any timer: look again only when something changes. */
const NEVER = new Date(8.64e15);

function isCommit(before: Deployment | undefined, candidate: Candidate): boolean {
  return before === undefined || before.candidate.revision !== candidate.revision;
}

/** Goes on with the deployment that is under way or done; returns when to look again. */
async function goOn(run: Run): Promise<Date | undefined> {
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
  facts.done.repaired = result.repaired;
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
      facts.pendingPrune = { digest: progress.digest, objects: progress.objects };
      facts.standing = {
        sync: 'Blocked',
        reason: 'PruneHeld',
        message: `Revision ${revision} renders nothing: deleting ${describeAll(progress.objects)} needs consent. Correct it in Git, or annotate: towpath.dev/prune-consent=default=${progress.digest}`,
        remedy: 'Person',
      };
      return undefined;
    case 'Drifted':
      facts.standing = {
        sync: 'OutOfSync',
        reason: 'OutOfSync',
        message: `${facts.drift === undefined ? 'An object' : describeAll([facts.drift.lastObject])} was changed${facts.drift?.lastBy === undefined ? '' : ` by ${facts.drift.lastBy}`} and is left so: set spec.sync.drift to Repair, or ask for a sync.`,
      };
      return undefined;
  }
}

function synced(deployment: Deployment, objects: number): Standing {
  const revision = shortRevision(deployment.candidate.revision, deployment.candidate.ref);
  const count = objects === 1 ? '1 object' : `${objects} objects`;
  return { sync: 'Synced', reason: 'Synced', message: `Revision ${revision} is deployed: ${count}.` };
}

/** Decides what an error of the candidate means: quarantine, failure, or another try. */
async function scheduleRetry(run: Run, inputs: string, error: unknown): Promise<Date | undefined> {
  const { context, session, application, facts } = run;
  if (!(error instanceof TowpathError)) return keepRunning(run, error);
  const told = await explainForbidden(run.parts.client, context.access.as, error, context.signal);
  const { retries } = application.spec.sync;
  const attempts = (session.retry?.attempts ?? 0) + 1;
  const isOwn =
    COUNTED.has(told.reason) || told.reason === 'ManifestInvalid' || told.reason === 'ImmutableField';
  const { deployment } = context.record;
  if (isOwn && deployment !== undefined && (attempts > retries.limit || !COUNTED.has(told.reason))) {
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
async function keepRunning(run: Run, error: unknown, at?: Date): Promise<Date | undefined> {
  const { context, facts, session } = run;
  const { deployment } = context.record;
  const isUnderWay = deployment !== undefined && deployment.candidate.id === run.wanted?.candidate.id;
  if (deployment !== undefined && !isUnderWay) {
    try {
      const again = await goOn(run);
      at ??= again;
    } catch (failure) {
      context.signal.throwIfAborted();
      error ??= failure;
      at ??= new Date(context.now().getTime() + 5_000);
    }
  }
  if (session.retry !== undefined)
    facts.retry = { attempts: session.retry.attempts, nextAt: session.retry.nextAt };
  if (error === undefined) return at;
  if (error instanceof Quarantine) {
    facts.rejected = error.rejected;
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
  const isTried = COUNTED.has(error.reason) && deployment !== undefined;
  facts.standing = isTried
    ? {
        sync: 'Syncing',
        reason: error.reason,
        message: `Try ${session.retry?.attempts ?? 1} failed: ${error.message}`,
      }
    : blocked(error);
  return at;
}

function blocked(error: TowpathError): Standing {
  return { sync: 'Blocked', reason: error.reason, message: error.message, remedy: error.remedy };
}

function finish(run: Run, requeueAt: Date | undefined): { facts: Facts; requeueAt: Date | undefined } {
  const { context, facts } = run;
  const { record } = context;
  facts.now = context.now();
  facts.objects = record.applied.size;
  facts.ended = [...record.ended, ...(record.deployment?.outcome === undefined ? [] : [record.deployment])];
  facts.health = healthNow(run);
  context.inventory.lookAtPods(context.access.targetId, context.access.as);
  return { facts, requeueAt: requeueAt === NEVER ? undefined : requeueAt };
}

/** The worst health of what was applied; what is not there, or no longer ours, is missing. */
function healthNow({ context }: Run): Facts['health'] {
  const { record, access } = context;
  if (record.applied.size === 0)
    return { state: record.deployment?.applied === true ? 'Healthy' : 'Missing' };
  const live = context.inventory.of(access.targetId);
  return worstHealth(
    [...record.applied].map(([key, applied]) => {
      const observed = live.get(key);
      const isThere = observed !== undefined && isOurs(observed, access.targetId, access.targetName);
      return isThere ? observed : { ...applied, health: { state: 'Missing' as const } };
    }),
  );
}
